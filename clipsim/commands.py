"""The commands: on the study `run`, `train` and `fetch`, on anybody's pictures the others.

`score`, `search` and `graph` gather a record, which `--json` prints as it is, and a table that
people read.

`accelerate launch -m clipsim train …` trains on several GPUs or machines, and
`torchrun --nproc_per_node 2 -m clipsim train …` in several processes of a CPU; all of them must
see the run folder. `encode FOLDER --out STORE` is shared out in the same ways; interrupted, it
goes on where it was when it is run again.
"""

import json
import math
import shlex
import sys
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from clipsim import data, evaluation, model, pictures, report, retrieval
from clipsim.errors import BadInput
from clipsim.profile import load_profile, read_overrides, relative

SHOWN = 5  # descriptions of a picture, pictures of a community
CARDS = (".png", ".pdf")
SETTINGS = ("n_descriptions", "normalisation", "vector_space")
UNKNOWN_PICTURE = "  (unsure: its best description fits worse than nearly all photographs')"
UNKNOWN_TEXT = "no picture fits the text; these come closest"
VERDICTS = {None: "", True: "alike", False: "different"}

Checkpoint = Annotated[Path | None, Option(help="folder of a model (default: the one that ships)")]
Pool = Annotated[Path | None, Option(help="file of descriptions (default: the model's own)")]
Descriptions = Annotated[
    int | None, Option("-n", min=1, help="descriptions per picture (default: the profile's)")
]
Threshold = Annotated[float | None, Option(help="alike from here on (default: the model's own)")]
Store = Annotated[Path | None, Option(help="what encode made of it (default: kept in the cache)")]
Json = Annotated[bool, Option("--json", help="JSON on stdout, all else on stderr")]
Profile = Annotated[str, Option(help="a file in profiles/ by name, or the path of a YAML file")]
Overrides = Annotated[
    list[str],
    Option("-p", metavar="KEY=VALUE", help="replace one value of the profile; may be repeated"),
]


def run(
    profile: Profile = "demo",
    overrides: Overrides = None,
    first: Annotated[str | None, Option("--from", help="start here, such as at 03")] = None,
    only: Annotated[list[str] | None, Option(help="these alone, such as 05,06")] = None,
    list_only: Annotated[bool, Option("--list", help="list the notebooks and stop")] = False,
    check: Annotated[bool, Option("--check", help="compare with the committed results")] = False,
    force: Annotated[bool, Option("--force", help="run also what is current")] = False,
):
    """Execute the notebooks of a profile that are not current."""
    if sum(map(bool, (first, only, list_only))) > 1:
        raise BadInput("--from, --only and --list exclude each other: pass one of them")
    return report.run_notebooks(
        profile, overrides or (), first, only or (), list_only, check, force
    )


def train(
    profile: Profile = "demo",
    overrides: Overrides = None,
    out: Annotated[Path | None, Option(help="in place of where notebook 02 looks")] = None,
    fresh: Annotated[bool, Option("--fresh", help="anew, whatever the folder holds")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="time a few steps, say, stop")] = False,
):
    """Train the model of a profile."""
    if fresh and dry_run:
        raise BadInput("--fresh and --dry-run exclude each other: pass one of them")
    settings = load_profile(profile, **read_overrides(overrides or ()))
    images = data.load(settings)
    folder = out or evaluation.checkpoint_folder(settings)
    say = model.study_accelerator().print  # once, whatever the number of processes
    if dry_run:
        say(model.training_estimate(settings, images, folder))
        return 0
    if not (fresh or evaluation.checkpoint_fault(settings, images, folder)):
        say(f"already trained: {relative(folder)} (--fresh trains anew)")
        return 0
    state = None if fresh else model.resumable(settings, images, folder)
    holds_training = model.state_paths(folder) or (folder / "checkpoint.json").exists()
    if state is None and holds_training and not fresh:
        fault = "a training of other settings or data: pass another --out, or --fresh"
        raise model.TrainingError(f"{relative(folder)} holds {fault}")
    trained = model.train(settings, images, folder, resume=state)
    best = trained.record["history"][trained.record["epoch"]]
    reached = f"mean validation recall {best['mean_recall']:.3f}"
    say(f"best epoch {best['epoch']} of {settings.epochs}, {reached}: {relative(folder)}")
    return 0


def fetch(
    dataset: Literal["flickr8k", "flickr30k"],
    to: Annotated[str | None, Option(help="folder, in place of data/DATASET")] = None,
    repo: Annotated[str | None, Option(help="another repository on the hub: owner/name")] = None,
):
    """Download Flickr8k or Flickr30k from the Hugging Face hub."""
    from clipsim.data.photographs.fetch import fetch as fetched

    folder = to or Path("data", dataset)
    print("\n".join(fetched(dataset, folder, repo)))
    words = ["clipsim", "run", "--profile", "flickr8k", "-p", f"data_root={folder}"]
    print(f"next: {shlex.join(words)}")
    return 0


