"""The command `train`: train a profile's model, go on with an interrupted training, or estimate.

`accelerate launch -m clipsim train …` runs it on several GPUs or machines, and
`torchrun --nproc_per_node 2 -m clipsim train …` on several processes of a CPU; the run folder must
then be one that all of them see.
"""

from pathlib import Path

from accelerate import PartialState

from clipsim.data import load
from clipsim.evaluation import checkpoint_fault, checkpoint_folder
from clipsim.model import TrainingError, resumable, state_paths, train, training_estimate
from clipsim.profile import load_profile, relative
from clipsim.report import add_profile_arguments, profile_arguments

NEWEST = Path("newest")


def add_arguments(parser):
    """Add the options of `train` to an argument parser."""
    add_profile_arguments(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the checkpoint goes (default: where notebook 02 looks for it)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--resume",
        type=Path,
        nargs="?",
        const=NEWEST,
        metavar="STATE",
        help="go on with an interrupted training, from its newest state or the one named",
    )
    how.add_argument("--fresh", action="store_true", help="train anew, whatever the folder holds")
    how.add_argument(
        "--dry-run", action="store_true", help="time a few steps, print the estimate and stop"
    )


def run(args):
    """Train, and say where the model is; 0 when done."""
    name, overrides = profile_arguments(args)
    profile = load_profile(name, **overrides)
    images = load(profile)
    folder = args.out or checkpoint_folder(profile)
    if args.dry_run:
        estimate = training_estimate(profile, images, folder)
        PartialState().print(estimate)
        return 0
    if not args.fresh and args.resume is None and not checkpoint_fault(profile, images, folder):
        PartialState().print(f"already trained: {relative(folder)} (--fresh trains anew)")
        return 0
    model = train(profile, images, folder, resume=_state(args, profile, images, folder))
    best = model.record["history"][model.record["epoch"]]
    PartialState().print(
        f"best epoch {best['epoch']} of {profile.epochs}, mean validation recall "
        f"{best['mean_recall']:.3f}: {relative(folder)}"
    )
    return 0


def _state(args, profile, images, folder):
    """The training state that the options ask for, or None."""
    if args.fresh:
        return None
    if args.resume not in (None, NEWEST):
        return args.resume
    state = resumable(profile, images, folder)
    if args.resume is None and state is not None:
        raise TrainingError(
            f"{relative(folder)} holds an interrupted training ({state.stem}): pass --resume to "
            "go on, or --fresh to start anew"
        )
    if args.resume is None and (state_paths(folder) or (folder / "checkpoint.json").exists()):
        raise TrainingError(
            f"{relative(folder)} holds a training of other settings or data: pass another --out, "
            "or --fresh to replace it"
        )
    if args.resume is NEWEST and state is None:
        raise TrainingError(
            f"{relative(folder)} holds no interrupted training of these settings and data: "
            "leave --resume out to start one"
        )
    return state
