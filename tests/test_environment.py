"""The declared dependencies agree everywhere, and the scripts set an environment up."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clipsim.profile import REPOSITORY
from clipsim.record import VARIABLES, keep_freed_memory

CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # PyPI → conda-forge
CONDA_ONLY = ("python=3.11", "pip")


def declared():
    """Requirements of pyproject.toml, with those for development, by canonical name."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] + project["optional-dependencies"]["dev"]
    return {canonicalize_name(r.name): r for r in map(Requirement, texts)}


def conda_blocks():
    """Lines of environment.yml: those for conda, those for pip."""
    lines = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    (pip,) = (line["pip"] for line in lines if isinstance(line, dict))
    return [line for line in lines if isinstance(line, str) and line not in CONDA_ONLY], pip


class TestConda:
    def test_same_packages_at_the_same_versions(self):
        conda, pip = conda_blocks()
        pypi_names = {conda: pypi for pypi, conda in CONDA_NAMES.items()}
        listed = {}
        for requirement in map(Requirement, conda + pip[:-1]):
            name = canonicalize_name(pypi_names.get(requirement.name, requirement.name))
            assert name not in listed, f"{name} is listed twice"
            listed[name] = requirement.specifier
        wanted = {name: requirement.specifier for name, requirement in declared().items()}
        assert listed == wanted

    def test_binder_reads_it(self):
        """Nothing but what repo2docker passes on to conda, and the Python that it looks for."""
        environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
        assert environment.keys() == {"name", "channels", "dependencies"}  # and no prefix
        lines = [line for line in environment["dependencies"] if isinstance(line, str)]
        (python,) = filter(None, (re.match(r"python\s*=+\s*([\d\.]*)", line) for line in lines))
        assert python[1] == "3.11"
        assert conda_blocks()[1][-1] == "-e ."


class TestLock:
    def test_pins_every_dependency_at_a_version_that_satisfies_it(self):
        text, pins = (REPOSITORY / "requirements.lock").read_text(), {}
        entry = r"^(\S+?==\S+(?: ;[^\\\n]*)?) \\\n(?:    --hash=.*\n?)+"
        for pin in map(Requirement, re.findall(entry, text, re.M)):
            (exact,) = pin.specifier
            pins.setdefault(canonicalize_name(pin.name), []).append(exact.version)
        for name, requirement in declared().items():
            assert pins.get(name), f"{name} is not locked"
            assert all(requirement.specifier.contains(v) for v in pins[name]), name


# A Python that stands in for the system's: it tells what it was asked to install.
STAND_IN = """#!/usr/bin/env bash
case "$*" in
"-m venv "*) bin="${*: -1}/bin" && mkdir -p "$bin" && cp "$0" "$bin/python" &&
    echo venv >>"$HERE/calls" ;;
*"pip install "*"-e "*) echo clipsim >>"$HERE/calls" ;;
"-m pip install "*"--require-hashes "*) echo lock >>"$HERE/calls"
    [ ! -f "$HERE/no-network" ] || { echo "no network"; exit 1; } ;;
"pip install "*"--require-hashes "*) echo uv-lock >>"$HERE/calls"
    [ ! -f "$HERE/no-network-for-uv" ] || exit 1 ;;
"-m pip --version") ;;
*sys.prefix*) dirname "$(dirname "$0")" ;;
*sys.executable*) echo "$0" ;;
*"import clipsim"*) exit 1 ;;
*ensurepip*) [ ! -f "$HERE/no-ensurepip" ] ;;
*"-P -m clipsim run"*) echo "ran with ${*: -1}" ;;
*) exec "$REAL_PYTHON" "$@" ;;
esac
"""


