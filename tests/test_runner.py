"""`clipsim run` on throwaway notebooks: order, failures, options, exit statuses."""

import os
import re
import sys
import time

import nbformat
import pytest
import throwaway_notebooks
from throwaway_notebooks import PARAMETERS_CELL, write_notebook

from clipsim import ProfileError, load_profile
from clipsim import profile as config
from clipsim.__main__ import main
from clipsim.errors import BAD_INPUT, is_bad_input, one_line
from clipsim.profile import read_overrides
from clipsim.report import notebooks
from clipsim.report import run as runner

study = pytest.fixture(throwaway_notebooks.study)


@pytest.fixture
def executed(monkeypatch):
    """Stands in for the execution: the list of (notebook, parameters) that would have run."""
    calls = []
    monkeypatch.setattr(
        runner, "execute", lambda path, folder, values, step: calls.append((path.stem, values))
    )
    return calls


def run(*arguments):
    return main(["run", "--profile", "mine.yaml", *arguments])


class TestOverrides:
    @pytest.mark.parametrize(
        ("item", "value"),
        [
            ("merge=false", False),
            ("seed=7", 7),
            ("learning_rate=1", 1),
            ("learning_rate=1e-5", 1e-5),
            ("learning_rate=.5", 0.5),
            ("weight_decay=5.E+1", 50.0),
            ("max_images=null", None),
            ("max_images=", None),
            ("mixed_precision=no", "no"),
            ("text_encoder=null", None),
            ("image_encoder=12", "12"),
            ("on_bad_image = skip", "skip"),
        ],
    )
    def test_typed_by_the_key(self, item, value):
        (typed,) = read_overrides([item]).values()
        assert typed == value
        assert type(typed) is type(value)

    def test_floats_take_integers(self, study):
        assert load_profile("mine.yaml", **read_overrides(["learning_rate=1"])).learning_rate == 1

    @pytest.mark.parametrize("key", ["data_root", "pool_file", "output_root"])
    def test_paths_start_at_the_callers_folder(self, key, tmp_path):
        assert read_overrides([f"{key}=../my data: #1"], tmp_path / "here") == {
            key: str(tmp_path / "my data: #1")
        }
        assert read_overrides([f"{key}=/whole"], tmp_path) == {key: "/whole"}
        assert read_overrides([f"{key}=null"], tmp_path) == {key: None}

    def test_a_data_set_on_the_hub_is_no_path_unless_it_is_a_folder(self, tmp_path):
        item = "data_root=owner/name-1.0"
        assert read_overrides([item], tmp_path) == {"data_root": "owner/name-1.0"}
        (tmp_path / "owner" / "name-1.0").mkdir(parents=True)
        assert read_overrides([item], tmp_path) == {"data_root": str(tmp_path / item[10:])}

    @pytest.mark.parametrize("item", ["seed", "=3", ""])
    def test_not_key_value(self, item):
        with pytest.raises(ProfileError, match="expected key=value"):
            read_overrides([item])

    def test_not_yaml(self):
        with pytest.raises(ProfileError, match=r"seed=\[1: the value is not YAML"):
            read_overrides(["seed=[1"])

    def test_profiles_read_numbers_and_words_alike(self, tmp_path):
        path = tmp_path / "a.yaml"
        path.write_text(
            "dataset: openmoji\npairs: scenes\nlearning_rate: 1e-5\nmixed_precision: no\n"
        )
        profile = load_profile(path)
        assert (profile.learning_rate, profile.mixed_precision) == (1e-5, "no")


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--profile", "nowhere"], "profile 'nowhere' not found"),
            (["--profile", "nowhere.yaml"], "profile 'nowhere' not found"),
            (["-p", "sed=1"], "unknown key 'sed'; did you mean 'seed'?"),
            (["-p", "name_or_path=1"], "unknown key 'name_or_path'"),
            (["-p", "seed=one"], "seed='one'"),
            (["-p", "seed=1.5"], "seed=1.5"),
            (["-p", "merge=1"], "merge=1"),
            (["-p", "merge=no"], "merge='no'"),
            (["-p", "normalisation=median"], "normalisation='median'"),
            (["-p", "seed"], "-p seed: expected key=value"),
            (["-p", "learning_rate=-1"], "learning_rate=-1"),
            (["--from", "04"], "no notebook '04'; there are: 00, 03, 05"),
            (["--only", "xy"], "no notebook 'xy'"),
        ],
    )
    def test_is_one_line_and_status_2(self, study, executed, capsys, arguments, message):
        assert run(*arguments) == 2
        out, err = capsys.readouterr()
        assert message in err
        assert (err.count("\n"), out, executed) == (1, "", [])

    @pytest.mark.parametrize(
        "arguments", [["--frm", "03"], ["--from", "03", "--only", "03"], ["-p"], ["extra"]]
    )
    def test_so_are_bad_options(self, study, executed, capsys, arguments):
        with pytest.raises(SystemExit) as exit_:
            run(*arguments)
        assert exit_.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ('profile = "smoke"', "its parameters are not profile (str), overrides (dict)"),
            ('profil = "smoke"\noverrides = {}', "its parameters are not"),
            (PARAMETERS_CELL + "\nn = 3", "its parameters are not"),
            ('profile = "smoke"\noverrides = []', "its parameters are not"),
            ('profile = str("smoke")\noverrides = {}', "not plain literals"),
            ("import os", "not plain literals"),
            ("profile =", "not plain literals"),
        ],
    )
    def test_so_are_wrong_parameters_of_a_notebook(
        self, study, executed, capsys, parameters, message
    ):
        write_notebook(study / "notebooks" / "05_third.ipynb", parameters=parameters)
        assert run() == 2
        assert message in capsys.readouterr().err
        assert executed == []

    def test_so_is_a_notebook_without_parameters(self, study, executed, capsys):
        v4 = nbformat.v4
        path = study / "notebooks" / "05_third.ipynb"
        nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1")]), path)
        assert run() == 2
        assert capsys.readouterr().err == (
            "05_third.ipynb has 0 cells tagged 'parameters', not 1\n"
        )
        path.write_text("{")
        assert run() == 2
        assert capsys.readouterr().err == "05_third.ipynb is not a valid notebook\n"

    def test_so_is_an_empty_folder(self, study, capsys):
        for path in (study / "notebooks").iterdir():
            path.unlink()
        assert run("--list") == 2
        assert capsys.readouterr().err == f"no notebooks in {study / 'notebooks'}\n"

    def test_a_fault_in_the_code_is_not_bad_input(self):
        class SpecialError(ProfileError):
            pass

        assert is_bad_input(SpecialError())
        assert is_bad_input(FileNotFoundError())
        assert not is_bad_input(ValueError())

    def test_every_error_of_the_package_is_listed_by_its_name(self):
        sources = "".join(path.read_text() for path in config.REPOSITORY.glob("clipsim/**/*.py"))
        for bases in ("", "BadInput, "):
            found = re.findall(rf"^class (\w+Error)\({bases}", sources, re.MULTILINE)
            assert set(found) == BAD_INPUT

    def test_one_line(self):
        assert one_line("\x1b[31mred\x1b[0m\n  and more") == "red and more"
        assert one_line(FileNotFoundError(2, "No such file", "a.jpg")) == "a.jpg: No such file"


