# Sourced by run_all.sh and run_tests.sh. Needs $root, the repository, and $tools, the modules
# that the script is going to run; sets $python, an interpreter that has this clipsim.
#
# The active environment is used where it has this repository's clipsim. Else .venv is made from
# requirements.lock. .venv/clipsim-setup says what was set up: the hash of the lock and the
# folder, or that a set-up is unfinished, so that a second run starts at once, an interrupted
# one is done again, and a changed lock is installed. Written for bash 3.2, which macOS has.

venv=$root/.venv
state=$venv/clipsim-setup
log=$venv/clipsim-setup.log

stop() {
    echo "$1" >&2
    exit 1
}

# has_clipsim PYTHON: it imports the clipsim of this repository, from a folder without one
has_clipsim() {
    (cd / && "$1" -c '
import os, sys
import clipsim
found = os.path.dirname(os.path.abspath(clipsim.__file__))
sys.exit(not os.path.samefile(found, os.path.join(sys.argv[1], "clipsim")))
' "$root") >/dev/null 2>&1
}

# use PYTHON: settle on it, if it has what the script runs
use() {
    local missing
    python=$(cd / && "$1" -c 'import sys; print(sys.executable)')
    missing=$(cd / && "$python" -c '
import importlib.util, sys
print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name) is None])
' $tools)
    [ -z "$missing" ] || stop "$python has clipsim but not $missing: run '$python -m pip install -e \"$root[dev]\"'"
}

# ours PYTHON: it is the interpreter of the .venv that was set up here
ours() {
    [ -f "$state" ] && [ "$(cd / && "$1" -c 'import sys; print(sys.prefix)' 2>/dev/null)" -ef "$venv" ]
}

# wanted_state PYTHON: what .venv/clipsim-setup says when all is done
wanted_state() {
    "$1" -c '
import hashlib, sys
with open(sys.argv[1], "rb") as lock:
    print(hashlib.sha256(lock.read()).hexdigest(), sys.argv[2])
' "$root/requirements.lock" "$root"
}

# find_python: a Python that can make an environment
find_python() {
    local candidate without_venv=
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
                "$candidate" -c 'import sys; print(sys.executable)'
                return
            fi
            without_venv=${without_venv:-$candidate}
        fi
    done
    if [ -n "$without_venv" ]; then
        stop "$without_venv cannot make environments; on Debian and Ubuntu: apt install $without_venv-venv"
    fi
    stop "clipsim needs Python 3.11 or newer, and none was found on PATH"
}

# logged COMMAND…: run it quietly; on failure show the end of what it said
logged() {
    if ! "$@" >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        stop "the set-up of .venv failed; all that it said is in $log"
    fi
}

set_up() {
    local base found= maker
    [ ! -f "$state" ] || found=$(cat "$state")
    case $found in
    unfinished*)
        maker=${found#unfinished }
        if kill -0 "$maker" 2>/dev/null; then
            stop "process $maker is setting up .venv: wait for it, or end it and delete .venv"
        fi
        ;;
    esac
    if [ -n "$found" ] && [ "${found#* }" = "$root" ] && ours "$venv/bin/python"; then
        base=$venv/bin/python
        echo "updating .venv to requirements.lock ..." >&2
    else
        base=$(find_python) || exit 1
        rm -rf "$venv"
        mkdir "$venv"
        echo "setting up .venv (once: a few minutes, up to 7 GB) ..." >&2
    fi
    echo "unfinished $$" >"$state"
    if [ "$base" != "$venv/bin/python" ]; then
        logged "$base" -m venv "$venv"
    fi
    logged "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
        --require-hashes -r "$root/requirements.lock"
    logged "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
        --no-deps --no-build-isolation -e "$root"
    wanted_state "$venv/bin/python" >"$state"
}

python=
for candidate in python python3; do
    if [ -z "$python" ] && ! ours "$candidate" && has_clipsim "$candidate"; then
        use "$candidate"
    fi
done
if [ -z "$python" ] && [ -d "$venv" ] && [ ! -f "$state" ]; then
    has_clipsim "$venv/bin/python" ||
        stop "$venv was not made by this script and has no clipsim: delete it, or install clipsim there"
    use "$venv/bin/python"
fi
if [ -z "$python" ]; then
    if ! ours "$venv/bin/python" ||
        [ "$(cat "$state")" != "$(wanted_state "$venv/bin/python")" ]; then
        set_up
    fi
    python=$venv/bin/python
fi

# OpenMP's threads sleep while they wait. By default they spin, and where several processes share
# the cores (tests beside notebooks, other users) everything becomes several times slower.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}

# glibc keeps freed memory for the next tensor. By default it gives large blocks back at once, and
# half of an encoder's time goes into getting them again. Results are the same to the bit.
export MALLOC_MMAP_MAX_=${MALLOC_MMAP_MAX_:-0}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-1073741824}
