"""Tables for people: Table 1 as Markdown and CSV, recall, paper and run side by side."""

import pandas as pd

from clipsim.evaluation import METRICS
from clipsim.figures.style import save_table
from clipsim.record import atomic_path

LABELS = {(metric.name, metric.variant): metric for metric in METRICS}
SOURCES = {"expert": "experts", "crowd": "crowd"}


def write_table_1(rows, profile):
    """Write `table_1.csv` (all numbers) and `table_1.md` (for people) among the figures.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.evaluation.table_1.table_1`.
    profile : Profile

    Returns
    -------
    str
        The Markdown.
    """
    save_table(pd.DataFrame(rows), profile.figures_dir / "table_1.csv")
    text = table_1_markdown(rows)
    with atomic_path(profile.figures_dir / "table_1.md") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return text


def table_1_markdown(rows):
    """Table 1 as a Markdown table, the paper's accuracy beside each row that has one."""
    with_source = any("source" in row for row in rows)
    head = ["metric", "τ", "τ from", "accuracy [95 %]", "balanced accuracy [95 %]", "AUC [95 %]"]
    head += ["Spearman ρ [95 %]", "paper (τ)"]
    lines = []
    for row in rows:
        metric = LABELS[row["metric"], row["variant"]]
        low, high = row["threshold_range"]
        threshold = f"{row['threshold']:.2f}"
        if f"{low:.2f}" != f"{high:.2f}":
            threshold += f" ({low:.2f}–{high:.2f})"
        paper = "–"
        if metric.paper_accuracy is not None:
            paper = f"{metric.paper_accuracy:.2f} ({metric.paper_threshold})"
        cells = [metric.label, threshold, row["threshold_from"]]
        cells += [_with_interval(row, name) for name in ("accuracy", "balanced_accuracy")]
        cells += [_with_interval(row, name) for name in ("auc", "spearman")]
        cells += [paper]
        if with_source:
            cells.insert(0, SOURCES[row["source"]])
        lines.append(cells)
    head = ["judged by", *head] if with_source else head
    table = [head, ["---"] * len(head), *lines]
    counts = {row.get("source", ""): (row["n_pairs"], row["n_similar"]) for row in rows}
    notes = [
        f"{SOURCES.get(source, 'test')}: {n:,} pairs, {similar:,} of them similar"
        for source, (n, similar) in counts.items()
    ]
    body = "\n".join("| " + " | ".join(cells) + " |" for cells in table)
    return f"{body}\n\n{'; '.join(notes)}; intervals resample {rows[0]['resampled']}."


def paper_and_run(rows):
    """The paper's Table 1 and this run side by side, as Markdown.

    Parameters
    ----------
    rows : list of dict
        Table 1's rows of one source.

    Returns
    -------
    str
        A row per metric: the paper's accuracy at its threshold, this run's at the held-out
        and at the paper's threshold, and their differences from the paper's.
    """
    by_metric = {}
    for row in rows:
        metric = LABELS[row["metric"], row["variant"]]
        by_metric.setdefault(metric, {})[row["threshold_from"]] = row
    table = [
        ["metric", "paper (τ)", "this run, held-out τ", "difference", "this run, paper's τ"],
        ["---"] * 5,
    ]
    for metric, of_metric in by_metric.items():
        own = of_metric["validation"]
        paper, difference, at_paper = "–", "–", "–"
        if metric.paper_accuracy is not None:
            paper = f"{metric.paper_accuracy:.2f} ({metric.paper_threshold})"
            difference = f"{own['accuracy'] - metric.paper_accuracy:+.2f}"
            at_paper = f"{of_metric['paper']['accuracy']:.2f}"
        held_out = f"{_with_interval(own, 'accuracy')} ({own['threshold']:.2f})"
        table.append([metric.label, paper, held_out, difference, at_paper])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table)


