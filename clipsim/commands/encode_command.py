"""The command `encode`: the vectors of a folder of pictures, or of descriptions, kept in a store.

`accelerate launch -m clipsim encode FOLDER --out STORE` shares the work out over several GPUs or
machines, and `torchrun --nproc_per_node 2 -m clipsim encode …` over several processes of a CPU;
all of them must see both folders. Interrupted, it goes on where it was when it is run again.
"""

from pathlib import Path

from clipsim.commands.picture_options import say_broken
from clipsim.data import DataError, file_pool, picture_folder
from clipsim.model import DualEncoder, study_accelerator
from clipsim.pictures import add_checkpoint_argument, checkpoint_profile, chosen_checkpoint
from clipsim.profile import relative
from clipsim.retrieval import encode


def add_arguments(parser):
    """Add the options of `encode` to an argument parser."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="a folder of pictures, with all folders below it; or a text file with one "
        "description per line",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="STORE",
        help="folder that keeps the vectors; what it holds already is not encoded again",
    )
    add_checkpoint_argument(parser)


def run(args):
    """Encode what is missing, and say how much it was; 0 when done."""
    accelerator = study_accelerator()
    is_main = accelerator.is_main_process
    source = encoded_source(args.source)
    announce = None if is_main else lambda line: None
    checkpoint = chosen_checkpoint(args.checkpoint, announce)
    model = DualEncoder.load(checkpoint, checkpoint_profile(checkpoint))
    stored = encode(model, source, args.out, accelerator)
    if is_main:
        _report(stored, args)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return 0


def encoded_source(path):
    """What a path holds: `CaptionedImages` of a folder, or the descriptions of a text file.

    Raises
    ------
    DataError
        If it is neither, or nothing is in it.
    """
    if path.is_dir():
        return picture_folder(path)
    if path.exists():
        return file_pool(path)
    raise DataError(f"{path}: there is no such folder of pictures, nor file of descriptions")


def _report(stored, args):
    what = "pictures" if args.source.is_dir() else "descriptions"
    print(
        f"{what}: {stored.n_new:,} encoded now, {len(stored.names) - stored.n_new:,} were there, "
        f"{len(stored.broken):,} broken: {relative(args.out)}"
    )
    if stored.n_dropped:
        print(f"{stored.n_dropped:,} were there and are not in {args.source}: dropped")
    say_broken(stored.broken)
