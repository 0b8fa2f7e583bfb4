"""README keeps its word: its numbers are the committed results', its files exist."""

import json
import math
import re

from clipsim.evaluation import verdict_words
from clipsim.figures import markdown_table, paper_and_run, seed_sentence, table_1_markdown
from clipsim.profile import NOTEBOOKS, REPOSITORY
from clipsim.report import headlines, notebook_paths, outline, tolerance

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def results(profile, notebook):
    path = REPOSITORY / "results" / profile / f"{notebook}.json"
    return json.loads(path.read_text(encoding="utf-8"))["results"]


def table_1(profile):
    return results(profile, "05_threshold_sweeps")["table1"]


def test_the_demos_table_1_is_the_committed_one():
    expected = paper_and_run(table_1("demo"))
    assert expected in README, f"README needs:\n{expected}"


def test_the_photographs_table_1_is_the_committed_one():
    rows = [row for row in table_1("flickr8k") if row["threshold_from"] == "validation"]
    expected = table_1_markdown(rows)
    assert expected in README, f"README needs:\n{expected}"


def test_the_spread_over_seeds_is_the_committed_one():
    expected = seed_sentence(results("demo", "05_threshold_sweeps")["seeds"], "accuracy")
    assert expected in README, f"README needs: {expected}"


def test_the_verdicts_are_the_committed_ones():
    cells = []
    for rows in zip(
        *(results(of, "13_verdicts")["claims"] for of in ("demo", "flickr8k")), strict=True
    ):
        said = [verdict_words(row) for row in rows]
        said = [words if "(" in words else f"**{words}**" for words in said]
        claim = {"claim": rows[0]["text"], "in the paper": rows[0]["section"]}
        cells.append(claim | dict(zip(("demo", "photographs"), said, strict=True)))
    expected = markdown_table(cells)
    assert expected in README, f"README needs:\n{expected}"


def test_what_reproducing_takes_and_gives_is_the_committed():
    paths = (REPOSITORY / "results" / "demo").glob("*.json")
    records = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    cells = []
    for label, (value, sd) in headlines(records).items():
        another = tolerance(value, sd, is_same=False)
        words = "not compared" if math.isnan(another) else f"± {another:.4f}"
        same = {"the same training": f"± {tolerance(value, sd, is_same=True):.4f}"}
        number = {"number": label, "expected": f"{value:.4f}"}
        cells.append(number | same | {"another training": words})
    expected = markdown_table(cells)
    assert expected in README, f"README needs:\n{expected}"


def test_pictures_and_links_exist():
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (REPOSITORY / target).is_file(), target


def test_every_notebook_is_listed_with_its_question():
    for path in notebook_paths(NOTEBOOKS):
        _, question = outline(path)
        row = next(line for line in README.splitlines() if line.startswith(f"| {path.stem} "))
        assert question.partition(" (paper")[0].strip("*. ?").lower() in row.lower()


def test_every_dependency_has_a_reason():
    text = (REPOSITORY / "pyproject.toml").read_text()
    for name in re.findall(r'"([a-z0-9-]+)[=>]=', text.split("[project.optional")[0]):
        if name not in ("setuptools", "python"):
            assert re.search(rf"^\|.*\b{name}\b", README, re.MULTILINE), name
