"""`run --check`: what passes, what fails, and that committed results are not written over."""

import copy
import json

import pytest
import throwaway_notebooks

from clipsim import ProfileError
from clipsim.profile import REPOSITORY
from clipsim.record import start_run
from clipsim.report import check
from clipsim.report import run as runner
from clipsim.report.run import run_notebooks

RECORDS = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((REPOSITORY / "results" / "demo").glob("*.json"))
}
STEMS = (check.TRAINING, check.RETRIEVAL, check.TABLE_1)


def failing(change, is_same=False):
    """What fails when `change` was applied to a rerun that is else the committed one."""
    rerun = copy.deepcopy(RECORDS)
    change({stem: record["results"] for stem, record in rerun.items()})
    table = check.comparison(RECORDS, rerun, is_same)
    return set(table[~table.ok].number)


def table_1(results, metric="clip_score"):
    return next(row for row in results[check.TABLE_1]["table1"] if row["metric"] == metric)


@pytest.mark.parametrize("is_same", [True, False])
def test_the_committed_results_agree_with_themselves(is_same):
    assert failing(lambda results: None, is_same) == set()


@pytest.mark.parametrize("position", range(5))
def test_another_seeds_numbers_pass_as_another_training_and_fail_as_the_same(position):
    def of_the_seed(results):
        for spread in results[check.TABLE_1]["seeds"]:
            if spread["metric"] == "clip_score" and spread["statistic"] in table_1(results):
                table_1(results)[spread["statistic"]] = spread["values"][position]

    assert failing(of_the_seed) == set()
    assert failing(of_the_seed, is_same=True)  # a row holds the mean over the seeds


def test_the_packages_ssim_for_the_canonical_one_fails_whatever_the_training():
    def swapped(results):
        table_1(results, "ssim")["auc"] += 0.01
        results["07_which_ssim_and_fsim"]["ladder"]["ssim"][0]["median"] += 0.01

    assert failing(swapped) == {"SSIM: AUC", "07_which_ssim_and_fsim results.ladder.ssim.0.median"}


def test_other_data_and_a_missing_notebook_fail():
    rerun = copy.deepcopy(RECORDS)
    rerun[check.TABLE_1]["data"]["fingerprint"] = "other"
    del rerun["04_similarity_scoring"]
    table = check.comparison(RECORDS, rerun, is_same=True)
    failed = set(table[~table.ok].number)
    stems = check.TABLE_1, "04_similarity_scoring"
    assert failed >= {f"{stem} data.fingerprint" for stem in stems}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A repository with a profile, three notebooks that need no kernel, and their results."""
    throwaway_notebooks.repository(tmp_path, monkeypatch, STEMS)
    found = {stem: copy.deepcopy(RECORDS[stem]["results"]) for stem in STEMS}

    def execute(path, folder, values, *_):
        one = start_run(path.stem, values["profile"], values["overrides"])
        one.write_results({}, found[path.stem])

    monkeypatch.setattr(runner, "execute", execute)
    monkeypatch.setattr("clipsim.report.current.write_stamp", lambda *_: None)
    assert run_notebooks("mine") == 0
    return tmp_path, found


def committed(folder):
    return {path.name: path.read_bytes() for path in (folder / "results" / "mine").iterdir()}


def test_a_rerun_that_agrees_leaves_the_committed_results(study, capsys):
    folder, found = study
    before = committed(folder)
    found[check.TRAINING]["history"][7]["loss"] += 1e-6  # the last digits of another CPU
    assert run_notebooks("mine", check=True) == 0
    assert "The training is the committed one" in capsys.readouterr().out
    assert committed(folder) == before


def test_a_number_that_does_not_agree(study, capsys):
    folder, found = study
    before = committed(folder)
    found[check.RETRIEVAL]["recall"]["image_to_text"]["R@1"] += 0.01
    assert run_notebooks("mine", check=True) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("False")]
    assert "R@1, image to text" in line
    assert committed(folder) == before
    found[check.TRAINING]["history"][7]["loss"] *= 1.001  # then it is another training's
    assert run_notebooks("mine", check=True) == 0


def test_training_anew_forgets_what_an_earlier_check_left(study):
    folder, _ = study
    kept = folder / "runs" / "check" / "mine" / "work" / "model"
    kept.parent.mkdir(parents=True)
    kept.write_text("old")
    assert run_notebooks("mine", only=["03"], check=True) == 0
    assert kept.is_file()
    assert run_notebooks("mine", first="02", check=True) == 0
    assert not kept.exists()


@pytest.mark.parametrize("item", ["n_descriptions=3", "output_root=elsewhere"])
def test_other_settings_have_nothing_to_compare_with(study, item):
    with pytest.raises(ProfileError, match=f"leave out -p {item.partition('=')[0]}"):
        run_notebooks("mine", [item], check=True)


def test_without_committed_results(study):
    folder, _ = study
    (folder / "results" / "mine" / f"{check.TRAINING}.json").unlink()
    with pytest.raises(ProfileError, match="nothing to compare with"):
        run_notebooks("mine", check=True)
