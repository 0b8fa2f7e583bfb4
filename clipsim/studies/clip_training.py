"""Notebook 02: from the paper's recipe to ours.

The profile `flickr8k_paper_recipe` trains as the paper does: all weights, Adam, rate 1e-5, batches
of 5, 5 epochs. From there one step after the other is changed to what the profile of the notebook
does, and each is judged by what the study is about: how well Eq. 4 tells pairs apart.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from tqdm.auto import tqdm

from clipsim import evaluation
from clipsim.data import caption_pool, load_pairs
from clipsim.figures import IDENTITY, JUDGED, PAGE_IN, give_title
from clipsim.profile import load_profile
from clipsim.record import StaleError, read_results

STEM = "02_recipes"
PAPERS = "flickr8k_paper_recipe"
# What each step takes over from the profile of the notebook, in this order.
STEPS = {
    "the paper's recipe": (),
    "backbones frozen": ("trainable", "batch_norm"),
    "learning rate": ("learning_rate",),
    "batch and epochs": ("batch_size", "epochs", "false_negatives"),
    "head": ("head", "embedding_dim", "dropout"),
    "optimiser and schedule": ("optimizer", "weight_decay", "schedule"),
    "N": ("n_descriptions",),
    "vector space": ("vector_space",),
}
SEARCH = ("n_descriptions", "vector_space")  # steps that train nothing
N_SEEDS = 3
COLUMNS = {"auc": "AUC", "spearman": "Spearman ρ"}


def recipe_rows(run, images, paper=None):
    """What every step from the paper's recipe to ours is worth, where `study` is "recipes".

    Else what an earlier run of the same profile has recorded.

    Parameters
    ----------
    run : Run
    images : CaptionedImages
    paper : Profile, optional
        The recipe to begin with; by default `flickr8k_paper_recipe` on the run's data.

    Returns
    -------
    pandas.DataFrame
        A row per step, seed and source of pairs: `step`, `changed` (settings and their values),
        `seed`, `mean_recall` (of the best epoch, on validation images), `source`, `n_pairs`,
        `auc` and `spearman` of Eq. 4 on the reported pairs. Empty where the steps were never made.
    """
    profile = run.profile
    if profile.study != "recipes":
        try:
            return pd.DataFrame(read_results(profile, STEM)["rows"])
        except StaleError:
            return pd.DataFrame()
    paper = paper or load_profile(PAPERS, data_root=profile.data_root)
    pairs, pool, rows = load_pairs(profile, images), caption_pool(profile, images), []
    for name, step, keys in tqdm(list(steps(profile, paper)), "steps"):
        changed = ", ".join(f"{key}: {getattr(step, key)}" for key in keys)
        for seed, model in enumerate(_models(profile, paper, step, name, images), profile.seed):
            best = model.record["history"][model.record["epoch"]]
            found = evaluation.retrieval_of(step, model, images, pool)
            scores = evaluation.description_scores(step, found, pairs)["clip_score"]
            own = {"step": name, "changed": changed, "seed": seed}
            own |= {"mean_recall": best["mean_recall"]}
            rows += [own | row for row in _worth(profile, pairs, scores)]
    replace(run, notebook=STEM).write_results(
        data={"fingerprint": images.fingerprint}, results={"rows": rows}
    )
    return pd.DataFrame(rows)


def steps(profile, paper):
    """Each step's name, its profile, and the settings that it takes over from `profile`."""
    step = paper
    for name, keys in STEPS.items():
        step = replace(step, **{key: getattr(profile, key) for key in keys})
        yield name, step, keys


def _models(profile, paper, step, name, images):
    """A step's models, one per seed: those of the paper's recipe, or trained for the step."""
    trained = replace(step, **{key: getattr(paper, key) for key in SEARCH})
    if trained == paper:
        yield from evaluation.models_of_seeds(paper, images)
        return
    kept = name if STEPS[name][0] not in SEARCH else "optimiser and schedule"
    folder = profile.work_dir / "recipes" / kept
    yield from evaluation.models_of_seeds(trained, images, folder, N_SEEDS)


def _worth(profile, pairs, scores):
    """AUC and ρ of scores on the reported pairs of each source."""
    rows = []
    for source, inside in pairs.by_source.items():
        inside &= pairs.split != "val"
        sample = evaluation.ResampledPairs.of(pairs.where(inside), replace(profile, n_bootstrap=1))
        own = {"source": source, "n_pairs": sample.n_labelled}
        own |= {name: float(getattr(sample, name)(scores[inside])[0]) for name in COLUMNS}
        rows.append(own)
    return rows


def recipe_chart(rows):
    """From the paper's recipe to ours: a dot for each step, the mean of its seeds.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `recipe_rows`.

    Returns
    -------
    figure : matplotlib Figure
    numbers : pandas.DataFrame
        A row per step: `changed`, mean and standard deviation over seeds of the AUC on the first
        source's pairs and of ρ on the last one's, and the number of seeds.
    caption : str
    """
    first, last = rows.source.iloc[0], rows.source.iloc[-1]
    shown = {"auc": rows[rows.source == first], "spearman": rows[rows.source == last]}
    columns = [rows.drop_duplicates("step").set_index("step").changed]
    figure, axes = plt.subplots(
        1, 2, figsize=(PAGE_IN, 1 + 0.26 * rows.step.nunique()), sharey=True
    )
    look = {"y": "step", "color": IDENTITY["clip_score"]["color"], "markersize": 4.5}
    look |= {"errorbar": ("pi", 100), "err_kws": {"linewidth": 1}, "linewidth": 0.8}
    for axis, (statistic, table) in zip(axes, shown.items(), strict=True):
        sns.pointplot(table, x=statistic, ax=axis, **look)
        of_step = table.groupby("step", sort=False)[statistic]
        columns.append(of_step.agg(["mean", "std"]).add_prefix(f"{statistic}_"))
        axis.set(title=JUDGED[table.source.iloc[0]], xlabel=COLUMNS[statistic], ylabel="")
    columns.append(shown["auc"].groupby("step", sort=False).seed.count().rename("n_seeds"))
    numbers = pd.concat(columns, axis=1).reset_index(names="step")
    first, *_, last = numbers.auc_mean
    gains = numbers.auc_mean.diff()
    most = f"most by “{numbers.step[gains.idxmax()]}” ({gains.max():+.3f})"
    give_title(figure, f"From the paper's recipe to ours: AUC {first:.3f} to {last:.3f}, {most}")
    caption = (
        "From top to bottom each step keeps what the steps above it changed. Dots: mean of "
        f"{numbers.n_seeds.min()} to {numbers.n_seeds.max()} training seeds; lines: their range."
    )
    return figure, numbers, caption
