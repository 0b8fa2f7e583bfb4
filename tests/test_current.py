"""What a second run leaves out: a notebook that would be made again of the same, into the same."""

from types import SimpleNamespace

import pytest
import throwaway_notebooks
from throwaway_notebooks import write_notebook

from clipsim import load_profile
from clipsim.record import save_arrays, start_run
from clipsim.report import current
from clipsim.report import run as runner
from clipsim.report.run import run_notebooks

ALL = ["03_data", "04_training", "12_retrieval"]
SECOND = ALL[1]
# What changes, as a path from the repository and its new content (None: gone), and what runs.
CHANGES = {
    "clipsim/a.py": ("2", ALL),
    "photographs/a.jpg": ("12", ALL),
    "profiles/mine.yaml": ("dataset: openmoji\npairs: scenes\nseed: 2", ALL),
    "WORK/trained_before.npz": ("", ALL),
    f"notebooks/{SECOND}.ipynb": ("{}", [SECOND]),  # into the same outcome: 12 is as it was
    f"runs/mine/notebooks/{SECOND}.ipynb": (None, [SECOND]),
    f"results/mine/{SECOND}.json": ('{"data": {}, "results": {"found": 2}}', [SECOND]),
    "figures/mine/training.png": (None, [SECOND]),
    f"WORK/{SECOND}.npz": ("", [SECOND]),
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Notebooks that need no kernel: each leaves results, a figure and an array.

    `again(**options)` runs them and returns those that were executed; `found` is what they find.
    """
    throwaway_notebooks.repository(tmp_path, monkeypatch, ALL)
    for name in ("clipsim/a.py", "photographs/a.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    settings = load_profile("mine")
    figures, work = settings.figures_dir, settings.work_dir
    figures.mkdir(parents=True)
    save_arrays(work / "trained_before.npz", "x")
    found, executed = dict.fromkeys(ALL, 1), []

    def execute(path, folder, values, *_):
        executed.append(path.stem)
        if found[path.stem] is None:
            raise KeyboardInterrupt
        if found[path.stem] != "elsewhere":
            one = start_run(path.stem, values["profile"], values["overrides"])
            one.write_results({}, {"found": found[path.stem]})
        save_arrays(work / f"{path.stem}.npz", "x")
        (figures / f"{path.stem[3:]}.png").write_text("drawn")
        folder.mkdir(parents=True, exist_ok=True)
        write_notebook(folder / path.name, "run.write_results()")

    def again(**options):
        executed.clear()
        run_notebooks("mine", ["data_root=photographs"], **options)
        return list(executed)

    monkeypatch.setattr(runner, "execute", execute)
    monkeypatch.setattr(runner, "_show_outcome", lambda *_: None)
    monkeypatch.setattr(runner, "check_parameters", lambda *_: None)
    assert again() == ALL
    return SimpleNamespace(folder=tmp_path, work=work, again=again, found=found)


def test_nothing_runs_again_unless_it_is_named_or_forced(study, capsys):
    assert study.again() == study.again(first="04") == []
    assert f"\n[1/2] {SECOND} … current\n[2/2] " in capsys.readouterr().out
    assert study.again(only=["04"]) == [SECOND]
    assert study.again(force=True) == ALL
    assert study.again() == []


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_or_is_gone_runs_again(study, name):
    content, executed = CHANGES[name]
    path = study.folder / name.replace("WORK", str(study.work))
    path.unlink() if content is None else path.write_text(content)
    assert study.again() == executed
    assert study.again() == []


def test_other_packages_and_another_outcome_reach_what_comes_after(study, monkeypatch):
    study.found[SECOND] = 2
    assert study.again(only=["04"]) == [SECOND]
    assert study.again() == ALL[2:]
    monkeypatch.setattr(current, "_installed", lambda: ["torch 3"])
    assert study.again() == ALL


def test_the_state_of_a_training_that_went_on_stales_nothing(study):
    state = study.work / "step-000010.pt"
    state.write_text("")  # there when the first is stamped, gone when the others are
    study.again(only=["03"])
    state.unlink()
    study.again(only=["04,12"])
    assert study.again() == ALL[:1]


def test_an_interrupted_notebook_and_one_that_writes_elsewhere_run_again(study):
    (study.folder / "clipsim" / "a.py").write_text("2")
    study.found[SECOND] = None
    assert study.again() == ALL[:2]
    study.found |= {SECOND: 1, ALL[2]: "elsewhere"}  # as notebook 14 does on somebody's folder
    assert study.again() == ALL[1:]
    assert study.again() == ALL[2:]
