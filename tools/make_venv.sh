#!/bin/sh
# make_venv.sh VENV [PYTHON]
#
# Makes the virtual environment VENV, with a pip that knows dependency groups, from PYTHON or from the first Python
# that is 3.11 or later. One that is there and works is kept. Says what is missing when it cannot.
set -eu

venv=$1
wanted=${2:-}

suits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1
}

give_up() {
    printf 'cosemic: %s\n' "$@" >&2
    exit 1
}

find_python() {
    if [ -n "$wanted" ]; then
        suits "$wanted" || give_up "PYTHON=$wanted is no working Python 3.11 or later."
        python=$wanted
        return
    fi
    for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if suits "$python"; then return; fi
    done
    give_up "no Python 3.11 or later found (looked for python3, python3.14 ... python3.11, python)." \
        "Install one, or name it: make PYTHON=/path/to/python3"
}

if ! suits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version </dev/null >/dev/null 2>&1; then
    find_python
    echo "== making $venv with $("$python" --version 2>&1)"
    # Debian and Ubuntu ship Python without ensurepip, which venv needs.
    "$python" -c 'import ensurepip, venv' </dev/null 2>/dev/null ||
        give_up "$python cannot make virtual environments: its module venv or ensurepip is missing." \
            "On Debian and Ubuntu: sudo apt-get install python3-venv"
    "$python" -m venv --clear "$venv" </dev/null
fi
"$venv/bin/python" -m pip --disable-pip-version-check --no-input --quiet install 'pip>=25.1' </dev/null
