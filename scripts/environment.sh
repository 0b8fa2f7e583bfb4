# Sourced by run_all.sh and run_tests.sh. Needs $root, the repository, and $tools, the modules
# that the script is going to run; sets $python, an interpreter that has this clipsim.
#
# The active environment is used where it has this repository's clipsim. Else .venv is made from
# requirements.lock. .venv/clipsim-setup says what was set up: the hash of the lock and the
# folder, or that a set-up is unfinished, so that a second run starts at once, an interrupted
# one is done again, and a changed lock is installed. uv is used where it is installed.
# Written for bash 3.2, which macOS has.

venv=$root/.venv
state=$venv/clipsim-setup
log=$venv/clipsim-setup.log
uv=$(command -v uv || true)

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

# find_python: a Python that can make an environment; uv needs no pip in it
find_python() {
    local candidate without_venv= modules="ensurepip, venv"
    [ -z "$uv" ] || modules=venv
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            if "$candidate" -c "import $modules" >/dev/null 2>&1; then
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

# clock: how long the set-up takes, in place on a terminal, else a line each 30 s; it ends with the
# script, however that ends
clock() {
    local began=$SECONDS seconds next=30
    while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        seconds=$((SECONDS - began))
        if [ -t 2 ]; then
            printf '%s s \r' "$seconds" >&2
        elif [ "$seconds" -ge "$next" ]; then
            echo "still setting up .venv: $next s" >&2
            next=$((next + 30))
        fi
    done
}

# logged COMMAND…: run it quietly
logged() {
    "$@" >>"$log" 2>&1
}

failed() {
    tail -n 15 "$log" >&2
    stop "the set-up of .venv failed; all that it said is in $log"
}

# install ARGUMENT…: into .venv, by uv where there is one, else by pip. What fails, as downloads do,
# is tried twice again, at last by pip, which may know of another index than uv.
install() {
    local try
    for try in 1 2 3; do
        if [ -n "$uv" ] && [ "$try" -lt 3 ]; then
            logged "$uv" pip install --compile-bytecode --python "$venv/bin/python" "$@" && return
        elif logged "$venv/bin/python" -m pip --version || logged "$venv/bin/python" -m ensurepip; then
            logged "$venv/bin/python" -m pip install --disable-pip-version-check --no-input "$@" &&
                return
        fi
        [ "$try" -eq 3 ] || echo "a download failed: trying again ($try of 2) ..." >&2
    done
    failed
}

set_up() {
    local base found= maker ticking
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
    clock &
    ticking=$!
    trap "kill $ticking" EXIT
    if [ "$base" != "$venv/bin/python" ]; then
        logged "$base" -m venv ${uv:+--without-pip} "$venv" || failed
    fi
    install --require-hashes -r "$root/requirements.lock"
    install --no-deps --no-build-isolation -e "$root"
    kill "$ticking"
    wait "$ticking" 2>/dev/null || true # which would say that it was killed
    trap - EXIT
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

# OpenMP's threads and NumPy's sleep while they wait. By default they spin, and where several
# processes share the cores (tests beside notebooks, other users) everything becomes several times
# slower. A few microseconds of spinning save the small steps of a training a fifth of their time.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-300}
export OPENBLAS_THREAD_TIMEOUT=${OPENBLAS_THREAD_TIMEOUT:-16} # 2^16 cycles

# glibc keeps freed memory for the next tensor. By default it gives large blocks back at once, and
# half of an encoder's time goes into getting them again. Results are the same to the bit.
export MALLOC_MMAP_MAX_=${MALLOC_MMAP_MAX_:-0}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-1073741824}
