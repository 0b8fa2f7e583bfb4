#!/usr/bin/env bash
# Lint, format, unit tests, notebook hygiene, and every notebook end to end with the smoke
# profile, on two workers of one thread each. Arguments go to pytest: ./run_tests.sh -k ssim

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" >/dev/null && pwd)
tools="pytest xdist filelock ruff playwright"
. "$root/scripts/environment.sh"
cd "$root"
"$python" -m ruff check
"$python" -m ruff format --check
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$python" -m pytest -n 2 --dist worksteal --durations 10 "$@"
