"""`run --check`: what passes, what fails, and that committed results are not written over."""

import copy
import json

import pytest

from clipsim import ProfileError, load_profile
from clipsim import profile as config
from clipsim.__main__ import main
from clipsim.profile import REPOSITORY
from clipsim.record import start_run
from clipsim.report import check
from clipsim.report import run as runner
from clipsim.report.tolerances import CHOSEN, Item, SeedSpread, agree, items, rule, varies

STEMS = sorted(path.stem for path in (REPOSITORY / "results" / "demo").glob("*.json"))
RECORDS = {
    stem: json.loads((REPOSITORY / "results" / "demo" / f"{stem}.json").read_text("utf-8"))
    for stem in STEMS
}
SPREAD = SeedSpread.of(RECORDS["05_threshold_sweeps"]["results"])


def every_item():
    return [item for stem in STEMS for item in items(RECORDS[stem], stem)]


def failing(change, is_same_training=False):
    """Keys that fail when `change` was applied to a rerun that is else the committed one."""
    rerun = copy.deepcopy(RECORDS)
    change({stem: record["results"] for stem, record in rerun.items()})
    touched = [stem for stem in STEMS if rerun[stem] != RECORDS[stem]]
    sides = [{stem: side[stem] for stem in touched} for side in (RECORDS, rerun)]
    table = check.comparison(*sides, is_same_training, SPREAD)
    return set(table[~table.ok].key.str.removeprefix("results."))


def row(results, metric="clip_score", origin="validation"):
    rows = results["05_threshold_sweeps"]["table1"]
    return next(r for r in rows if (r["metric"], r["threshold_from"]) == (metric, origin))


class TestRules:
    @pytest.mark.parametrize("is_same_training", [True, False])
    def test_the_committed_results_agree_with_themselves(self, is_same_training):
        assert check.comparison(RECORDS, RECORDS, is_same_training, SPREAD).ok.all()

    def test_of_the_same_training_no_value_may_change(self):
        for item in every_item():
            value = item.value
            if isinstance(value, str):
                wrong = value + "x"
            elif value is None or isinstance(value, bool):
                wrong = 0.5 if value is None else not value
            else:
                wrong = value + 1e-3 * max(1, abs(value))
            passes = agree(item, Item(item.where, wrong, item.record), True, SPREAD)
            assert passes == varies(item), item.where

    def test_only_what_differs_by_nature_is_left_out(self):
        left_out = {item.where.partition(" ")[2] for item in every_item() if varies(item)}
        named = {"runtime_s", "git_commit", "device", "threads"}
        assert {key for key in left_out if not key.startswith(("versions.", "results."))} == named
        costs = {"claim": "retrieval_is_the_cost", "ci95": [0.1, 0.2]}
        for where, record, expected in (
            ("12_cost_and_scale results.findings[0].estimate", costs, True),
            ("13_verdicts results.findings[20].verdict", costs, True),
            ("13_verdicts results.findings[20].claim", costs, False),
            ("12_cost_and_scale results.timings.by_pool[3].median_s", {}, True),
            ("12_cost_and_scale results.recall_of_lists[0].recall", {}, False),
            ("10_beyond_the_training_data results.findings[0].estimate", {"claim": "x"}, False),
        ):
            assert varies(Item(where, 0.5, record)) == expected, where

    def test_another_training_leaves_pixels_data_and_counts_no_room(self):
        strict = {item.where: rule(item, False, SPREAD) for item in every_item()}
        for where in (
            "04_similarity_scoring results.mean_scores[0].ssim",
            "04_similarity_scoring results.spearman.graded.fsim",
            "05_threshold_sweeps results.table1[2].auc",
            "05_threshold_sweeps results.by_kind.same content, same layout.fsim_package",
            "10_beyond_the_training_data results.training_like[0].auc_ssim",
            "07_which_ssim_and_fsim results.ladder.ssim[3].median",
        ):
            assert strict[where] == ("rounding", 1e-4), where
        for item in every_item():
            if item.name in ("fingerprint", "profile_hash", "pool_size", "n_pairs", "claim"):
                exempt = CHOSEN.search(item.where) or varies(item)
                assert exempt or strict[item.where] == ("exact", None), item.where

    def test_tolerances_are_deviations_over_the_committed_seeds(self):
        seeds = RECORDS["05_threshold_sweeps"]["results"]["seeds"]
        of = {(r["metric"], r["statistic"]): r["sd"] for r in seeds}
        found = {item.where: rule(item, False, SPREAD) for item in every_item()}
        table1 = "05_threshold_sweeps results.table1[0]."
        assert found[table1 + "auc"] == ("seeds", 3 * of["clip_score", "auc"])
        assert found[table1 + "accuracy_ci95[0]"] == ("seeds", 3 * of["clip_score", "accuracy"])
        recall = "03_caption_retrieval results.recall.image_to_text.R@1"
        assert found[recall] == ("seeds", 3 * max(sd for sd in of.values()))
        # A quarter of the pairs: twice the deviation. Its own seeds, where they are listed.
        of_kind = "05_threshold_sweeps results.by_kind.same content, other layout.clip_score"
        assert found[of_kind] == ("seeds", pytest.approx(2 * found[recall][1]))
        unseen = RECORDS["10_beyond_the_training_data"]["results"]["unseen"][2]
        own = found["10_beyond_the_training_data results.unseen[2].auc"][1]
        mean = sum(unseen["auc_of_seeds"]) / 5
        sd = (sum((value - mean) ** 2 for value in unseen["auc_of_seeds"]) / 4) ** 0.5
        assert own == pytest.approx(3 * max(sd, 1 / unseen["n_pairs"]))


