#!/bin/sh
# Make a virtual environment and install this project in it:  make_venv.sh FOLDER REQUIREMENT [PIP OPTION...]
# Works where Debian leaves ensurepip out of python3: then the pip that is there puts one into the new environment.
set -eu

folder=$1
shift
python=${PYTHON:-python3}
pins=constraints/constraints.txt

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "error[python] lfm2-colbert needs Python 3.11 or newer, this is $("$python" --version)" >&2
    echo "help: make PYTHON=python3.11 ..." >&2
    exit 4
fi
if [ ! -x "$folder/bin/python" ] || ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$folder"
    if ! "$python" -m venv "$folder" >/dev/null 2>&1; then
        rm -rf "$folder"
        "$python" -m venv --without-pip "$folder"
        "$python" -m pip --python "$folder/bin/python" install --quiet --constraint "$pins" pip
    fi
fi
pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet --constraint "$pins" --upgrade pip
echo "installing into $folder (the first time takes a minute or two)"
pip install --quiet --constraint "$pins" "$@"