class TestSelection:
    @pytest.mark.parametrize(
        ("arguments", "stems"),
        [
            ([], ["00_first", "03_second", "05_third"]),
            (["--from", "03"], ["03_second", "05_third"]),
            (["--from", "3"], ["03_second", "05_third"]),
            (["--only", "05", "--only", "00_first"], ["00_first", "05_third"]),
            (["--only", "05,03"], ["03_second", "05_third"]),
        ],
    )
    def test_runs_in_order(self, study, executed, arguments, stems):
        assert run(*arguments) == 0
        assert [stem for stem, _ in executed] == stems

    def test_hands_on_profile_and_overrides(self, study, executed):
        assert run("--only", "00", "-p", "seed=3", "-p", "data_root=x", "-p", "merge=false") == 0
        expected = {"seed": 3, "data_root": str(study / "x"), "merge": False}
        assert executed == [
            ("00_first", {"profile": str(study / "mine.yaml"), "overrides": expected})
        ]

    def test_list(self, study, executed, capsys):
        write_notebook(
            study / "notebooks" / "03_second.ipynb",
            first="# 03 · Retrieval\n\n**Section 3.**\n\n*Which* captions fit?\n\nReads",
        )
        assert run("--list") == 0
        out = capsys.readouterr().out
        assert "03  03 · Retrieval\n    Which captions fit?\n" in out
        assert (out.count("\n"), executed) == (6, [])


