"""What each notebook found, in three sentences written from its results: no number is typed.

Words are chosen by verdicts and by the numbers themselves, so that the sentences say of other data
what these data say.
"""

from collections import Counter

from IPython.display import Markdown, display

from clipsim.evaluation import CLAIMS, claim_of, verdict_words
from clipsim.figures.tables import SOURCES, compared_metric
from clipsim.metrics import METRIC_LABELS
from clipsim.record import read_results

MAIN = "clip_beats_ssim_fsim"


def what_we_found(run):
    """Show the three sentences of the notebook that a run has just written the results of.

    Parameters
    ----------
    run : Run
        From `clipsim.record.start_run`, after `write_results`.
    """
    sentences = found(run.notebook, read_results(run.profile, run.notebook))
    display(Markdown("\n".join(f"* {sentence}" for sentence in sentences)))


def found(stem, results):
    """The sentences of a notebook.

    Parameters
    ----------
    stem : str
        Of the notebook, such as "05_threshold_sweeps".
    results : dict
        What it recorded.

    Returns
    -------
    list of str
        Three, as Markdown.

    Raises
    ------
    KeyError
        If the notebook is unknown, or the results are not its own.
    """
    return SENTENCES[stem[:2]](results)


def _data(results):
    of_split = {row["split"]: row["images"] for row in results["splits"]}
    pairs = Counter()
    for row in results["pairs"]:
        pairs[row["source"]] += row["pairs"]
    judged = ", ".join(f"{n:,} {SOURCES.get(source, '')}".strip() for source, n in pairs.items())
    rated = of_split.get("rated", 0)
    apart = f", {rated:,} that people rated side by side are kept out of training" if rated else ""
    return [
        f"{of_split['train']:,} images train, {of_split['val']:,} choose the epoch, "
        f"{of_split['test']:,} test{apart}.",
        f"Labelled pairs: {judged}.",
        f"The pool holds {results['pool_size']:,} descriptions, of "
        f"{results['mean_words_per_caption']:.0f} words on average, and none of a test image.",
    ]


def _training(results):
    history, best = results["history"], results["best_epoch"]
    first, last = history[0]["mean_recall"], history[best]["mean_recall"]
    gap = results["matching_less_other_cosine"]
    stopped = "the last epoch was the best" if best == len(history) - 1 else "it fell afterwards"
    return [
        f"Training {'raises' if last > first else 'does not raise'} the mean validation recall, "
        f"from {first:.3f} to {last:.3f}.",
        f"The best epoch is {best} of {len(history) - 1}: {stopped}.",
        f"A matching caption's cosine is {gap['before']:.2f} above another one's before training, "
        f"and {gap['after']:.2f} after it.",
    ]


def _retrieval(results):
    recall, by_rank = results["recall"], results["similarity_by_rank"]
    image, text = (recall[way] for way in ("image_to_text", "text_to_image"))
    return [
        f"For {image['R@1']:.0%} of {recall['n_images']:,} validation images one of the image's "
        f"own captions is first of {recall['pool_size']:,}, for {image['R@10']:.0%} among ten.",
        f"A caption finds its image first in {text['R@1']:.0%}, among ten in {text['R@10']:.0%}.",
        f"The {results['n_descriptions']} descriptions of an image fall from a median similarity "
        f"of {by_rank[0]['median']:.2f} to {by_rank[-1]['median']:.2f}.",
    ]


def _scores(results):
    graded = {k: v for k, v in results["spearman"]["graded"].items() if k != "graded"}
    best, worst = max(graded, key=graded.get), min(graded, key=graded.get)
    image = results["spearman"]["clip_score"]["image_cosine"]
    return [
        f"With the graded similarity of the pairs {METRIC_LABELS[best]} agrees most "
        f"(ρ = {graded[best]:.2f}), {METRIC_LABELS[worst]} least ({graded[worst]:.2f}).",
        f"The CLIP score and the image cosine of the same model agree with ρ = {image:.2f}.",
        f"{results['share_of_negative_clip_scores']:.1%} of the pairs have a CLIP score of zero "
        "or below.",
    ]


def _table_1(results):
    rows = [row for row in results["table1"] if row["threshold_from"] != "paper"]
    first = rows[0].get("source", "")
    of_first = [row for row in rows if row.get("source", "") == first]
    by_name = {row["metric"]: row for row in of_first if row["variant"] != "package"}
    clip, cosine = by_name["clip_score"], by_name["image_cosine"]
    pixels = [row for row in of_first if row["metric"] in ("ssim", "fsim")]
    pixel = max(pixels, key=lambda row: row["auc"])
    where = f"On pairs judged by {SOURCES[first]}" if first else "On the test pairs"
    less = cosine["auc"] > clip["auc"]
    sentences = [
        f"{where} the CLIP score has an AUC of {clip['auc']:.3f} and a balanced accuracy of "
        f"{clip['balanced_accuracy']:.3f} (mean of {clip['n_seeds']} trainings), the best of SSIM "
        f"and FSIM, {compared_metric(pixel).label}, {pixel['auc']:.3f} and "
        f"{pixel['balanced_accuracy']:.3f}.",
        f"The cosine of the image vectors, which the paper leaves out, has {cosine['auc']:.3f} "
        f"and {cosine['balanced_accuracy']:.3f}: {'more' if less else 'less'} than Eq. 4.",
    ]
    person = {r["statistic"]: r["value"] for r in results["people"] if r["judge"] == "one expert"}
    if not person:
        return [*sentences, _claim(MAIN, results)]
    said = claim_of([one for one in results["findings"] if one["claim"] == MAIN])
    own = f"One expert, against the other two, has an AUC of {person['auc']:.3f}."
    main = f"On all pairs, that the CLIP score is more accurate is {verdict_words(said)}."
    return [*sentences, f"{own} {main}"]