class TestAnotherTraining:
    @pytest.mark.parametrize("position", range(5))
    def test_another_seeds_numbers_pass(self, position):
        def of_the_seed(results):
            for spread in results["05_threshold_sweeps"]["seeds"]:
                if spread["metric"] == "clip_score":
                    row(results)[spread["statistic"]] = spread["values"][position]

        assert failing(of_the_seed) == set()

    def test_one_description_fails(self):
        def one(results):
            counts = results["08_number_of_descriptions"]["by_count"]
            at_1 = next(r for r in counts if (r["kernel"], r["setting"]) == ("eq4 joint", 1))
            row(results).update({key: at_1[key] for key in ("auc", "accuracy", "threshold")})

        assert failing(one) >= {"table1[0].auc", "table1[0].accuracy", "table1[0].threshold"}

    def test_the_sum_divided_by_n_fails(self):
        def printed(results):
            n = results["03_caption_retrieval"]["n_descriptions"]
            row(results)["threshold"] *= n
            results["04_similarity_scoring"]["mean_scores"][0]["clip_score"] *= n

        assert failing(printed) == {"table1[0].threshold", "mean_scores[0].clip_score"}

    def test_an_untrained_model_fails(self):
        def untrained(results):
            recall = results["02_clip_training"]["history"][0]["recall"]
            results["03_caption_retrieval"]["recall"] = recall

        assert {key.rpartition("R@")[2] for key in failing(untrained)} == {"1", "5", "10"}

    def test_the_packages_ssim_for_the_canonical_one_fails(self):
        def swapped(results):
            for one in results["04_similarity_scoring"]["mean_scores"]:
                one["ssim"] = one["ssim_package"]

        assert len(failing(swapped)) == 4

    def test_other_data_a_lost_row_and_a_new_key_fail(self):
        def change(results):
            results["05_threshold_sweeps"]["table1"].pop()
            results["03_caption_retrieval"]["recall"]["pool_size"] += 1
            results["04_similarity_scoring"]["new"] = 1.0

        keys = failing(change)
        assert keys >= {"table1.length", "table1[10].auc", "recall.pool_size", "new"}

    @pytest.mark.parametrize(
        ("ci95", "passing"),
        [
            ([0.001, 0.014], {"supported", "undecided"}),
            ([0.2, 0.3], {"supported"}),
            ([-0.1, 0.1], {"undecided"}),
            ([-0.3, -0.011], {"undecided", "not supported"}),
        ],
    )
    def test_a_verdict_may_turn_only_near_the_border_of_its_claim(self, ci95, passing):
        record = {"experiment": "AUC of this less that", "ci95": ci95, "region": [0.0, None]}
        verdicts = {"supported", "undecided", "not supported"}
        for committed in passing:
            item = Item("10_x results.findings[0].verdict", committed, record)
            found = {v for v in verdicts if agree(item, Item(item.where, v, {}), False, SPREAD)}
            assert found == passing


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A repository with a profile, two notebooks that need no kernel, and committed results."""
    for folder in ("profiles", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "profiles" / "mine.yaml").write_text("dataset: openmoji\npairs: scenes\n")
    monkeypatch.setattr(config, "REPOSITORY", tmp_path)
    monkeypatch.setattr(config, "PROFILES", tmp_path / "profiles")
    monkeypatch.setattr(config, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(check, "RUNS", tmp_path / "runs")
    stems = (check.TRAINING, "03_caption_retrieval", check.SEEDS)
    paths = [tmp_path / "notebooks" / f"{stem}.ipynb" for stem in stems]
    monkeypatch.setattr(runner, "notebook_paths", lambda folder: paths)
    monkeypatch.setattr(runner, "parameters", lambda path: None)
    monkeypatch.setattr(runner, "code_cells", lambda path: 1)
    monkeypatch.setattr(runner.signal, "signal", lambda *_: None)
    found = {stem: copy.deepcopy(RECORDS[stem]["results"]) for stem in stems}

    def execute(path, folder, values, step):
        one = start_run(path.stem, values["profile"], values["overrides"])
        one.write_results({}, found[path.stem])

    monkeypatch.setattr(runner, "execute", execute)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--profile", "mine"]) == 0
    return tmp_path, found


def committed(folder):
    return {path.name: path.read_bytes() for path in (folder / "results" / "mine").iterdir()}


class TestCommand:
    def test_a_rerun_that_agrees(self, study, capsys):
        folder, _ = study
        before = committed(folder)
        assert main(["run", "--profile", "mine", "--check"]) == 0
        out = capsys.readouterr().out
        assert "The training is the committed one" in out
        assert ": 0 failed." in out
        assert "table1[0].auc" in out
        assert committed(folder) == before
        assert (folder / "runs" / "check" / "mine" / "check.csv").is_file()

    def test_a_number_that_does_not(self, study, capsys):
        folder, found = study
        before = committed(folder)
        found["03_caption_retrieval"]["recall"]["image_to_text"]["R@5"] += 0.01
        assert main(["run", "--profile", "mine", "--check"]) == 1
        out = capsys.readouterr().out
        (line,) = [line for line in out.splitlines() if line.endswith("False")]
        assert "recall.image_to_text.R@5" in line
        assert "rounding" in line
        assert ": 1 failed." in out
        assert committed(folder) == before

    def test_last_digits_of_a_loss_are_no_other_training(self, study, capsys):
        _, found = study
        found[check.TRAINING]["history"][7]["loss"] += 1e-6
        assert main(["run", "--profile", "mine", "--check"]) == 0
        assert "The training is the committed one" in capsys.readouterr().out

    def test_another_training_is_told_and_has_the_seeds_tolerance(self, study, capsys):
        _, found = study
        found[check.TRAINING]["history"][7]["loss"] *= 1.001
        found["03_caption_retrieval"]["recall"]["image_to_text"]["R@5"] += 0.01
        assert main(["run", "--profile", "mine", "--check"]) == 0
        assert "The training is another one" in capsys.readouterr().out

    def test_results_that_are_not_written_again_fail(self, study, monkeypatch, capsys):
        monkeypatch.setattr(runner, "execute", lambda *_: None)
        assert main(["run", "--profile", "mine", "--check", "--only", "03"]) == 1
        assert "missing" in capsys.readouterr().out

    def test_training_anew_forgets_what_an_earlier_check_left(self, study):
        folder, _ = study
        kept = folder / "runs" / "check" / "mine" / "work" / "model"
        kept.parent.mkdir(parents=True)
        kept.write_text("old")
        assert main(["run", "--profile", "mine", "--check", "--only", "03"]) == 0
        assert kept.is_file()
        assert main(["run", "--profile", "mine", "--check", "--from", "02"]) == 0
        assert not kept.exists()

    def test_the_way_on_after_a_failure_is_a_checked_one(self, study, monkeypatch, capsys):
        monkeypatch.setattr(runner, "execute", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(["run", "--profile", "mine", "--check", "--from", "03"]) == 130
        assert capsys.readouterr().err.endswith("--check --from 03 (compares these alone)\n")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["-p", "n_descriptions=3"], "leave out -p n_descriptions=…"),
            (["-p", "output_root=elsewhere"], "leave out -p output_root=…"),
        ],
    )
    def test_other_settings_have_nothing_to_compare_with(self, study, capsys, arguments, message):
        assert main(["run", "--profile", "mine", "--check", *arguments]) == 2
        assert message in capsys.readouterr().err

    def test_without_committed_results(self, study, capsys):
        folder, _ = study
        (folder / "results" / "mine" / f"{check.TRAINING}.json").unlink()
        assert main(["run", "--profile", "mine", "--check"]) == 2
        err = capsys.readouterr().err
        assert "nothing to compare with" in err
        assert err.count("\n") == 1


def test_an_output_root_takes_everything_a_run_writes(tmp_path):
    kept = load_profile("demo")
    run = load_profile("demo", output_root=str(tmp_path))
    for name in ("run_dir", "work_dir", "results_dir", "figures_dir"):
        assert tmp_path in getattr(run, name).parents
        assert getattr(run, name) != getattr(kept, name)
    assert run.hash == kept.hash
    with pytest.raises(ProfileError):
        load_profile("demo", output_root=3)