class TestOutcome:
    def test_prints_table_1_and_where_things_are(self, study, executed, capsys):
        figures = load_profile("mine.yaml").figures_dir
        figures.mkdir(parents=True)
        (figures / "table_1.md").write_text("| metric |\n")
        assert run() == 0
        out, err = capsys.readouterr()
        assert "[2/3] 03_second … 0 s\n" in out
        assert f"Table 1 ({figures.relative_to(study)}" in out
        assert "| metric |" in out
        assert f"figures    {figures.relative_to(study)}" in out
        assert re.search(r"^report     runs/mine\S*/report/index.html$", out, re.MULTILINE)
        assert err == ""

    def test_says_when_the_table_is_an_earlier_one(self, study, executed, capsys):
        figures = load_profile("mine.yaml").figures_dir
        figures.mkdir(parents=True)
        (figures / "table_1.md").write_text("| metric |\n")
        os.utime(figures / "table_1.md", (1, 1))
        assert run("--only", "00") == 0
        assert "table_1.md, from an earlier run)" in capsys.readouterr().out

    def failing(self, monkeypatch, error):
        def execute(path, folder, values, step):
            if path.stem == "03_second":
                raise error

        monkeypatch.setattr(runner, "execute", execute)

    def failure(self, error="KeyError"):
        return notebooks.NotebookFailure("03_second", 3, "x[1]", error, "1", None)

    def test_a_failure_tells_how_to_continue(self, study, monkeypatch, capsys):
        self.failing(monkeypatch, self.failure())
        monkeypatch.setenv(runner.SHELL_COMMAND, "../my study/run_all.sh")
        assert run("-p", "data_root=my photos", "-p", "seed=1") == 1
        out, err = capsys.readouterr()
        assert out.splitlines()[-1].startswith("[2/3] 03_second … stopped after")
        assert err.splitlines() == [
            "03_second failed in cell 3, at: x[1]",
            "KeyError: 1",
            "continue with: '../my study/run_all.sh' --profile mine.yaml "
            "-p 'data_root=my photos' -p seed=1 --from 03",
        ]

    def test_what_was_left_of_only(self, study, monkeypatch, capsys):
        self.failing(monkeypatch, self.failure())
        assert run("--only", "00,03,05") == 1
        assert capsys.readouterr().err.endswith("--profile mine.yaml --only 03,05\n")

    def test_bad_input_found_by_a_notebook(self, study, monkeypatch, capsys):
        self.failing(monkeypatch, self.failure("DataError"))
        assert run() == 2
        assert capsys.readouterr().err == "03_second: 1\n"

    def test_interruption(self, study, monkeypatch, capsys):
        self.failing(monkeypatch, KeyboardInterrupt())
        assert run() == 130
        err = capsys.readouterr().err
        assert err.startswith("interrupted in 03_second\ncontinue with: python -m clipsim run")
        assert err.endswith("--from 03\n")

    def test_live_counter_on_a_terminal(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        with runner.Progress("[1/1] 00_first", 4) as progress:
            progress.step()
            time.sleep(0.6)
        out, err = capsys.readouterr()
        assert out.startswith("[1/1] 00_first … ")
        assert "cell 1/4" in err
        assert err.endswith("\r\x1b[K")
