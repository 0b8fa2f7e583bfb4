"""What CONTRIBUTING.md says can be added is added to a copy of the repository, and runs there."""

import json
import re
import shutil
import subprocess
import sys

import nbformat
import photograph_folders as folders
import pytest

from clipsim.metrics.compared import METRICS
from clipsim.profile import REPOSITORY

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|markdown)\n(?:# (\S+), ([^\n]+)\n)?(.*?)^```", TEXT, re.M | re.S)
NOTEBOOK = "15_colours"

ENCODER_AND_METRIC = """
import json
from clipsim import load_profile
from clipsim import profile as config
from clipsim.data import load, load_pairs
from clipsim.evaluation.table_1 import accuracy_by_kind, table_1
from clipsim.evaluation.steps import load_scores, retrieve, score_all_metrics
from clipsim.evaluation.steps import train_or_load, trained_model
from clipsim.figures.charts import score_distributions, threshold_sweeps
from clipsim.figures.style import save_figure
from clipsim.figures.tables import write_table_1

profile = load_profile("smoke", image_encoder="colours", epochs=1, n_pairs=8)
images = load(profile)
pairs = load_pairs(profile, images)
model = train_or_load(profile, images)
score_all_metrics(profile, images, pairs, retrieve(profile, model, images))
scores = load_scores(profile, images, pairs)
figure, numbers = score_distributions(scores, pairs.similar)
save_figure(figure, profile, "score_distributions", numbers)
rows = table_1(pairs, scores, profile)
print(json.dumps({
    "encoder": trained_model(profile, images).profile.image_encoder,
    "width": model.image_backbone.width,
    "table": write_table_1(rows, profile),
    "rows": [row["metric"] for row in rows],
    "panels": [axis.get_title() for axis in figure.axes],
    "kinds": accuracy_by_kind(pairs, scores, profile),
}))
"""

DATA_SET = """
import json, sys
from clipsim import load_profile
from clipsim.data import load, load_pairs
from clipsim.data.pool import (caption_pool)

root = {"data_root": sys.argv[1]}
profile = load_profile("flickr8k", pairs="captions", n_pairs=10, n_descriptions=5, **root)
images = load(profile)
print(json.dumps({
    "images": images.image_ids, "captions": images.captions[0], "details": images.details,
    "pairs": len(load_pairs(profile, images)), "pool": len(caption_pool(profile, images)),
}))
"""


def in_place(path, where, block):
    """Put a block of CONTRIBUTING.md into a file: above a name's assignment, or in it, last."""
    source = path.read_text(encoding="utf-8")
    how, name = where.split()
    start = re.search(rf"^{name} = [({{]$", source, re.M).start()
    if how == "in":
        start = re.search(r"^[)}]", source[start:], re.M).start() + start
    spaced = block if how == "in" else f"{block}\n\n"
    path.write_text(source[:start] + spaced + source[start:], encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A copy of the package with every addition of CONTRIBUTING.md, and its notebook alone."""
    root = tmp_path_factory.mktemp("changed")
    for name in ("clipsim", "profiles"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, root / name, ignore=ignore)
    cells = []
    for language, path, where, block in BLOCKS:
        if language == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(block))
        elif path.endswith(".ipynb"):
            assert path == f"notebooks/{NOTEBOOK}.ipynb"
            tags = {"tags": ["parameters"]} if where == "tagged parameters" else {}
            cells.append(nbformat.v4.new_code_cell(block, metadata=tags))
        else:
            in_place(root / path, where, block)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    (root / "notebooks").mkdir()
    nbformat.write(notebook, root / "notebooks" / f"{NOTEBOOK}.ipynb")
    return root


def python(root, *arguments):
    """Run the copy's code, and nothing of this repository's."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True,
        env={"PATH": "", "HOME": str(root), "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_text_has_all_four(changed):
    added = [path for language, path, _, _ in BLOCKS if language == "python"]
    assert {path.rpartition("/")[2] for path in added} == {
        "encoders.py",
        "layouts.py",
        "compared_metrics.py",
        f"{NOTEBOOK}.ipynb",
    }


def test_an_encoder_and_a_metric_go_all_the_way_to_table_1(changed):
    found = json.loads(python(changed, "-c", ENCODER_AND_METRIC).splitlines()[-1])
    assert (found["encoder"], found["width"]) == ("colours", 48)
    assert found["rows"].count("colour") == 1
    assert "| mean colour | " in found["table"]
    assert "mean colour" in found["panels"]
    assert len(found["panels"]) == len(METRICS) + 1  # none is empty
    assert all(0 <= row["colour"] <= 1 for row in found["kinds"].values())


def test_a_data_set_becomes_images_pairs_and_a_pool(changed, tmp_path):
    names = [f"{1000 + i}_{i:08x}ab.jpg" for i in range(100)]
    folders.write_pictures(tmp_path / "pictures", names)
    lines = [f"{name}\t{caption}\n" for name in names for caption in folders.captions(name)]
    (tmp_path / "captions.tsv").write_text("".join(lines), encoding="utf-8")
    found = json.loads(python(changed, "-c", DATA_SET, str(tmp_path)).splitlines()[-1])
    assert found["images"] == names
    assert found["captions"] == folders.captions(names[0])
    assert found["details"]["layout"] == "tab separated"
    assert found["details"]["split"] == {"train": 80, "val": 10, "test": 10, "unsplit": 0}
    assert found["pairs"] == 2 * 10
    assert found["pool"] > 80


@pytest.mark.kernel
def test_a_notebook_runs_in_its_place(changed):
    printed = python(changed, "-m", "clipsim", "run", "--profile", "smoke", "--only", "15")
    assert printed.startswith(f"[1/1] {NOTEBOOK} … ")
    path = changed / "results" / "smoke" / f"{NOTEBOOK}.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert set(record["results"]["auc"]) == {"ssim", "fsim", "colour"}
    assert (changed / "runs" / "smoke" / "report" / f"{NOTEBOOK}.html").is_file()
    listed = python(changed, "-m", "clipsim", "run", "--list")
    assert "15  15 · Colours\n    Do mean colours tell alike from different?" in listed