class TestSetUp:
    """scripts/environment.sh on a copy of the repository in a folder with a space."""

    @pytest.fixture
    def copy(self, tmp_path):
        root = tmp_path / "a copy"
        (root / "scripts").mkdir(parents=True)
        for name in ("run_all.sh", "scripts/environment.sh", "requirements.lock"):
            shutil.copy(REPOSITORY / name, root / name)
        path = tmp_path / "bin"
        path.mkdir()
        for tool in ("bash", "dirname", "mkdir", "cp", "cat", "rm", "tail", "sed", "sleep"):
            (path / tool).symlink_to(shutil.which(tool))
        for name in ("python3", "python3.12"):
            (path / name).write_text(STAND_IN)
            (path / name).chmod(0o755)
        return root

    def run(self, copy):
        here = copy.parent
        calls = here / "calls"
        calls.write_text("")
        environment = {"PATH": str(here / "bin"), "HERE": str(here), "REAL_PYTHON": sys.executable}
        done = subprocess.run(
            [str(copy / "run_all.sh"), "--list"],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
        )
        return done, calls.read_text().split()

    def test_sets_up_once(self, copy):
        first, calls = self.run(copy)
        assert first.stdout == "ran with --list\n", first.stderr
        assert calls == ["venv", "lock", "clipsim"]
        assert first.stderr.count("\n") == 1
        again, calls = self.run(copy)
        assert (again.stdout, again.stderr, calls) == ("ran with --list\n", "", [])
        assert self.run(copy.rename(copy.with_name("moved")))[1] == ["venv", "lock", "clipsim"]

    def test_a_changed_lock_is_installed(self, copy):
        self.run(copy)
        with (copy / "requirements.lock").open("a") as lock:
            lock.write("\n")
        done, calls = self.run(copy)
        assert calls == ["lock", "clipsim"]
        assert "updating" in done.stderr
        assert self.run(copy)[1] == []

    def test_a_failed_set_up_tells_why_and_is_done_again(self, copy):
        trouble = copy.parent / "no-network"
        trouble.touch()
        done, _ = self.run(copy)
        assert done.returncode == 1
        assert "trying again (2 of 2)" in done.stderr
        assert "no network" in done.stderr
        assert "clipsim-setup.log" in done.stderr.splitlines()[-1]
        trouble.unlink()
        assert self.run(copy)[1] == ["venv", "lock", "clipsim"]

    def test_uv_is_used_where_it_is_and_pip_where_uv_fails(self, copy):
        (copy.parent / "bin" / "uv").symlink_to("python3")
        (copy.parent / "no-ensurepip").touch()
        assert self.run(copy)[1] == ["venv", "uv-lock", "clipsim"]
        (copy.parent / "no-network-for-uv").touch()
        shutil.rmtree(copy / ".venv")
        done, calls = self.run(copy)
        assert calls == ["venv", "uv-lock", "uv-lock", "lock", "clipsim"]
        assert done.stderr.count("trying again") == 2

    def test_does_not_disturb_a_set_up(self, copy):
        self.run(copy)
        (copy / ".venv" / "clipsim-setup").write_text(f"unfinished {os.getpid()}\n")
        self.refused(copy, f"process {os.getpid()} is setting up")

    def test_leaves_a_foreign_venv_alone(self, copy):
        (copy / ".venv").mkdir()
        self.refused(copy, "was not made by this script")

    def test_no_python_or_one_without_venv_is_one_line(self, copy):
        (copy.parent / "no-ensurepip").touch()
        self.refused(copy, "on Debian and Ubuntu: apt install python3.12-venv")
        for stand_in in (copy.parent / "bin").glob("python*"):
            stand_in.unlink()
        self.refused(copy, "clipsim needs Python 3.11 or newer, and none was found on PATH")
        assert not (copy / ".venv").exists()

    def refused(self, copy, why):
        done, calls = self.run(copy)
        assert (done.returncode, calls, done.stderr.count("\n")) == (1, [], 1)
        assert why in done.stderr

    def test_help_needs_no_set_up(self, copy):
        done = subprocess.run([copy / "run_all.sh", "--help"], capture_output=True, text=True)
        assert done.returncode == 0
        assert not (copy / ".venv").exists()
        run_help = subprocess.run(
            [sys.executable, "-m", "clipsim", "run", "--help"], capture_output=True, text=True
        ).stdout
        options = set(re.findall(r"│ +(--?[a-z]+)", run_help))
        assert options == set(re.findall(r"^  (--?[a-z]+)", done.stdout, re.MULTILINE))


def test_what_the_user_has_set_stays_and_the_scripts_set_the_same(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    keep_freed_memory()
    found = {name: os.environ[name] for name in VARIABLES}
    assert found == VARIABLES | {"OMP_WAIT_POLICY": "ACTIVE"}
    script = (REPOSITORY / "scripts" / "environment.sh").read_text(encoding="utf-8")
    for name, value in VARIABLES.items():
        assert f"export {name}=${{{name}:-{value}}}" in script
