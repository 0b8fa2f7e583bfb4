"""Which training recipe works best: the paper's against ours, one change at a time.

The paper trains every weight; on a CPU that is affordable for few images only, so all recipes
are compared on the same small part of the data, and ours, which trains the projections alone,
on all of it too. Every training is kept, so that the study can be interrupted.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from clipsim.evaluation import train_or_load
from clipsim.record import StaleError, read_results

STEM = "02_recipes"
N_TRAIN, N_VAL = 120, 80  # images of the small part
PAPER = {  # sec. 4; what it leaves open (head, batch statistics) is as in the profile `paper`
    "trainable": "all",
    "head": "linear",
    "optimizer": "adam",
    "learning_rate": 1e-5,
    "weight_decay": 0.0,
    "schedule": "constant",
    "batch_size": 5,
    "epochs": 5,
    "captions_per_epoch": "one",
    "batch_norm": "frozen",
    "warmup_steps": 0,
    "gradient_accumulation": 1,
    "max_gradient_norm": None,
    "mixed_precision": "bf16",  # a deviation, for speed
}
EVERYTHING_TRAINED = {
    "the paper's": PAPER,
    "the paper's, batch statistics trained": PAPER | {"batch_norm": "train"},
}
PROJECTIONS = {
    "ours": {},
    "ours, all captions each epoch": {"captions_per_epoch": "all"},
    "ours, batch 5": {"batch_size": 5},
    "ours, batch 64": {"batch_size": 64},
    "ours, linear head": {"head": "linear"},
    "ours, constant rate": {"schedule": "constant"},
    "ours, temperature from 0.02": {"temperature": 0.02},
    "ours, rate 1e-5": {"learning_rate": 1e-5},
}
ON_ALL = ("ours",)  # on the whole data, too


def recipe_study(profile, images):
    """Train every recipe from `n_seeds` seeds.

    Parameters
    ----------
    profile : Profile
        Its own recipe is "ours"; only the keys that a recipe names depart from it.
    images : CaptionedImages

    Returns
    -------
    pandas.DataFrame
        A row per recipe, data and seed: `recipe`, `n_train`, `n_val`, `seed`, `steps`,
        `best_epoch`, `mean_recall` (of the best epoch, on validation images) and `untrained`
        (before training). A batch is at most all training images.
    """
    part = images.subset(
        np.concatenate([images.indices("train")[:N_TRAIN], images.indices("val")[:N_VAL]])
    )
    plan = [(name, part) for name in PROJECTIONS | EVERYTHING_TRAINED]
    plan += [(name, images) for name in ON_ALL]
    seeds = range(profile.seed, profile.seed + profile.n_seeds)
    trainings = [(name, data, seed) for seed in seeds for name, data in plan]
    rows = [_row(profile, name, data, seed) for name, data, seed in tqdm(trainings, "recipes")]
    return pd.DataFrame(rows).sort_values(["n_train", "recipe", "seed"], ignore_index=True)


def recipe_summary(rows):
    """Mean and standard deviation over seeds: a row per data and recipe, the best first."""
    groups = rows.groupby(["n_train", "recipe"])
    summary = groups.mean_recall.agg(["mean", "std", "min", "max", "count"])
    summary = summary.join(groups[["untrained", "steps", "best_epoch"]].mean())
    summary = summary.rename(columns={"count": "seeds"}).reset_index()
    return summary.sort_values(["n_train", "mean"], ascending=False, ignore_index=True)


def recorded_recipes(profile):
    """The rows of an earlier `recipe_study` of this very profile; None if there are none."""
    try:
        return pd.DataFrame(read_results(profile, STEM)["rows"])
    except StaleError:
        return None


def _row(profile, name, data, seed):
    recipe = (PROJECTIONS | EVERYTHING_TRAINED)[name]
    n_train = len(data.indices("train"))
    batch_size = min(recipe.get("batch_size", profile.batch_size), n_train)
    varied = replace(profile, seed=seed, **(recipe | {"batch_size": batch_size}))
    folder = profile.work_dir / "recipes" / f"{n_train} images" / name / str(seed)
    record = train_or_load(varied, data, folder).record
    best = record["history"][record["epoch"]]
    every = varied.captions_per_epoch == "all"
    n_examples = sum(len(data.captions[i]) for i in data.indices("train")) if every else n_train
    return {
        "recipe": name,
        "n_train": n_train,
        "n_val": best["recall"]["n_images"],
        "seed": seed,
        "steps": n_examples // (batch_size * varied.gradient_accumulation) * varied.epochs,
        "best_epoch": record["epoch"],
        "mean_recall": best["mean_recall"],
        "untrained": record["history"][0]["mean_recall"],
    }