def _figures(results):
    names = [f"figure_{i}" for i in (1, 2, 3, 4)]
    there = [name for name in names if results[name]["pair"]]
    wrong = [row for row in results["margins_in_the_paper"] if not row["right"]]
    nearest = min(wrong, key=lambda row: abs(row["margin"]))
    errors = results["n_errors"]
    counts = {key: sum(of.values()) for key, of in errors.items()}
    fewest = min(counts, key=counts.get)
    return [
        f"{len(there)} of the paper's 4 figures have a pair of their kind in these data; of "
        f"Figure 2's kind there are {results['figure_2']['class_size']:,}, Figures 3 and 4's "
        f"{results['figure_3']['class_size']:,}.",
        f"In the paper's own figures {nearest['metric'].upper()} misses by as little as "
        f"{abs(nearest['margin']):.2f}.",
        f"Of the metrics {METRIC_LABELS[fewest]} makes the fewest errors, {counts[fewest]:,}.",
    ]


def _variants(results):
    inside = {
        (r["variant"], r["metric"]): r["share in the paper's range"] for r in results["ranges"]
    }
    clip, *pixel = (row["auc"] for row in results["separation"])  # the CLIP score comes first
    decides = "does not decide" if clip > max(pixel) else "decides"
    paper = results["correlation_ssim_fsim"]
    return [
        f"Of random pairs {inside['package', 'ssim']:.0%} (SSIM) and "
        f"{inside['package', 'fsim']:.0%} (FSIM) fall into the ranges of the paper's figures with "
        f"the package, {inside['canonical', 'ssim']:.0%} and {inside['canonical', 'fsim']:.0%} "
        "with the definitions of the metrics' authors.",
        f"SSIM and FSIM of the paper's figures correlate with r = "
        f"{paper['paper (four figures)']:.2f}, the package's with {paper['package']:.2f}.",
        f"On these pairs pixel metrics have an AUC of at most {max(pixel):.2f}, the CLIP score "
        f"{clip:.2f}: the variant {decides} who is ahead.",
    ]


def _own_pictures(results):
    return [
        f"Pairs of pictures that score at or above the threshold of {results['threshold']:.2f} "
        f"({results['threshold_from']}): {results['n_edges']:,}.",
        f"Clusters: {len(results['clusters']):,}, the largest of "
        f"{max(row['pictures'] for row in results['clusters']):,} pictures."
        if results["clusters"]
        else "No two pictures are related at it.",
        f"For “{results['search'][0]['text']}” the first picture is "
        f"{results['search'][0]['picture']}."
        if results["search"]
        else "Nothing was searched for.",
    ]


def _verdicts(results):
    claims = results["claims"]
    counts = Counter(row["verdict"] for row in claims)
    words = [f"{n} {verdict}" for verdict, n in counts.most_common()]
    kinds = {verdict: [r["text"] for r in claims if r["verdict"] == verdict] for verdict in counts}
    first = "; ".join(kinds.get("supported", [])[:2]) or "none"
    failed = "; ".join(kinds.get("not supported", [])[:2]) or "none"
    return [
        f"Of {len(claims)} claims: {', '.join(words)}.",
        f"Among those that hold: {first}",
        f"Among those that do not: {failed}",
    ]


def _claims(results):
    """A sentence for each of the first three claims that have findings."""
    keys = dict.fromkeys(one["claim"] for one in results["findings"])
    return [_claim(key, results) for key in list(keys)[:3]]


def _claim(key, results):
    own = [one for one in results["findings"] if one["claim"] == key]
    said = claim_of(own)
    words = CLAIMS[key].words
    tested = [one for one in own if one.get("estimate") is not None] or own
    first = next((one for one in tested if one["verdict"] == said["verdict"]), tested[0])
    numbers = ""
    if first.get("estimate") is not None:
        ends = first["ci95"]
        interval = f" [{ends[0]:.3f}, {ends[1]:.3f}]" if None not in ends else ""
        numbers = f" {first['estimate']:.3f}{interval}"
    sentence = words[0].upper() + words[1:].rstrip(".")
    tested = first["experiment"][0].upper() + first["experiment"][1:]
    return f"{sentence}: {verdict_words(said)}. {tested}{':' * bool(numbers)}{numbers}."


SENTENCES = {
    "01": _data, "02": _training, "03": _retrieval, "04": _scores, "05": _table_1, "06": _figures,
    "07": _variants, "08": _claims, "09": _claims, "10": _claims, "11": _claims, "12": _claims,
    "13": _verdicts, "14": _own_pictures,
}  # fmt: skip
