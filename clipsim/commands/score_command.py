"""The command `score`: how alike pictures are (Eq. 4), and which descriptions decided it."""

from pathlib import Path

import numpy as np

import clipsim.commands.picture_options as options
from clipsim.data import BadImageError, DataError
from clipsim.pictures import deciding_pairs, described, descriptions, encoded_files, whole_path

SHOWN = 5  # descriptions of a picture, and pairs of descriptions
SHOWN_OF_MANY = 1  # pairs of descriptions of each of many pairs of pictures


def add_arguments(parser):
    """Add the arguments of `score` to an argument parser."""
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="PICTURE",
        help="two picture files; of more, all pairs are scored",
    )
    parser.add_argument(
        "-k", type=options.positive, metavar="K", help="only the K most alike pairs (default: all)"
    )
    options.add_threshold_argument(parser)
    options.add_model_arguments(parser)


def run(args):
    """Score all pairs of the pictures; 0 when done, 2 when one of them is broken."""
    _check(args.pictures)
    checkpoint, describer = options.chosen_describer(args)
    threshold = options.chosen_threshold(args, describer)
    encoded = encoded_files(describer.model, args.pictures)
    readable = [name for name in args.pictures if whole_path(name) not in encoded.broken]
    if len(readable) < 2:
        raise BadImageError("; ".join(encoded.broken.values()))
    retrieval = described(describer, encoded)
    rows = retrieval.rows([whole_path(name) for name in readable])
    pairs = _best_pairs(retrieval.sums(describer.profile.normalisation)[rows], args.k)
    shown = SHOWN if len(pairs) == 1 else SHOWN_OF_MANY
    record = {
        "model": options.model_record(checkpoint, describer),
        "threshold": threshold.value,
        "threshold_from": threshold.origin,
        "pictures": [
            {"name": name, "descriptions": descriptions(retrieval, row)}
            for name, row in zip(readable, rows, strict=True)
        ],
        "pairs": [
            {"a": readable[i], "b": readable[j], "score": score}
            | {"alike": options.is_alike(score, threshold)}
            | deciding_pairs(retrieval, retrieval, rows[i], rows[j], shown)
            for i, j, score in pairs
        ],
        "broken": encoded.broken,
    }
    options.say_broken(encoded.broken)
    if args.json:
        options.print_json(record)
    else:
        _print_one(record) if len(pairs) == 1 else _print_many(record)
        print(f"\n{options.threshold_words(threshold)}")
        print(options.model_words(checkpoint, describer))
    return 2 if encoded.broken else 0


def _check(names):
    for name in names:
        path = Path(whole_path(name))
        if path.is_dir():
            raise DataError(
                f"{name} is a folder: `search {name} --like PICTURE` scores one picture against "
                f"all in it, `graph {name}` scores all pairs"
            )
        path.stat()  # a file that is not there is an error of its own
    if len(names) < 2:
        raise DataError("score needs two pictures or more")


def _best_pairs(sums, k):
    rows, columns = np.triu_indices(len(sums), 1)
    scores = (sums @ sums.T)[rows, columns]
    best = np.argsort(-scores, kind="stable")[:k]
    return [(int(rows[p]), int(columns[p]), float(scores[p])) for p in best]


def _print_one(record):
    (pair,) = record["pairs"]
    print(": ".join(filter(None, [f"score {pair['score']:.2f}", options.verdict(pair["alike"])])))
    for picture in record["pictures"]:
        print(f"\n{options.printable(picture['name'])}")
        shown = picture["descriptions"][:SHOWN]
        options.print_table([(f"  {row['similarity']:5.2f}", row["text"]) for row in shown])
    for which, words in (("most", "raise the score most"), ("least", "lower it most")):
        print(f"\nthe pairs of descriptions that {words} (cosine)")
        lines = [((f"  {r['cosine']:5.2f}", r["a"]), ("", r["b"])) for r in pair[which]]
        options.print_table([line for both in lines for line in both])


def _print_many(record):
    head = ("score", "", "picture", "picture", "their two descriptions closest to each other")
    rows = []
    for pair in record["pairs"]:
        verdict, closest = options.verdict(pair["alike"]), pair["most"][0]
        both = f"{closest['a']} | {closest['b']}"
        rows.append((f"{pair['score']:5.2f}", verdict, pair["a"], pair["b"], both))
    options.print_table(rows, head)
