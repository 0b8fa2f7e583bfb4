"""Profiles: one YAML file decides everything that runs; its hash names the run.

A profile is read into a frozen, validated `Profile`. Keys that only say where things are
(`PLACES`) or how the work is done (`CONDUCT`) do not change what is computed and are left out of
the hash; the data found there are identified by their own fingerprint
(`CaptionedImages.fingerprint`).

Where things live: every path is relative to the repository, never to the caller's folder.
"""

import dataclasses
import difflib
import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from clipsim.errors import BadInput

REPOSITORY = Path(__file__).resolve().parent.parent
PROFILES = REPOSITORY / "profiles"
NOTEBOOKS = REPOSITORY / "notebooks"
RUNS = REPOSITORY / "runs"
CACHE = RUNS / "cache"
WORK = "work"  # in the folder of a run: what the notebooks hand on


def relative(path):
    """`path` as a reader should see it: inside the repository relative to it, else whole."""
    path = Path(path)
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


ENCODERS = {
    "offline": ("efficientnet_lite0", "minilm"),
    "paper": ("resnet50", "bert-base-uncased"),
    "tiny": ("tiny", "tiny"),
}
PLACES = ("data_root", "pool_file", "output_root")
CONDUCT = ("workers", "save_every", "keep", "study")

Count = Annotated[int, Field(ge=1)]
Amount = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class ProfileError(BadInput, ValueError):
    """A profile or an override that cannot be used; the message is one line."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Profile:
    """Every setting of a run. The profiles' YAML files say why each value was chosen."""

    name: str
    seed: Amount = 0
    output_root: str | None = None  # a folder for all that a run writes; None: see `results_dir`
    # data
    dataset: Literal["openmoji", "photographs"]
    data_root: str | None = None
    on_bad_image: Literal["error", "skip"] = "error"
    max_bad_rows: Fraction = 0.01
    max_images: Count | None = None
    merge: bool = True
    n_train_scenes: Count = 3000
    pairs: Literal["scenes", "captions", "human"]
    n_pairs: Annotated[int, Field(ge=8)] = 400
    # encoders
    encoders: Literal["offline", "paper", "tiny"] = "offline"
    image_encoder: str | None = None
    text_encoder: str | None = None
    weights: Literal["pretrained", "random"] = "pretrained"
    text_pooling: Literal["mean", "cls"] = "mean"
    max_tokens: Annotated[int, Field(ge=3, le=256)] = 256
    head: Literal["linear", "residual"] = "residual"
    embedding_dim: Count = 256
    dropout: Fraction = 0.1
    # training
    trainable: Literal["projections", "all"] = "projections"
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: Amount = 0
    batch_size: Annotated[int, Field(ge=2)] = 128  # of each process
    gradient_accumulation: Count = 1  # batches to a step; each is contrasted with itself alone
    max_gradient_norm: Positive | None = None
    epochs: Count = 20
    captions_per_epoch: Literal["one", "all"] = "one"
    temperature: Positive = 0.07
    false_negatives: Literal["masked", "kept"] = "masked"  # of a batch: equal content or captions
    mixed_precision: Literal["no", "bf16"] = "no"  # in a file with its quotes: "no"
    batch_norm: Literal["frozen", "train"] = "frozen"  # with trainable: all
    workers: Amount = 0  # processes that read pictures ahead, with trainable: all
    save_every: Count | None = None  # steps between training states; None: each epoch
    keep: Count = 2  # training states kept
    study: Literal["recipes"] | None = None  # what notebook 02's appendix runs
    # retrieval and Eq. 4
    pool: Literal["train", "all_train_captions", "composed", "file"] = "train"
    pool_file: str | None = None
    n_descriptions: Count = 10
    vector_space: Literal["joint", "text"] = "joint"
    normalisation: Literal["mean", "paper"] = "mean"
    # evaluation
    threshold_criterion: Literal["accuracy", "balanced_accuracy"] = "accuracy"
    n_bootstrap: Count = 1000
    n_seeds: Count = 5  # trainings whose spread is reported

    def __post_init__(self):
        image, text = ENCODERS[self.encoders]
        object.__setattr__(self, "image_encoder", self.image_encoder or image)
        object.__setattr__(self, "text_encoder", self.text_encoder or text)
        if self.dataset == "photographs" and self.pairs == "scenes":
            raise ValueError("pairs: scenes needs dataset: openmoji")
        if self.dataset == "openmoji" and self.pairs != "scenes":
            raise ValueError(f"pairs: {self.pairs} needs dataset: photographs")
        if self.pool_file is not None and self.pool != "file":
            raise ValueError("pool_file needs pool: file")

    @property
    def settings(self):
        """What is computed, as a dict of plain values: all keys but `PLACES` and `CONDUCT`."""
        left_out = PLACES + CONDUCT
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in left_out}

    @property
    def hash(self):
        """Hexadecimal sha256 of `settings`."""
        text = json.dumps(self.settings, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_pristine(self):
        """Whether this is the committed profile of its name, without overrides."""
        path = PROFILES / f"{self.name}.yaml"
        return path.is_file() and _profile(path, {}).hash == self.hash

    @property
    def run_dir(self):
        """Folder of this run: runs/<name>, or runs/<name>-<hash> with overrides.

        An `output_root` takes the place of runs/.
        """
        runs = RUNS if self.output_root is None else Path(self.output_root)
        return runs / (self.name if self.is_pristine else f"{self.name}-{self.hash[:8]}")

    @property
    def work_dir(self):
        """Folder of what the notebooks hand on (checkpoint, retrieval, pair scores)."""
        return self.run_dir / WORK / self.hash[:8]

    @property
    def results_dir(self):
        """Folder of the results JSON; the committed one only for a pristine profile.

        In `run_dir` with overrides, and wherever an `output_root` is given.
        """
        return self._outcome_dir / "results" / self.name

    @property
    def figures_dir(self):
        """Folder of the figures; as `results_dir`."""
        return self._outcome_dir / "figures" / self.name

    @property
    def pages_dir(self):
        """Folder of the notebooks as Markdown; as `results_dir`."""
        return self._outcome_dir / "docs" / self.name

    @property
    def _outcome_dir(self):
        is_committed = self.is_pristine and self.output_root is None
        return REPOSITORY if is_committed else self.run_dir


def load_profile(name_or_path, /, **overrides):
    """Read and validate a profile.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a file under `profiles/`, or the path of a YAML file.
    **overrides
        Values that replace the file's; same keys, same types.

    Returns
    -------
    Profile

    Raises
    ------
    ProfileError
        Unknown profile or key, or a value of the wrong type; one line says which.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = PROFILES / f"{name_or_path}.yaml"
    return _profile(path, overrides)


def read_overrides(items, folder="."):
    """Overrides from a command line.

    Parameters
    ----------
    items : iterable of str
        Each `key=value`; `null` is no value.
    folder : str or Path
        Where relative paths (the keys in `PLACES`) start.

    Returns
    -------
    dict of str to str or None
        For `load_profile`, which checks keys and reads values as the keys' types.

    Raises
    ------
    ProfileError
        An item that is not `key=value`.
    """
    overrides, folder = {}, Path(folder)
    for item in items:
        key, equals, text = (part.strip() for part in item.partition("="))
        if not (key and equals):
            raise ProfileError(f"-p {item}: expected key=value")
        if text in ("", "~", "null"):
            overrides[key] = None
        elif key in PLACES:
            overrides[key] = os.path.abspath(folder / Path(text).expanduser())
        else:
            overrides[key] = text
    return overrides


def _profile(path, overrides):
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in PROFILES.glob("*.yaml")))
        raise ProfileError(f"profile {path.stem!r} not found ({path}); known: {known}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ProfileError(f"profile {path} cannot be read: {reason}") from None
    if not isinstance(settings, dict):
        raise ProfileError(f"profile {path}: expected keys and values")
    known = {field.name for field in dataclasses.fields(Profile)} - {"name"}
    for source, keys in ((path.name, settings), ("override", overrides)):
        for key in keys:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ProfileError(f"{source}: unknown key {key!r}{hint}")
    try:
        return Profile(name=path.stem, **(settings | overrides))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        got = f"{where}={first['input']!r}: " if where else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise ProfileError(f"profile {path.stem}: {got}{reason}") from None
