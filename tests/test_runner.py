"""`run_notebooks` on throwaway notebooks: order, failures, statuses; the errors it tells apart."""

import os
import threading

import pytest
import throwaway_notebooks
from throwaway_notebooks import PARAMETERS_CELL, write_notebook

from clipsim import ProfileError, load_profile
from clipsim.errors import is_bad_input
from clipsim.report import run as runner
from clipsim.report.run import NotebookError, NotebookFailure, run_notebooks

study = pytest.fixture(throwaway_notebooks.study)


@pytest.fixture
def executed(monkeypatch):
    """Stands in for the execution: the list of (notebook, parameters) that would have run."""
    calls = []
    monkeypatch.setattr(
        runner, "execute", lambda path, folder, values, *_: calls.append((path.stem, values))
    )
    return calls


def run(*overrides, **options):
    return run_notebooks("mine.yaml", overrides, **options)


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"first": "04"}, "no notebook '04'; there are: 00, 03, 05"),
            ({"only": ["xy"]}, "no notebook 'xy'"),
        ],
    )
    def test_unknown_notebooks(self, study, executed, options, message):
        with pytest.raises(NotebookError, match=message):
            run(**options)
        assert executed == []

    @pytest.mark.parametrize("parameters", ["", PARAMETERS_CELL + "\nn = 3", "profile ="])
    def test_wrong_parameters_of_a_notebook(self, study, executed, parameters):
        path = study / "notebooks" / "05_third.ipynb"
        write_notebook(path, parameters=parameters)
        with pytest.raises(NotebookError, match="must set overrides and profile alone"):
            run()
        path.write_text("{")
        with pytest.raises(NotebookError, match=r"05_third\.ipynb is not a valid notebook"):
            run()
        assert executed == []

    def test_a_fault_in_the_code_is_not_bad_input(self):
        assert is_bad_input(ProfileError())
        assert is_bad_input(FileNotFoundError())
        assert not is_bad_input(ValueError())


class TestSelection:
    @pytest.mark.parametrize(
        ("options", "stems"),
        [
            ({}, ["00_first", "03_second", "05_third"]),
            ({"first": "3"}, ["03_second", "05_third"]),
            ({"only": ["05", "00_first"]}, ["00_first", "05_third"]),
            ({"only": ["05,03"]}, ["03_second", "05_third"]),
        ],
    )
    def test_runs_in_order(self, study, executed, options, stems):
        assert run(**options) == 0
        assert [stem for stem, _ in executed] == stems

    def test_hands_on_profile_and_overrides(self, study, executed):
        assert run("seed=3", "data_root=x", "merge=false", only=["00"]) == 0
        expected = {"seed": "3", "data_root": str(study / "x"), "merge": "false"}
        assert executed == [
            ("00_first", {"profile": str(study / "mine.yaml"), "overrides": expected})
        ]


class TestOutcome:
    def test_prints_table_1_and_says_whose_it_is(self, study, executed, capsys):
        figures = load_profile("mine.yaml").figures_dir
        figures.mkdir(parents=True)
        (figures / "table_1.md").write_text("| metric |\n")
        for changed, said in ((2e9, "/table_1.md)\n\n| metric |"), (1, "from an earlier run)")):
            os.utime(figures / "table_1.md", (changed, changed))
            assert run() == 0
            assert said in capsys.readouterr().out

    def failing(self, monkeypatch, error):
        def execute(path, folder, values, *_):
            if path.stem == "03_second":
                raise error

        monkeypatch.setattr(runner, "execute", execute)

    def failure(self, error="KeyError"):
        return NotebookFailure("03_second", 3, "x[1]", error, "1", None)

    def test_a_failure_tells_how_to_continue(self, study, monkeypatch, capsys):
        self.failing(monkeypatch, self.failure())
        monkeypatch.setenv(runner.SHELL_COMMAND, "../my study/run_all.sh")
        assert run("data_root=my photos", "seed=1") == 1
        out, err = capsys.readouterr()
        assert out.splitlines()[-1].startswith("[2/3] 03_second … stopped after")
        assert err.splitlines() == [
            "03_second failed in cell 3, at: x[1]",
            "KeyError: 1",
            "continue with: '../my study/run_all.sh' --profile mine.yaml "
            "-p 'data_root=my photos' -p seed=1 --from 03",
        ]
        assert run(only=["00,03,05"]) == 1
        assert capsys.readouterr().err.endswith("--profile mine.yaml --only 03,05\n")

    def test_side_by_side_one_fails_and_the_other_is_done(self, study, monkeypatch, capsys):
        for stem in ("08_fourth", "09_fifth", "12_sixth"):
            write_notebook(study / "notebooks" / f"{stem}.ipynb")
        both, executed, done = threading.Barrier(2, timeout=60), [], []

        def execute(path, *_):
            both.wait()
            executed.append(path.stem)
            if path.stem == "08_fourth":
                raise NotebookFailure("08_fourth", 3, "x[1]", "KeyError", "1", None)

        monkeypatch.setattr(runner, "execute", execute)
        # As where all that comes before them has run.
        monkeypatch.setattr("clipsim.report.current.made_from", lambda *_: "known")
        monkeypatch.setattr("clipsim.report.current.write_stamp", lambda *of: done.append(of[0]))
        monkeypatch.setattr(runner, "MEMORY", 1)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        assert run(first="08") == 1
        assert set(executed) == {"08_fourth", "09_fifth"}
        assert [path.stem for path in done] == ["09_fifth"]
        out, err = capsys.readouterr()
        assert out.count(" … started\n") == 2
        assert err.splitlines()[0] == "08_fourth failed in cell 3, at: x[1]"
        assert err.endswith("--from 08\n")

    def test_bad_input_found_by_a_notebook(self, study, monkeypatch, capsys):
        self.failing(monkeypatch, self.failure("DataError"))
        assert run() == 2
        assert capsys.readouterr().err == "03_second: 1\n"

    def test_interruption(self, study, monkeypatch, capsys):
        self.failing(monkeypatch, KeyboardInterrupt())
        assert run() == 130
        err = capsys.readouterr().err
        assert err.startswith("interrupted in 03_second\ncontinue with: clipsim run")
        assert err.endswith("--from 03\n")
