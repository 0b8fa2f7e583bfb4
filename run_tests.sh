#!/usr/bin/env bash
# Lint, format, unit tests, notebook hygiene, and every notebook end to end with the smoke
# profile. Arguments go to pytest: ./run_tests.sh -k ssim

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" >/dev/null && pwd)
tools="pytest ruff playwright"
. "$root/scripts/environment.sh"
cd "$root"
"$python" -m ruff check
"$python" -m ruff format --check
exec "$python" -m pytest --durations 10 "$@"
