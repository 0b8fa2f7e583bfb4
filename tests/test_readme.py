"""README and docs/ keep their word: between `<!-- from … -->` and `<!-- end -->` stands what the
results say, and what they point to exists."""

import json
import math
import re
import tomllib

import pytest

from clipsim.data.photographs.of_packages import TERMS
from clipsim.figures import (
    found,
    markdown_table,
    paper_and_run,
    seed_sentence,
    table_1_markdown,
    verdicts_table,
)
from clipsim.pictures import SHIPPED
from clipsim.profile import NOTEBOOKS, REPOSITORY, load_profile
from clipsim.report import headlines, made_of, notebook_paths, outline, tolerance

BLOCK = re.compile(r"<!-- from [^>]*-->\n\n(.*?)\n\n<!-- end -->", re.DOTALL)
TOP = ("README.md", "CONTRIBUTING.md", "NOTICE.md", "CHANGELOG.md", "benchmarks/README.md")
FOLDERS = ("docs", "docs/demo", "docs/flickr8k")
DOCS = [f"{name}/{path.name}" for name in FOLDERS for path in REPOSITORY.glob(f"{name}/*.md")]
PAGES = {name: (REPOSITORY / name).read_text(encoding="utf-8") for name in (*TOP, *DOCS)}


def read(*names):
    return json.loads(REPOSITORY.joinpath(*names).read_text(encoding="utf-8"))


RECORDS = {
    profile: {path.stem: read(path) for path in (REPOSITORY / "results" / profile).glob("*.json")}
    for profile in ("demo", "flickr8k")
}
RECORDS["flickr8k"].pop("14_your_images", None)  # somebody's own, never committed
DEMO, PHOTOGRAPHS = ({k: v["results"] for k, v in of.items()} for of in RECORDS.values())
TABLE_1 = "05_threshold_sweeps"


def table_1(results):
    return table_1_markdown([r for r in results["table1"] if r["threshold_from"] != "paper"])


def sentences(*stems):
    return [line for stem in stems for line in found(stem, PHOTOGRAPHS[stem])]


def short(sentence):
    """Without the experiment that stands behind it."""
    return re.split(r"(?<=\.) (?=[A-Z])", sentence)[0]


def listed(lines):
    return "\n".join(f"* {line}" for line in lines)


def notebooks():
    """Of each its question, and the first thing it found: on photographs, else on the demo."""
    cells = []
    for path in notebook_paths(NOTEBOOKS):
        profile = "flickr8k" if path.stem in PHOTOGRAPHS else "demo"
        results = RECORDS[profile].get(path.stem, {}).get("results")
        question = outline(path)[1].partition(" (paper")[0]
        row = {"notebook": f"[{path.stem}](docs/{profile}/{path.stem}.md)", "question": question}
        cells.append(row | {"found": short(found(path.stem, results)[0]) if results else "–"})
    return markdown_table(cells)


def verdicts():
    both = {"demo": DEMO, "photographs": PHOTOGRAPHS}
    return verdicts_table({data: of["13_verdicts"]["claims"] for data, of in both.items()})


def expected_numbers():
    cells = []
    for label, (value, sd) in headlines(RECORDS["demo"]).items():
        same, another = (tolerance(value, sd, is_same=is_same) for is_same in (True, False))
        words = "not compared" if math.isnan(another) else f"± {another:.4f}"
        number = {"number": label, "expected": f"{value:.4f}"}
        cells.append(number | {"the same training": f"± {same:.4f}", "another training": words})
    return markdown_table(cells)


def nothing_fits(limits):
    rows = [(key, f"{limits[key]:.0%} of {n:,}") for key, n in limits["counts"].items()]
    return markdown_table([{"of": k.replace("_", " "), "nothing fits": said} for k, said in rows])


def expected():
    """The blocks of each page, in order."""
    model = read(SHIPPED, "checkpoint.json")["measured"]
    cosine, counts = sentences("09_encoders_and_language")[2], sentences("13_verdicts")[0]
    seeds = seed_sentence(DEMO[TABLE_1]["seeds"], "accuracy")
    more = sentences("01_data_preparation", "07_which_ssim_and_fsim", "11_similarity_graph")
    return {
        "README.md": [listed([*sentences(TABLE_1), short(cosine), counts]), notebooks()],
        "NOTICE.md": [listed(f"`{name}`: {terms}" for name, terms in TERMS.items())],
        "docs/claims.md": [verdicts()],
        "docs/demo_and_paper.md": [paper_and_run(DEMO[TABLE_1]["table1"]), seeds],
        "docs/own_pictures.md": [table_1(model), nothing_fits(model["limits"])],
        "docs/photographs.md": [listed(more), table_1(PHOTOGRAPHS[TABLE_1])],
        "docs/reproducing.md": [expected_numbers()],
    }


@pytest.mark.parametrize("page", PAGES)
def test_what_is_generated_is_what_the_results_say(page):
    assert BLOCK.findall(PAGES[page]) == expected().get(page, [])


@pytest.mark.parametrize("profile", RECORDS)
def test_the_notebooks_pages_are_of_these_results(profile):
    for stem in RECORDS[profile].keys() & {path.stem for path in notebook_paths(NOTEBOOKS)}:
        page = REPOSITORY / "docs" / profile / f"{stem}.md"
        assert page.is_file(), f"{page} is missing: run the notebooks of {profile}"
        foot = page.read_text(encoding="utf-8").splitlines()[-1]
        assert foot == made_of(load_profile(profile), stem), f"{page} is older than its results"


@pytest.mark.parametrize("page", PAGES)
def test_pictures_and_links_exist(page):
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", PAGES[page]):
        assert (REPOSITORY / page).parent.joinpath(target).exists(), target


def test_readme_is_short_and_the_newest_changes_are_of_this_version():
    assert len(PAGES["README.md"].splitlines()) <= 150
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(r"^## (\S+)", PAGES["CHANGELOG.md"], re.M)[1] == version


def test_every_dependency_has_a_reason():
    text = (REPOSITORY / "pyproject.toml").read_text()
    for name in re.findall(r'"([a-z0-9-]+)[=>]=', text.split("[project.optional")[0]):
        if name not in ("setuptools", "python"):
            assert re.search(rf"^\|.*\b{name}\b", PAGES["docs/dependencies.md"], re.M), name