def differences_table(rows, criterion):
    """The CLIP score's lead over the other metrics, as Markdown.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.evaluation.differences.metric_differences`.
    criterion : {"accuracy", "balanced_accuracy"}
    """
    with_source = any("source" in row for row in rows)
    names = list(dict.fromkeys(("accuracy", criterion, "auc", "average_precision")))
    words = {"auc": "AUC"}
    head = ["CLIP score less", *(words.get(n, n.replace("_", " ")) + " [95 %]" for n in names)]
    head += ["p (McNemar)", "p (bootstrap)", "p (Holm)"]
    head = ["judged by", *head] if with_source else head
    table = [head, ["---"] * len(head)]
    for row in rows:
        cells = [LABELS[row["baseline"], row["baseline_variant"]].label]
        cells += [_with_interval(row, f"difference_{name}", "+.2f") for name in names]
        tests = ["–", p_text(row["p"])]
        cells += [*(tests if row["mcnemar_p"] is None else tests[::-1]), p_text(row["p_holm"])]
        table.append([SOURCES[row["source"]], *cells] if with_source else cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table)


def seed_sentence(rows, criterion):
    """What the spread over seeds says of the CLIP score, beside the bootstrap's.

    Parameters
    ----------
    rows : list of dict
        Of one source, from `clipsim.evaluation.table_1.seed_spread`.
    criterion : {"accuracy", "balanced_accuracy"}
    """
    of = {row["statistic"]: row for row in rows if row["metric"] == "clip_score"}
    if len(of["auc"]["values"]) < 2:
        return "One seed has no spread."
    parts = [
        f"{words} {of[name]['mean']:.3f}, sd over seeds {of[name]['sd']:.3f} "
        f"(bootstrap {of[name]['bootstrap_sd']:.3f})"
        for name, words in ((criterion, criterion.replace("_", " ")), ("auc", "AUC"))
    ]
    thresholds = of["threshold"]["values"]
    chosen = f"thresholds from {min(thresholds):.2f} to {max(thresholds):.2f}"
    return f"CLIP score, mean of {len(thresholds)} seeds: {'; '.join(parts)}; {chosen}."


def p_text(p_value):
    """A p-value to three digits, "< .001" below."""
    return "< .001" if p_value < 0.001 else f"{p_value:.3f}".replace("0.", ".", 1)


def of_source(rows, source):
    """The rows of one source; all, where there is but one."""
    return [row for row in rows if row.get("source", "") == source]


def named(name, source):
    """A figure's name with its source, where there are several."""
    return "_".join(filter(None, [name, source]))


def caption(text, source=""):
    """A figure's caption as Markdown, with who judged the pairs, where there are several."""
    return f"*{SOURCES[source].capitalize()}: {text}*" if source else f"*{text}*"


def recall_table(recall):
    """Recall in both directions as a table (fractions), from `retrieval_recall`."""
    table = pd.DataFrame({name: recall[name] for name in ("image_to_text", "text_to_image")}).T
    table["queries"] = [recall["n_images"], recall["pool_size"]]
    table["candidates"] = [recall["pool_size"], recall["n_images"]]
    return table.rename_axis("direction").reset_index()


def _with_interval(row, name, form=".2f"):
    low, high = row[f"{name}_ci95"]
    return f"{row[name]:{form}} [{low:{form}}, {high:{form}}]"


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
    contrast = profile.batch_size * record["processes"]
    settings = [
        ("image encoder", "resnet50", profile.image_encoder),
        ("text encoder", "bert-base-uncased", profile.text_encoder),
        ("trained weights", "all", profile.trainable),
        ("training images", 35_000, n_train),
        ("optimiser", "adam", profile.optimizer),
        ("learning rate", 1e-5, profile.learning_rate),
        ("images that are contrasted", 5, contrast),
        ("epochs", 5, profile.epochs),
        ("schedule", None, profile.schedule),
        ("captions of an image in an epoch", None, profile.captions_per_epoch),
        ("batch statistics", None, profile.batch_norm),
        ("projection", None, profile.head),
        ("initial temperature", None, profile.temperature),
        ("precision", None, "float32" if profile.mixed_precision == "no" else "bfloat16"),
    ]
    rows = []
    for name, paper, own in settings:
        difference = "not printed" if paper is None else "" if paper == own else "differs"
        rows.append((name, "–" if paper is None else str(paper), str(own), difference))
    return pd.DataFrame(rows, columns=["setting", "paper", "this run", "difference"])
