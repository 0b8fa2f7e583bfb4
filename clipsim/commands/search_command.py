"""The command `search`: the pictures of a folder that fit a text, or are like another picture."""

from pathlib import Path

import clipsim.commands.picture_options as options
from clipsim.data import BadImageError, DataError
from clipsim.pictures import (
    best_for_text,
    deciding_pairs,
    described,
    descriptions,
    encoded_files,
    encoded_folder,
    most_alike,
    whole_path,
)

SHOWN = 10


def add_arguments(parser):
    """Add the arguments of `search` to an argument parser."""
    parser.add_argument("folder", metavar="FOLDER", help="searched with all folders in it")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("text", nargs="?", metavar="TEXT", help="what the pictures should show")
    what.add_argument("--like", metavar="PICTURE", help="a picture, in the folder or elsewhere")
    parser.add_argument(
        "-k",
        type=options.positive,
        default=SHOWN,
        metavar="K",
        help=f"how many pictures to list (default: {SHOWN})",
    )
    options.add_store_argument(parser)
    options.add_threshold_argument(parser)
    options.add_model_arguments(parser)


def run(args):
    """List the pictures found, the best first; 0 when done."""
    if args.text is not None and not args.text.strip():
        raise DataError("TEXT is empty: say what the pictures should show")
    if args.like is None and args.threshold is not None:
        raise DataError("--threshold judges pictures found with --like, not those of a text")
    if args.like is not None:
        Path(whole_path(args.like)).stat()  # a file that is not there is an error of its own
    checkpoint, describer = options.chosen_describer(args)
    threshold = options.chosen_threshold(args, describer)
    query = None if args.like is None else _query(describer, args.like)
    encoded = encoded_folder(describer.model, args.folder, args.store)
    retrieval = described(describer, encoded)
    if query is None:
        asked = {"text": args.text}
        found = _fitting(describer, retrieval, args)
    else:
        asked = {"like": args.like, "threshold": threshold.value}
        asked["threshold_from"] = threshold.origin
        found = _alike(describer, retrieval, query, args, threshold)
    record = {
        "model": options.model_record(checkpoint, describer),
        **asked,
        "n_pictures": len(encoded.names),
        "found": found,
        "broken": encoded.broken,
    }
    options.say_broken(encoded.broken)
    if args.json:
        options.print_json(record)
        return 0
    _print_fitting(found) if query is None else _print_alike(found)
    print(
        f"\n{options.counted(len(encoded.names), 'picture')} in {options.printable(args.folder)}"
    )
    if query is not None:
        print(options.threshold_words(threshold))
    print(options.model_words(checkpoint, describer))
    return 0


def _query(describer, name):
    encoded = encoded_files(describer.model, [name])
    if encoded.broken:
        raise BadImageError(*encoded.broken.values())
    return described(describer, encoded)


def _fitting(describer, retrieval, args):
    positions, similarities = best_for_text(describer, retrieval, args.text, args.k)
    return [
        {
            "name": str(retrieval.image_ids[i]),
            "similarity": float(similarity),
            "description": descriptions(retrieval, i)[0]["text"],
        }
        for i, similarity in zip(positions, similarities, strict=True)
    ]


def _alike(describer, retrieval, query, args, threshold):
    positions, scores = most_alike(retrieval, query, describer.profile.normalisation, args.k + 1)
    found = [
        {"name": str(retrieval.image_ids[i]), "score": float(score)}
        | {"alike": options.is_alike(score, threshold)}
        | deciding_pairs(query, retrieval, 0, i, 1)
        for i, score in zip(positions, scores, strict=True)
        # The picture asked about may lie in the folder; it is not its own neighbour.
        if whole_path(Path(args.folder, retrieval.image_ids[i])) != whole_path(args.like)
    ]
    return found[: args.k]


def _print_fitting(found):
    rows = [(f"{row['similarity']:10.2f}", row["name"], row["description"]) for row in found]
    options.print_table(rows, ("similarity", "picture", "its first description"))


def _print_alike(found):
    head = ("score", "", "picture", "the two descriptions closest to each other")
    rows = []
    for row in found:
        closest = row["most"][0]
        both = f"{closest['a']} | {closest['b']}"
        rows.append((f"{row['score']:5.2f}", options.verdict(row["alike"]), row["name"], both))
    options.print_table(rows, head)
