#!/usr/bin/env bash
# run.sh PYTHON FOLDER [OPTIONS OF make]: the whole comparison with the NeMo of this Python; prints its table.
set -euo pipefail
python=$1
folder=$2
shift 2
here=$(dirname "$0")
export OMP_NUM_THREADS=1
"$python" "$here/nemo_side.py" make "$folder" "$@"
"$python" "$here/nemo_side.py" curves "$folder" "$@"
npx tsx "$here/ours.ts" "$folder"
npx tsx "$here/curves.ts" "$folder"
"$python" "$here/nemo_side.py" check "$folder"
npx tsx "$here/table.ts" "$folder"
