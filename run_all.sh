#!/usr/bin/env bash
# Runs the notebooks of a profile in order and prints Table 1. One whose code, data, settings and
# results are as it left them is current, and not run again.
#
# usage: run_all.sh [--profile NAME] [-p KEY=VALUE]... [--from NN | --only NN | --list]
#                   [--check | --force]
#
#   --profile NAME   a file in profiles/ by name, or the path of a YAML file (default: demo)
#   -p KEY=VALUE     replace one value of the profile; may be repeated
#   --from NN        start at this notebook, such as 03
#   --only NN        run this notebook alone, current or not; may be repeated, or 05,06
#   --list           list the notebooks and stop
#   --check          run again below runs/check, and compare the numbers of docs/reproducing.md, and
#                    all that no training decides, with the committed results
#   --force          run all, current or not
#   --help           show this and stop
#
# The active environment is used if it has clipsim; else the first run makes .venv.
# Exit status: 0 done, 1 a notebook failed or --check found a difference, 2 bad input,
# 130 interrupted.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" >/dev/null && pwd)
for argument in "$@"; do
    case $argument in
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "$root/run_all.sh"
        exit
        ;;
    esac
done
tools=papermill
. "$root/scripts/environment.sh"
case $0 in
*/*) command=$0 ;;
*) command=./$0 ;;
esac
CLIPSIM_COMMAND=$command exec "$python" -P -m clipsim run "$@"
