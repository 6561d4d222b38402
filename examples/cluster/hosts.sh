#!/bin/bash
# One rank on each of the hosts: hosts.sh CONFIG HOST,HOST,… [key=value …]. They must be reached by ssh without a password.
set -euo pipefail
config=$1 hosts=$2
shift 2
count=$(tr ',' '\n' <<<"$hosts" | wc -l)
if mpirun --version | grep -q 'Open MPI'; then
  # All cores of a host are its rank's. Ranks hear of SIGTERM after 30 seconds and have as long to save.
  options=(--host "$hosts" --bind-to none --mca odls_base_sigkill_timeout 30)
else
  options=(-hosts "$hosts" -bind-to none)
fi
exec mpirun -np "$count" "${options[@]}" npx anemone train "$config" exp_manager.resume_if_exists=true "$@"
