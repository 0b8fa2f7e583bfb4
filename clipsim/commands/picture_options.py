"""What the commands on pictures of one's own share: options, and how they say what they found."""

import json
import math
import sys

from clipsim.pictures import (
    Threshold,
    add_checkpoint_argument,
    chosen_checkpoint,
    held_out_threshold,
    own_describer,
)
from clipsim.profile import relative

NAMED_AT_MOST = 100


def add_model_arguments(parser):
    """Add the options that choose the model, its descriptions and the form of the output."""
    add_checkpoint_argument(parser)
    parser.add_argument(
        "--pool",
        metavar="FILE",
        help="descriptions to choose from, one per line (default: the model's training captions)",
    )
    parser.add_argument(
        "-n",
        type=positive,
        metavar="N",
        help="descriptions per picture (default: that of the model's profile)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, for programs; all else goes to stderr"
    )


def add_threshold_argument(parser):
    """Add `--threshold`."""
    parser.add_argument(
        "--threshold",
        type=finite,
        metavar="T",
        help="pictures that score T or more are alike (default: the one that notebook 05 chose "
        "for this model)",
    )


def add_store_argument(parser):
    """Add `--store`."""
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="a folder that `encode` filled from the same pictures (default: one in the cache)",
    )


def positive(text):
    """A whole number from 1 on, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def finite(text):
    """A number, for argparse."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def chosen_describer(args):
    """The folder of the model that the options choose, and its `Describer`."""
    checkpoint = chosen_checkpoint(args.checkpoint)
    return checkpoint, own_describer(checkpoint, args.pool, args.n)


def chosen_threshold(args, describer):
    """The `Threshold` that the options choose."""
    if args.threshold is not None:
        return Threshold(args.threshold, "--threshold")
    return held_out_threshold(describer)


def threshold_words(threshold):
    """A `Threshold` in words."""
    if threshold.value is None:
        return f"no threshold: {threshold.origin}; pass --threshold"
    return f"threshold {threshold.value:.2f}: {threshold.origin}"


def verdict(alike):
    """A verdict in a word; "" where there is none."""
    return {None: "", True: "alike", False: "different"}[alike]


def is_alike(score, threshold):
    """Whether a score says that two pictures are alike; None without a threshold."""
    return None if threshold.value is None else bool(score >= threshold.value)


def model_record(checkpoint, describer):
    """What made the scores, for programs."""
    profile = describer.profile
    return {
        "checkpoint": str(relative(checkpoint)),
        "profile": profile.name,
        "fingerprint": describer.model.fingerprint,
        "pool": profile.pool_file or profile.pool,
        "pool_size": len(describer.index.captions),
        "n_descriptions": profile.n_descriptions,
        "normalisation": profile.normalisation,
        "vector_space": profile.vector_space,
    }


def model_words(checkpoint, describer):
    """What made the scores, in one line."""
    profile = describer.profile
    return (
        f"model {printable(relative(checkpoint))}; N = {profile.n_descriptions} of "
        f"{len(describer.index.captions):,} descriptions"
    )


def say_broken(broken):
    """Name the pictures that could not be read, the first `NAMED_AT_MOST` of them, on stderr."""
    for reason in list(broken.values())[:NAMED_AT_MOST]:
        print(printable(reason), file=sys.stderr)
    if broken:
        more = len(broken) - NAMED_AT_MOST
        also = f" ({more:,} more than these)" if more > 0 else ""
        print(f"left out: {counted(len(broken), 'broken picture')}{also}", file=sys.stderr)


def print_json(record):
    """Print a record as JSON in plain ASCII, which every terminal and program can read."""
    print(json.dumps(record, indent=1, allow_nan=False))


def print_table(rows, head=()):
    """Print rows of text in columns as wide as their widest cells, the last one as it is."""
    rows = [[printable(cell) for cell in row] for row in [*filter(None, [head]), *rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def printable(text):
    """`text` as one line: control characters, and what is no Unicode, as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def counted(number, noun):
    """A number with its noun: "1 picture", "2,000 pictures"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
