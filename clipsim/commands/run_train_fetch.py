"""The commands `run`, `train` and `fetch`: the study's notebooks, its model, its photographs.

`accelerate launch -m clipsim train …` trains on several GPUs or machines, and
`torchrun --nproc_per_node 2 -m clipsim train …` in several processes of a CPU; the run folder must
then be one that all of them see.
"""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from clipsim import data, evaluation, model, report
from clipsim.errors import BadInput
from clipsim.profile import load_profile, read_overrides, relative

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
):
    """Execute the notebooks of a profile."""
    if sum(map(bool, (first, only, list_only))) > 1:
        raise BadInput("--from, --only and --list exclude each other: pass one of them")
    return report.run_notebooks(
        profile, overrides or (), first=first, only=only or (), list_only=list_only, check=check
    )


def train(
    state: Annotated[Path | None, Argument(help="with --resume: not from the newest")] = None,
    profile: Profile = "demo",
    overrides: Overrides = None,
    out: Annotated[Path | None, Option(help="in place of where notebook 02 looks")] = None,
    resume: Annotated[bool, Option("--resume", help="go on where it was interrupted")] = False,
    fresh: Annotated[bool, Option("--fresh", help="anew, whatever the folder holds")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="time a few steps, say, stop")] = False,
):
    """Train the model of a profile."""
    if resume + fresh + dry_run > 1:
        raise BadInput("--resume, --fresh and --dry-run exclude each other: pass one of them")
    if state is not None and not resume:
        raise BadInput(f"{state}: to go on from this training state pass --resume {state}")
    settings = load_profile(profile, **read_overrides(overrides or ()))
    images = data.load(settings)
    folder = out or evaluation.checkpoint_folder(settings)
    say = model.study_accelerator().print  # once, whatever the number of processes
    if dry_run:
        say(model.training_estimate(settings, images, folder))
        return 0
    if not (fresh or resume or evaluation.checkpoint_fault(settings, images, folder)):
        say(f"already trained: {relative(folder)} (--fresh trains anew)")
        return 0
    if not fresh:
        state = state or _state_to_resume(settings, images, folder, resume)
    trained = model.train(settings, images, folder, resume=state)
    best = trained.record["history"][trained.record["epoch"]]
    reached = f"mean validation recall {best['mean_recall']:.3f}"
    say(f"best epoch {best['epoch']} of {settings.epochs}, {reached}: {relative(folder)}")
    return 0


def _state_to_resume(profile, images, folder, resume):
    """The newest state where `--resume` asks for it; what else the folder holds is kept."""
    state = model.resumable(profile, images, folder)
    if resume and state is None:
        fault = "no interrupted training of these settings and data: leave --resume out"
    elif resume:
        return state
    elif state is not None:
        fault = f"an interrupted training ({state.stem}): pass --resume to go on, or --fresh"
    elif model.state_paths(folder) or (folder / "checkpoint.json").exists():
        fault = "a training of other settings or data: pass another --out, or --fresh"
    else:
        return None
    raise model.TrainingError(f"{relative(folder)} holds {fault}")


def fetch(
    dataset: Literal["flickr8k", "flickr30k"],
    to: Annotated[str | None, Option(help="folder, in place of data/DATASET")] = None,
    repo: Annotated[str | None, Option(help="another repository on the hub: owner/name")] = None,
    revision: Annotated[str | None, Option(help="branch, tag or commit, not main")] = None,
):
    """Download Flickr8k or Flickr30k from the Hugging Face hub."""
    from clipsim.data.photographs.fetch import fetch as fetched

    folder = to or Path("data", dataset)
    print("\n".join(fetched(dataset, folder, repo, revision or "main")))
    words = ["clipsim", "run", "--profile", "flickr8k", "-p", f"data_root={folder}"]
    print(f"next: {shlex.join(words)}")
    return 0
