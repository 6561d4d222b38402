#!/usr/bin/env bash
# Installs the PyTorch peer of the benchmarks from PyPI into benchmarks/peers/.venv (about 5 GB).
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install -q -r requirements.txt
.venv/bin/python -c 'import torch, torchaudio; print("torch", torch.__version__, "torchaudio", torchaudio.__version__)'
