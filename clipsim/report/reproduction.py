"""What it takes to reproduce the committed numbers exactly, and how near is near enough."""

from clipsim.figures import LABELS
from clipsim.record import VERSIONED
from clipsim.report.tolerances import SeedSpread, items, rule

STATISTICS = {"accuracy": "accuracy", "auc": "AUC", "threshold": "threshold"}


def conditions(records):
    """What the committed results ran on, as a Markdown table.

    Parameters
    ----------
    records : dict of str to dict
        Results files by notebook, of 01 and 05 at least.
    """
    data, found = records["01_data_preparation"], records["05_threshold_sweeps"]
    versions = found["versions"]
    seeds = ", ".join(str(seed) for seed in found["results"]["seeds"][0]["seeds"])
    rows = {
        "versions": f"Python {versions['python']}, "
        + ", ".join(f"{name} {versions[name]}" for name in VERSIONED)
        + "; all others as `requirements.lock` pins them",
        "settings": f"`profiles/{found['profile']}.yaml`, hash `{found['profile_hash'][:12]}`",
        "data": f"{data['data']['source']}, fingerprint `{found['data']['fingerprint'][:12]}`",
        "seeds": f"{found['seed']}; for the spread the trainings {seeds}",
        "device": f"{found['device']}, {found['threads']} threads",
    }
    return _markdown(["", "the committed numbers"], rows.items())


def expected_numbers(records):
    """The main numbers, and how far a rerun's may be off, as a Markdown table.

    Parameters
    ----------
    records : dict of str to dict
        Results files by notebook, of 03 and 05 at least.
    """
    spread = SeedSpread.of(records["05_threshold_sweeps"]["results"])
    rows = []
    for label, item in _main_items(records):
        tolerances = [rule(item, is_same, spread)[1] for is_same in (True, False)]
        rows.append([label, f"{item.value:.4f}", *(f"± {by:.4f}" for by in tolerances)])
    head = ["number", "expected", "the same training", "another training"]
    return _markdown(head, rows)


def _main_items(records):
    recall = "03_caption_retrieval results.recall."
    by_place = {
        item.where: item
        for stem in ("03_caption_retrieval", "05_threshold_sweeps")
        for item in items(records[stem], stem)
    }
    for direction in ("image_to_text", "text_to_image"):
        yield f"R@1, {direction.replace('_', ' ')}", by_place[f"{recall}{direction}.R@1"]
    for place, row in enumerate(records["05_threshold_sweeps"]["results"]["table1"]):
        if row["threshold_from"] != "validation" or row["variant"] == "package":
            continue
        label = LABELS[row["metric"], row["variant"]].label
        for name, words in STATISTICS.items():
            where = f"05_threshold_sweeps results.table1[{place}].{name}"
            yield f"{label}: {words}", by_place[where]


def _markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
