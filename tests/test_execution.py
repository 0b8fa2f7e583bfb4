"""Executing one notebook: its kernel, its failures, what is kept, and Ctrl-C."""

import json
import sys

import nbformat
import pytest
import throwaway_notebooks
from throwaway_notebooks import write_notebook

from clipsim.errors import one_line
from clipsim.report import run as runner

study = pytest.fixture(throwaway_notebooks.study)


@pytest.mark.kernel
class TestExecution:
    def execute(self, study, path, **overrides):
        values = {"profile": "mine", "overrides": overrides}
        runner.execute(path, study / "out", values)

    def test_executes_here_with_its_parameters(self, study, monkeypatch):
        # A kernel of the same name that the user registered must not be the one that runs.
        registered = study / "share" / "kernels" / "python3"
        registered.mkdir(parents=True)
        (registered / "kernel.json").write_text(
            json.dumps({"argv": ["false"], "display_name": "x", "language": "python"})
        )
        monkeypatch.setenv("JUPYTER_PATH", str(study / "share"))
        monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
        path = study / "notebooks" / "00_first.ipynb"
        write_notebook(
            path,
            "import json, os, sys\n"
            "print(json.dumps([sys.executable, os.getcwd(), profile, overrides]))",
        )
        self.execute(study, path, merge=False, data_root=None, learning_rate=1e-5)
        copy = nbformat.read(study / "out" / "00_first.ipynb", as_version=4)
        printed = json.loads(copy.cells[-1].outputs[0].text)
        overrides = {"merge": False, "data_root": None, "learning_rate": 1e-5}
        assert printed == [sys.executable, str(runner.REPOSITORY), "mine", overrides]
        assert [path.name for path in (study / "out").iterdir()] == ["00_first.ipynb"]

    def test_progress_bars_go_and_controls_stay(self, study):
        path = study / "notebooks" / "00_first.ipynb"
        bars = "import time\nfrom tqdm.auto import tqdm\n"
        bars += "for _ in tqdm(range(3), unit='image'): pass\n"
        bars += "for _ in tqdm(range(1), unit='image'): time.sleep(1.5)  # s/image"
        slider = "from ipywidgets import IntSlider\nIntSlider(description='N')"
        write_notebook(path, f"{bars}\nprint('done')")
        self.execute(study, path)
        copy = nbformat.read(study / "out" / "00_first.ipynb", as_version=4)
        assert [output.output_type for output in copy.cells[-1].outputs] == ["stream"]
        assert "widgets" not in copy.metadata
        write_notebook(path, bars, slider)
        self.execute(study, path)
        copy = nbformat.read(study / "out" / "00_first.ipynb", as_version=4)
        (output,) = (output for cell in copy.cells for output in cell.get("outputs", []))
        assert runner.WIDGET in output.data
        assert "widgets" in copy.metadata

    def test_a_failure_keeps_the_last_good_copy(self, study):
        path = study / "notebooks" / "00_first.ipynb"
        (study / "out").mkdir()
        (study / "out" / "00_first.ipynb").write_text("good")
        write_notebook(path, "x = {}", "a = 1\nx[a]")
        with pytest.raises(runner.NotebookFailure) as caught:
            self.execute(study, path)
        failed = study / "out" / "00_first.failed.ipynb"
        assert str(caught.value) == "00_first failed in cell 4, at: x[a]\nKeyError: 1"
        assert not caught.value.is_bad_input
        assert caught.value.kept == failed
        assert (study / "out" / "00_first.ipynb").read_text() == "good"
        assert sorted(p.name for p in (study / "out").iterdir()) == [
            *("00_first.failed.ipynb", "00_first.ipynb")
        ]
        write_notebook(path, "x = {}")
        self.execute(study, path)
        assert not failed.exists()

    def test_bad_input_and_a_dead_kernel_are_told_apart(self, study):
        path = study / "notebooks" / "00_first.ipynb"
        raising = "from clipsim.data import DataError\nraise DataError('no\\ncaptions')"
        write_notebook(path, raising)
        with pytest.raises(runner.NotebookFailure) as caught:
            self.execute(study, path)
        assert caught.value.is_bad_input
        assert one_line(caught.value.message) == "no captions"
        copy = nbformat.read(caught.value.kept, as_version=4)
        (told,) = (output.traceback for output in copy.cells[-1].outputs)
        assert told == ["DataError: no captions"]
        write_notebook(path, "import os, sys\nos.write(2, b'last words\\n')\nos._exit(1)")
        with pytest.raises(runner.NotebookFailure, match="00_first failed in cell 3") as caught:
            self.execute(study, path)
        assert caught.value.error == "DeadKernelError"
        assert not caught.value.is_bad_input