def encode(
    folder: Annotated[Path, Argument(help="of pictures, with all folders in it")],
    out: Annotated[Path, Option(help="folder for the vectors; those in it are kept")],
    checkpoint: Checkpoint = None,
):
    """Encode a folder of pictures once, in as many processes as are started."""
    accelerator = model.study_accelerator()
    images = data.picture_folder(folder)
    _, encoder = pictures.loaded_model(checkpoint)
    stored = retrieval.encode(encoder, images, out, accelerator)
    if accelerator.is_main_process:
        n_before = len(stored.names) - stored.n_new
        counts = f"{stored.n_new:,} encoded now, {n_before:,} were there"
        print(f"{counts}, {len(stored.broken):,} broken: {relative(out)}")
        _say_broken(stored.broken)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return 0


def score(
    a: Annotated[str, Argument(help="a picture")],
    b: Annotated[str, Argument(help="another one")],
    threshold: Threshold = None,
    checkpoint: Checkpoint = None,
    pool: Pool = None,
    n: Descriptions = None,
    out: Annotated[Path | None, Option(help="picture of the answer: .png, .pdf")] = None,
    as_json: Json = False,
):
    """How alike two pictures are (Eq. 4), and which descriptions say so."""
    if out is not None and out.suffix.lower() not in CARDS:
        raise BadInput(f"--out {out}: its name must end in {' or '.join(CARDS)}")
    describer, knowledge, record = _described_by(checkpoint, pool, n, threshold)
    record |= pictures.compared(a, b, describer, knowledge) | _threshold_record(knowledge)
    if out is not None:
        pictures.write_card(record, out)
        record["out"] = str(out)
    _answer(record, None, as_json)
    return 0


def search(
    folder: Annotated[Path, Argument(help="searched with all folders in it")],
    text: Annotated[str | None, Argument(help="what the pictures should show")] = None,
    like: Annotated[str | None, Option(help="a picture, in place of a text")] = None,
    k: Annotated[int, Option("-k", min=1, help="how many pictures to list")] = 10,
    store: Store = None,
    threshold: Threshold = None,
    checkpoint: Checkpoint = None,
    pool: Pool = None,
    n: Descriptions = None,
    as_json: Json = False,
):
    """Find pictures in a folder by a text or by a picture."""
    text = text and data.cleaned(text, "TEXT")
    if bool(text) == bool(like):
        raise BadInput("search takes a TEXT that is not empty or --like PICTURE, one of the two")
    if text and threshold is not None:
        raise BadInput("--threshold judges pictures found with --like, not those of a text")
    describer, knowledge, record = _described_by(checkpoint, pool, n, threshold)
    index = pictures.PictureIndex(folder, describer, store)
    index.known = knowledge
    if text:
        rows = index.search(text, k)
        record |= {"text": text, "found": rows}
        if rows and rows[0]["fits"] is False:
            print(UNKNOWN_TEXT, file=sys.stderr)
        table = [["similarity", "picture", "its first description"]]
        table += [[f"{row['similarity']:.2f}", row["name"], row["description"]] for row in rows]
    else:
        record |= {"like": like, **_threshold_record(index.known), "found": index.like(like, k)}
        table = [["score", "", "picture", "the two descriptions closest to each other"]]
        for row in record["found"]:
            closest = f"{row['most'][0]['a']} | {row['most'][0]['b']}"
            table.append([f"{row['score']:.2f}", VERDICTS[row["alike"]], row["name"], closest])
    record |= {"n_pictures": len(index.names), "broken": index.broken}
    _answer(record, table, as_json)
    return 0


def graph(
    folder: Annotated[Path, Argument(help="read with all folders in it")],
    out: Annotated[Path | None, Option(help="file for the graph: .html, .graphml or .csv")] = None,
    store: Store = None,
    threshold: Threshold = None,
    checkpoint: Checkpoint = None,
    pool: Pool = None,
    n: Descriptions = None,
    as_json: Json = False,
):
    """Which pictures of a folder are alike, and their clusters."""
    writers = {".graphml": retrieval.write_graphml, ".csv": retrieval.write_edges, ".html": None}
    if out is not None and out.suffix.lower() not in writers:
        raise BadInput(f"--out {out}: its name must end in {' or '.join(writers)}")
    describer, knowledge, record = _described_by(checkpoint, pool, n, threshold)
    if knowledge["threshold"] is None:
        raise BadInput(_threshold_words(knowledge))
    index = pictures.PictureIndex(folder, describer, store)
    found, alike = index.retrieval, index.graph(knowledge["threshold"])
    communities = retrieval.community_labels(alike, describer.profile.seed)
    record |= _threshold_record(knowledge) | {
        "n_pictures": len(index.names),
        "n_edges": alike.number_of_edges(),
        "components": pictures.clusters(found, retrieval.component_labels(alike)),
        "communities": pictures.clusters(found, communities),
        "broken": index.broken,
    }
    if out is not None:
        if out.suffix.lower() == ".html":
            pictures.write_graph_page(index, knowledge["threshold"], out)
        else:
            writers[out.suffix.lower()](alike, out)
        record["out"] = str(out)
    table = [["pictures", "typical description", f"the first {SHOWN} of the community"]]
    for group in record["communities"]:
        names = group["names"]
        if len(names) > 1:
            table.append([f"{len(names):,}", group["typical"], ", ".join(names[:SHOWN])])
    _answer(record, table, as_json)
    return 0


