"""Tables for people: Table 1 and verdicts as Markdown; settings."""

import numpy as np
import pandas as pd

from clipsim.evaluation import DECISION, METRICS, REFERENCES, claim_verdicts, verdict_words
from clipsim.figures.style import save_table
from clipsim.profile import REPOSITORY
from clipsim.record import StaleError, atomic_path, read_json

LABELS = {(metric.name, metric.variant): metric for metric in (*METRICS, *REFERENCES)}
SOURCES = {"expert": "experts", "crowd": "crowd", "vsts": "side by side", "": ""}
JUDGED = {"expert": "Experts' judgments", "crowd": "Crowd's judgments", "": ""}
JUDGED["vsts"] = "Rated side by side"
CAPTION_JUDGED = "experts and crowd judged a caption of one photograph for the other"
COMMITTED = {"demo": "demo", "flickr8k": "photographs"}  # profiles, and what their data are
WORDS = {"auc": "AUC", "spearman": "Spearman ρ"}


def markdown_table(rows):
    """Rows, each a dict of heading to text, as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write_table_1(rows, profile):
    """Write `table_1.csv` (all numbers) and `table_1.md` (for people) among the figures.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.evaluation.table_1_rows`.
    profile : Profile

    Returns
    -------
    str
        The Markdown.
    """
    save_table(pd.DataFrame(rows), profile.figures_dir / "table_1.csv")
    return _written(table_1_markdown(rows), profile.figures_dir / "table_1.md")


def table_1_markdown(rows):
    """Table 1 as a Markdown table, the paper's accuracy beside each row that has one.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.evaluation.table_1_rows`.

    Returns
    -------
    str
    """
    cells = []
    for row in rows:
        low, high = (f"{end:.2f}" for end in row["threshold_range"])
        spread = f" ({low}–{high})" if low != high else ""
        metric = compared_metric(row)
        names = {"metric": metric.label, "τ": f"{row['threshold']:.2f}{spread}"}
        measured = _with_intervals(row, (*DECISION, "precision", "recall", "auc", "spearman"))
        paper = {"paper (τ)": _in_the_paper(metric)}
        cells.append(_judged(row) | names | {"τ from": row["threshold_from"]} | measured | paper)
    counts = {row.get("source", ""): (row["n_pairs"], row["n_similar"]) for row in rows}
    notes = [
        f"{SOURCES[source] or 'test'}: {n:,} pairs, {similar:,} of them similar"
        for source, (n, similar) in counts.items()
    ]
    unit = f"intervals resample {rows[0]['resampled']}"
    n_seeds = max(row["n_seeds"] for row in rows)
    seeds = f"; ±: standard deviation over {n_seeds} training seeds" if n_seeds > 1 else ""
    notes += [CAPTION_JUDGED] * ("expert" in counts or "crowd" in counts)
    return f"{markdown_table(cells)}\n\n{'; '.join(notes)}; {unit}{seeds}."


def paper_and_run(rows):
    """The paper's Table 1 and this run side by side, as Markdown.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.evaluation.table_1_rows`.

    Returns
    -------
    str
        A row per metric and source: the paper's accuracy at its threshold, this run's at the
        held-out and at the paper's threshold, and the difference from the paper's.
    """
    at_paper = {
        (compared_metric(row), row.get("source")): f"{row['accuracy']:.2f}"
        for row in rows
        if row["threshold_from"] == "paper"
    }
    cells = []
    for row in (row for row in rows if row["threshold_from"] != "paper"):
        metric = compared_metric(row)
        accuracy = _with_intervals(row, ["accuracy"])["accuracy [95 %]"]
        less = "–" if metric.paper_accuracy is None else row["accuracy"] - metric.paper_accuracy
        line = {
            "metric": metric.label,
            "paper (τ)": _in_the_paper(metric),
            "this run, held-out τ": f"{accuracy} ({row['threshold']:.2f})",
            "difference": less if less == "–" else f"{less:+.2f}",
            "this run, paper's τ": at_paper.get((metric, row.get("source")), "–"),
        }
        cells.append(_judged(row) | line)
    return markdown_table(cells)


def seed_sentence(rows, criterion):
    """What the spread over seeds says of the CLIP score, beside the bootstrap's.

    Parameters
    ----------
    rows : list of dict
        Of one source, from `clipsim.evaluation.seed_spread`.
    criterion : {"accuracy", "balanced_accuracy"}

    Returns
    -------
    str
    """
    of = {row["statistic"]: row for row in rows if row["metric"] == "clip_score"}
    thresholds = of["threshold"]["values"]
    if len(thresholds) < 2:
        return "One seed has no spread."
    parts = [
        f"{in_words(name)} {of[name]['mean']:.3f}, sd over seeds {of[name]['sd']:.3f} "
        f"(bootstrap {of[name]['bootstrap_sd']:.3f})"
        for name in (criterion, "auc")
    ]
    chosen = f"thresholds from {min(thresholds):.2f} to {max(thresholds):.2f}"
    return f"CLIP score, mean of {len(thresholds)} seeds: {'; '.join(parts)}; {chosen}."


def write_verdicts(findings, profile):
    """Write `verdicts.md` among the figures: the claims with their verdicts, and all experiments.

    Parameters
    ----------
    findings : pandas.DataFrame
        From `clipsim.evaluation.gathered_findings`.
    profile : Profile
        Beside its verdicts stand those of the committed results, demo and photographs.

    Returns
    -------
    str
        The Markdown: `verdicts_table`, and a row of experiments for each claim.
    """
    own, folder = claim_verdicts(findings).to_dict("records"), profile.results_dir
    folders = {REPOSITORY / "results" / name: data for name, data in COMMITTED.items()}
    claims = {} if folder in folders else {"this run": own}
    for path, data in folders.items():
        results = path / "13_verdicts.json"
        if path == folder:
            claims[data] = own
        elif results.is_file():
            claims[data] = read_json(results, StaleError, results=dict)["results"]["claims"]
    experiments = [
        {"claim": text, "experiments: estimate [95 %]": "<br>".join(map(_experiment, rows))}
        for text, group in findings.groupby("text", sort=False)
        for rows in [group.to_dict("records")]
    ]
    text = f"{verdicts_table(claims)}\n\n{markdown_table(experiments)}"
    return _written(text, profile.figures_dir / "verdicts.md")


def verdicts_table(claims):
    """A row per claim in the paper's words, the verdicts on several data side by side.

    Parameters
    ----------
    claims : dict of str to list of dict
        By data, rows of `clipsim.evaluation.claim_verdicts`. In bold what all experiments say.

    Returns
    -------
    str
        Markdown.
    """
    verdicts = {}
    for data, rows in claims.items():
        said = {row["claim"]: verdict_words(row) for row in rows}
        verdicts[data] = {
            key: words if "(" in words else f"**{words}**" for key, words in said.items()
        }
    return markdown_table(
        [
            {"claim": row["text"], "in the paper": row["section"]}
            | {data: said.get(row["claim"], "–") for data, said in verdicts.items()}
            for row in next(iter(claims.values()))
        ]
    )


def training_settings(profile, record, n_train):
    """The paper's training (sec. 4), this run's, and whether they differ.

    Parameters
    ----------
    profile : Profile
    record : dict
        Of the checkpoint: `processes`.
    n_train : int
        Training images.

    Returns
    -------
    pandas.DataFrame
        Columns setting, paper, this run, difference ("" where the paper's own value is used).
    """
    settings = [
        ("image encoder", "resnet50", profile.image_encoder),
        ("text encoder", "bert-base-uncased", profile.text_encoder),
        ("trained weights", "all", profile.trainable),
        ("training images", 35_000, n_train),
        ("optimiser", "adam", profile.optimizer),
        ("learning rate", 1e-5, profile.learning_rate),
        ("images that are contrasted", 5, profile.batch_size * record["processes"]),
        ("epochs", 5, profile.epochs),
        ("schedule", None, profile.schedule),
        ("captions of an image in an epoch", None, profile.captions_per_epoch),
        ("batch statistics", None, profile.batch_norm),
        ("projection", None, profile.head),
        ("initial temperature", None, profile.temperature),
        ("precision", None, "float32" if profile.mixed_precision == "no" else "bfloat16"),
    ]
    table = pd.DataFrame(settings, columns=["setting", "paper", "this run"], dtype=object)
    is_open, is_same = table.paper.isna(), table.paper == table["this run"]
    table["difference"] = np.select([is_open, is_same], ["not printed", ""], "differs")
    return table.fillna({"paper": "–"}).map(str)


def compared_metric(row):
    """The metric that a row of Table 1 is of, or that a difference is from."""
    name, variant = ("metric", "variant") if "variant" in row else ("baseline", "baseline_variant")
    return LABELS[row[name], row[variant]]


def in_words(statistic):
    """A statistic's name for people: "balanced accuracy", "AUC"."""
    return WORDS.get(statistic, statistic.replace("_", " "))


def p_text(p_value, is_bound=False):
    """A p-value to three digits, "< .001" below; "<" too where it is only known to be smaller."""
    if p_value < 0.001:
        return "< .001"
    return "< " * is_bound + f"{p_value:.3f}".replace("0.", ".", 1)


def _with_intervals(row, names):
    """Statistics of a row with their 95 % intervals, as cells."""
    cells = {}
    for name in names:
        # JSON has null where there is no number.
        low, high = np.array(row[f"{name}_ci95"], dtype=float)
        spread = row.get(f"{name}_sd")
        seeds = "" if spread is None else f" ± {spread:.2f}"
        value = "–" if row[name] is None else f"{row[name]:.2f}{seeds}"
        interval = f" [{low:.2f}, {high:.2f}]" if np.isfinite([low, high]).all() else ""
        cells[f"{in_words(name)} [95 %]"] = value.replace("nan", "–") + interval
    return cells


def _in_the_paper(metric):
    if metric.paper_accuracy is None:
        return "–"
    return f"{metric.paper_accuracy:.2f} ({metric.paper_threshold})"


def _judged(row):
    """Who judged, as a cell, where there are several."""
    return {"judged by": SOURCES[row["source"]]} if "source" in row else {}


def _experiment(row):
    """A finding in a line: estimate and interval, what it is of, how much is behind it."""
    if pd.isna(row.get("estimate", np.nan)):
        return row["experiment"]
    interval = "[–]"
    if np.isfinite(row["ci95"]).all():
        interval = "[{:.4f}, {:.4f}]".format(*row["ci95"])
    pairs = "" if pd.isna(row["n_pairs"]) else f"{row['n_pairs']:,.0f} pairs, "
    seeds = f"{row['n_seeds']:.0f} seed" + "s" * (row["n_seeds"] > 1)
    what = row["experiment"].replace("|", "∣")
    return f"{row['estimate']:.3f} {interval} {what} ({pairs}{seeds}): {row['verdict']}"


def _written(text, path):
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return text
