"""Notebook 02: the model before and after its training, and which recipe trains best.

The paper trains every weight; on a CPU that is affordable for few images only, so all recipes
are compared on the same small part of the data, and ours, which trains the projections alone,
on all of it too. Every training is kept, so that the comparison can be interrupted.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from tqdm.auto import tqdm

from clipsim.evaluation import train_or_load
from clipsim.figures import IDENTITY, INK, PAGE_IN
from clipsim.model import DualEncoder
from clipsim.profile import load_profile
from clipsim.record import StaleError, read_results

STEM = "02_recipes"
N_TRAIN, N_VAL = 120, 80  # images of the small part
# Of the profile `paper`: what the paper prints in sec. 4, and our choice where it is silent.
OF_THE_PAPER = (
    "trainable", "head", "optimizer", "learning_rate", "weight_decay", "schedule", "batch_size",
    "epochs", "captions_per_epoch", "batch_norm", "warmup_steps", "gradient_accumulation",
    "max_gradient_norm",
)  # fmt: skip
OURS = {
    "ours": {},
    "ours, all captions each epoch": {"captions_per_epoch": "all"},
    "ours, batch 5": {"batch_size": 5},
    "ours, batch 64": {"batch_size": 64},
    "ours, linear head": {"head": "linear"},
    "ours, constant rate": {"schedule": "constant"},
    "ours, temperature from 0.02": {"temperature": 0.02},
    "ours, rate 1e-5": {"learning_rate": 1e-5},
}
DOTS = {"color": IDENTITY["clip_score"]["color"], "alpha": 0.6}
MEAN = {"errorbar": None, "linestyle": "none", "marker": "|"}


def before_and_after(profile, images):
    """The model untrained, and trained: now, or by an earlier run of the same profile.

    Parameters
    ----------
    profile : Profile
    images : CaptionedImages

    Returns
    -------
    dict of str to DualEncoder
        "before" and "after".
    """
    trained = train_or_load(profile, images)
    return {"before": DualEncoder(profile), "after": trained}


def recipe_rows(run, images):
    """Every recipe from `n_seeds` seeds, where the profile's `study` is "recipes".

    Else what an earlier run of the same profile has recorded. The profile's own recipe is
    "ours"; only the keys that a recipe names depart from it.

    Parameters
    ----------
    run : Run
    images : CaptionedImages

    Returns
    -------
    pandas.DataFrame
        A row per recipe, data and seed: `recipe`, `n_train`, `n_val`, `seed`, `steps`,
        `best_epoch`, `mean_recall` (of the best epoch, on validation images) and `untrained`
        (before training). A batch is at most all training images. Empty where the recipes were
        never compared.
    """
    profile = run.profile
    if profile.study != "recipes":
        try:
            return pd.DataFrame(read_results(profile, STEM)["rows"])
        except StaleError:
            return pd.DataFrame()
    small = np.concatenate([images.indices("train")[:N_TRAIN], images.indices("val")[:N_VAL]])
    part = images.subset(small)
    plan = [*((name, part) for name in recipes()), ("ours", images)]
    seeds = range(profile.seed, profile.seed + profile.n_seeds)
    trainings = [(name, data, seed) for seed in seeds for name, data in plan]
    rows = [_row(profile, name, data, seed) for name, data, seed in tqdm(trainings, "recipes")]
    table = pd.DataFrame(rows).sort_values(["n_train", "recipe", "seed"], ignore_index=True)
    replace(run, notebook=STEM).write_results(
        data={"fingerprint": images.fingerprint}, results={"rows": table.to_dict("records")}
    )
    return table


def recipes():
    """What each recipe changes of a profile."""
    paper = load_profile("paper")
    # bfloat16 is a deviation, for speed.
    of_paper = {key: getattr(paper, key) for key in OF_THE_PAPER} | {"mixed_precision": "bf16"}
    trained = {"the paper's, batch statistics trained": of_paper | {"batch_norm": "train"}}
    return OURS | {"the paper's": of_paper} | trained


def recipe_chart(rows):
    """Validation recall of each recipe, over training seeds.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `recipe_rows`.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        A row per data and recipe, the best first: mean, standard deviation, least and most recall
        over the seeds; means of `untrained`, `steps` and `best_epoch`.
    caption : str
    """
    rows = rows.assign(trained=rows.recipe + rows.n_train.map(", {:,} images".format))
    of_recipe = rows.groupby(["n_train", "recipe", "trained"])
    numbers = of_recipe.mean_recall.agg(["mean", "std", "min", "max", "count"])
    numbers = numbers.join(of_recipe[["untrained", "steps", "best_epoch"]].mean()).reset_index()
    numbers = numbers.sort_values(["n_train", "mean"], ascending=False, ignore_index=True)
    figure, axis = plt.subplots(figsize=(PAGE_IN, 0.7 + 0.26 * len(numbers)))
    own = {"data": rows, "y": "trained", "order": numbers.trained, "ax": axis}
    sns.stripplot(x="mean_recall", jitter=False, **own, **DOTS)
    sns.pointplot(x="mean_recall", color=INK, markersize=14, **own, **MEAN)
    sns.pointplot(x="untrained", color="#999999", markersize=7, **own, **MEAN)
    axis.set(xlabel="mean validation recall (fraction)", ylabel="", xlim=(0, None))
    few = numbers[numbers.n_train == numbers.n_train.min()]
    best = f"{few.recipe.iloc[0]}, {few['mean'].iloc[0]:.3f}"
    title = f"Best on {few.n_train.iloc[0]:,} training images: {best}"
    figure.suptitle(title, x=0.01, ha="left")
    caption = (
        f"Dots: training seeds; black line: their mean; grey line: before training. Best: {best}. "
        "Few validation images are easier to find: compare recipes on as many images only."
    )
    return figure, numbers, caption


def _row(profile, name, data, seed):
    """Train a recipe, or load what it trained, and say how well it did."""
    recipe = recipes()[name]
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