def shipped(
    make: Annotated[
        Path | None, Option(help="Flickr8k's folder: train the model and write it anew")
    ] = None,
):
    """What the model that ships is: its data, recipe, accuracy and terms."""
    if make is not None:
        from clipsim.pictures.shipped import make_shipped

        make_shipped(make)
    record = model.checkpoint_record(pictures.SHIPPED)
    recipe = [[key, str(record["profile"][key])] for key in (*SETTINGS, "seed")]
    table = [[], ["terms", record["terms"]], ["weights", record["sha256"][:12]], *recipe]
    for row in record["measured"]["table1"]:
        low, high = row["auc_ci95"]
        area = f"AUC {row['auc']:.3f} [{low:.3f}, {high:.3f}], ρ {row['spearman']:.3f}"
        table.append([f"{row['source']}, {row['metric']}", f"{area}, {row['n_pairs']:,} pairs"])
    _print_table(table)
    print(_threshold_words(record["known"]))
    return 0


def _described_by(checkpoint, pool, n, threshold):
    """The `Describer` that the options choose, what it knows, and the start of a record."""
    if threshold is not None and not math.isfinite(threshold):
        raise BadInput(f"--threshold {threshold}: expected a number")
    describer = pictures.own_describer(checkpoint, pool, n)
    knowledge, profile = pictures.known(describer), describer.profile
    if threshold is not None:
        knowledge |= {"threshold": threshold, "threshold_from": "--threshold"}
    made_by = {
        "checkpoint": str(relative(checkpoint or pictures.SHIPPED)),
        "profile": profile.name,
        "fingerprint": describer.model.fingerprint,
        "pool": profile.pool_file or profile.pool,
        "pool_size": len(describer.index.captions),
    }
    record = {"model": made_by | {key: getattr(profile, key) for key in SETTINGS}}
    return describer, knowledge, record


def _threshold_record(knowledge):
    return {key: knowledge[key] for key in ("threshold", "threshold_from")}


def _answer(record, table, as_json):
    """Print a record for programs, or a table for people; the broken pictures on stderr.

    Without a table, the record is that of two pictures.
    """
    _say_broken(record.get("broken", {}))
    if as_json:
        print(json.dumps(record, indent=1, allow_nan=False))  # ASCII: every terminal can show it
        return
    if table:
        _print_table(table)
    else:
        _print_pair(record)
    print()
    for key, words in (("n_pictures", "pictures"), ("n_edges", "pairs alike"), ("out", "written")):
        if key in record:
            print(f"{words}: {_printable(record[key])}")
    if "threshold" in record:
        print(_threshold_words(record))
    used = record["model"]
    pool = f"N = {used['n_descriptions']} of {used['pool_size']:,} descriptions"
    print(f"model {_printable(used['checkpoint'])}; {pool}")


def _threshold_words(record):
    if record["threshold"] is None:
        return f"no threshold: {record['threshold_from']}; pass --threshold"
    return f"threshold {record['threshold']:.2f}: {record['threshold_from']}"


def _print_pair(record):
    print(f"score {record['score']:.2f}: {VERDICTS[record['alike']]}".removesuffix(": "))
    if (share := record["share_alike"]) is not None:
        print(f"of caption-judged pairs with such a score {share:.0%} were similar")
    print(f"image cosine {record['image_cosine']:.2f}")
    for picture in record["pictures"]:
        doubt = UNKNOWN_PICTURE if picture["fits"] is False else ""
        print(f"\n{_printable(picture['name'])}{doubt}")
        shown = picture["descriptions"][:SHOWN]
        _print_table([[], *([f"{row['similarity']:7.2f}", row["text"]] for row in shown)])
    for which, words in (("most", "raise the score most"), ("least", "lower it most")):
        print(f"\nthe pairs of descriptions that {words} (cosine)")
        lines = [([f"{row['cosine']:7.2f}", row["a"]], ["", row["b"]]) for row in record[which]]
        _print_table([[], *chain.from_iterable(lines)])


def _print_table(rows):
    """Rows below a first one of headings, folded to a terminal's width; whole lines in a file."""
    head, *rows = rows
    table = Table(*head, box=None, pad_edge=False, show_header=bool(head))
    for row in rows:
        table.add_row(*map(_printable, row))
    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _say_broken(broken):
    for reason in broken.values():
        print(_printable(reason), file=sys.stderr)
    if broken:
        print(f"broken pictures left out: {len(broken):,}", file=sys.stderr)


def _printable(text):
    """`text` as one line: control characters, and what is no Unicode, as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
