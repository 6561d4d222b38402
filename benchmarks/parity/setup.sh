#!/usr/bin/env bash
# setup.sh VERSION FOLDER: installs NeMo 2.4.1 or 2.7.3 from PyPI into a virtual environment (about 8 GB).
set -euo pipefail
version=$1
folder=$2
case $version in
  2.4.1) packages=("torch==2.6.0" "nemo-toolkit[asr]==2.4.1" "numpy<2" "datasets<4" "pyarrow<19") ;;
  2.7.3) packages=("torch==2.7.1" "nemo-toolkit[asr]==2.7.3") ;;
  *) echo "no list of packages for NeMo $version" >&2; exit 2 ;;
esac
python3 -m venv "$folder"
"$folder/bin/pip" install -q "${packages[@]}"
"$folder/bin/python" -c 'import nemo, torch; print("NeMo", nemo.__version__, "torch", torch.__version__)'
