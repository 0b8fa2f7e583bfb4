"""What notebook 09 finds: the tables, sentences and findings of its probe and comparisons."""

from itertools import combinations, product

import numpy as np
import pandas as pd

from clipsim.evaluation import NOT_SUPPORTED, SUPPORTED, finding, sampled_score
from clipsim.studies.encoders_and_language.language_probe import CONDITIONS, INTERVAL, OWN, TRAINED

TESTED = tuple(product((OWN, TRAINED), CONDITIONS))
JUDGES = {"expert": ", experts' pairs", "crowd": ", crowd's pairs", "": ""}


def example_table(quadruples, runs, condition):
    """Quadruples with their cosines in the text encoder's own and the trained joint space.

    Parameters
    ----------
    quadruples : list of Quadruple
    runs : mapping of str to list of pandas.DataFrame
    condition : str
        One of `CONDITIONS`. By the margin of the text encoder's own space, the quadruple with
        the largest, the median and the smallest are shown.

    Returns
    -------
    pandas.DataFrame
        A row per sentence.
    """
    structure, meaning = CONDITIONS[condition]
    mean = {space: sum(runs[space]) / len(runs[space]) for space in (OWN, TRAINED)}
    order = np.argsort(-(mean[OWN][structure] - mean[OWN][meaning]).to_numpy(), kind="stable")
    names = {structure: "S+M−", meaning: "S−M+", "control": "S−M−"}
    rows = []
    for place in (0, len(order) // 2, -1):
        number = int(order[place])
        quadruple = quadruples[number]
        rows.append({"quadruple": number, "is": "anchor", "sentence": quadruple.anchor})
        for name, role in names.items():
            cosine = {space: table[name][number] for space, table in mean.items()}
            sentence = quadruple.compared[name]
            rows.append({"quadruple": number, "is": role, "sentence": sentence} | cosine)
    return pd.DataFrame(rows).set_index(["quadruple", "is"])


def structure_findings(rows, profile):
    """Findings on "structure over meaning", before training and after it.

    Parameters
    ----------
    rows : list of dict
        From `clipsim.studies.encoders_and_language.language_probe.probe_rows`.
    profile : Profile

    Returns
    -------
    list of dict
        The first one is the claim's own test: the text encoder before training, every slot
        exchanged, a paraphrase in the same words.
    """
    by_name = {(row["space"], row["condition"]): row for row in rows}
    found = []
    for space, condition in TESTED:
        row = by_name[space, condition]
        which = f"{space} ({profile.text_encoder})"
        which += " before contrastive training" if space == OWN else ""
        found.append(
            finding(
                "structure_over_meaning",
                f"share of sentence quadruples where structure wins, less one half; {which}; "
                f"{condition}",
                row["share"] - 0.5,
                [end - 0.5 for end in row["share_ci95"]],
                n_pairs=row["n_quadruples"],
                n_seeds=row["n_seeds"],
                interval=INTERVAL,
            )
        )
    return found


def structure_sentence(findings, repair):
    """What the probe says, in words, as Markdown.

    Parameters
    ----------
    findings : list of dict
        From `structure_findings`.
    repair : list of dict
        From `clipsim.studies.encoders_and_language.language_probe.before_and_after`.
    """
    answers = {SUPPORTED: "beats meaning", NOT_SUPPORTED: "does not beat meaning"}
    answer = answers.get(findings[0]["verdict"], "and meaning are level")
    changes = []
    for row in repair:
        low, high = row["difference_ci95"]
        change = "less often" if high < 0 else "more often" if low > 0 else "no clear change"
        changes.append(
            f"{row['condition']}: structure wins {row['before']:.0%} before training and "
            f"{row['after']:.0%} after: {change} "
            f"({row['difference']:+.2f} [{low:+.2f}, {high:+.2f}])"
        )
    lines = "\n".join(f"* {change}" for change in changes)
    return f"**Structure {answer}** in the text encoder before training.\n\n{lines}"


def sampled_by_source(profile, pairs, scores_by_encoders):
    """The scores of each pair of encoders, evaluated on the pairs of each source.

    Parameters
    ----------
    profile : Profile
    pairs : LabelledPairs
    scores_by_encoders : mapping of str to mapping of str to list of array, each of shape (P,)
        By encoders and score, one array per training seed.

    Returns
    -------
    dict of str to dict of str to dict of str to SampledScore
        By source (experts first), encoders and score.
    """
    return {
        source: {
            encoders: {
                name: sampled_score(pairs.where(chosen), [v[chosen] for v in of_seeds], profile)
                for name, of_seeds in scores.items()
            }
            for encoders, scores in scores_by_encoders.items()
        }
        for source, chosen in pairs.by_source.items()
    }


def encoder_rows(sampled):
    """A row per pair of encoders and score, with AUC, accuracy and the AUC of Eq. 4 that the
    profile's own encoders (the first) have more."""
    own = next(iter(sampled.values()))
    rows = []
    for encoders, scores in sampled.items():
        for name, score in scores.items():
            less = own[name].difference(score)
            rows.append(
                {"encoders": encoders, "score": name}
                | score.row
                | {"own_less_this": less["auc"], "own_less_this_ci95": less["auc_ci95"]}
            )
    return rows


def encoder_findings(by_source):
    """Findings on "a better encoder improves the score", for either side and each source.

    Parameters
    ----------
    by_source : mapping of str to mapping
        From `sampled_by_source`; the first pair of encoders is the profile's own, the second has
        a random image encoder, the third a random text encoder.
    """
    found = []
    for source, sampled in by_source.items():
        better, *weaker = list(sampled)[:3]
        for side, worse in zip(("image", "text"), weaker, strict=True):
            row = sampled[better]["clip_score"].difference(sampled[worse]["clip_score"])
            found.append(
                finding(
                    "better_encoder",
                    f"{side} side: AUC of Eq. 4 with {better} less that with {worse}, "
                    f"projections trained alike{JUDGES[source]}",
                    row["auc"],
                    row["auc_ci95"],
                    n_pairs=row["n_pairs"],
                    n_seeds=row["n_seeds"],
                    interval=f"{row['resampled']} resampled; models held fixed",
                )
            )
    return found


def difference_rows(sampled):
    """Paired differences of all scores, two by two.

    Parameters
    ----------
    sampled : mapping of str to SampledScore

    Returns
    -------
    list of dict
        `score`, `less` (what was subtracted), and as `SampledScore.difference`.
    """
    return [
        {"score": a, "less": b} | sampled[a].difference(sampled[b])
        for a, b in combinations(sampled, 2)
    ]


def difference_sentence(row):
    """A row of `difference_rows` in words."""
    low, high = row["auc_ci95"]
    answer = "higher" if low > 0 else "lower" if high < 0 else "not clearly different"
    of_seeds = row["auc_of_seeds"]
    source = f"{row['source']}: " if row.get("source") else ""
    return (
        f"{source}{row['score']} against {row['less']}: {answer}, AUC {row['auc']:+.3f} "
        f"[{low:+.3f}, {high:+.3f}]; single seeds {min(of_seeds):+.3f} to {max(of_seeds):+.3f}"
    )
