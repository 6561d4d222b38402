#!/usr/bin/env bash
# Builds the native operators of native/ (C, no dependency) with gcc for this machine's Linux x64, and with mingw-w64 for Windows x64
# where that is installed. Usage: bash scripts/native.sh [FOLDER]; FOLDER/PLATFORM/ gets the library (native/build).
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-native/build}"
flags=(-O3 -std=gnu11 -Wall -Wextra -Werror -shared -fvisibility=hidden -ffp-contract=off -fno-math-errno)
sources=(native/gemm16.c native/operator.c native/pointwise.c native/pointwise-operator.c native/depthwise.c native/columns.c
  native/convolution-operators.c)

# build PLATFORM COMPILER FILE FLAGS...
build() {
  mkdir -p "$out/$1"
  "$2" "${flags[@]}" "${@:4}" "${sources[@]}" -o "$out/$1/$3.new"
  mv "$out/$1/$3.new" "$out/$1/$3"
  echo "$out/$1/$3"
}

if [ "$(uname -sm)" = 'Linux x86_64' ] && command -v gcc >/dev/null; then
  build linux-x64 gcc libanemone.so -fPIC
else
  echo "linux-x64 is not built: it needs Linux x64 and gcc" >&2
fi
if command -v x86_64-w64-mingw32-gcc >/dev/null; then
  # gcc does not align the stack of Windows for wide registers: moves must not count on it.
  build win32-x64 x86_64-w64-mingw32-gcc anemone.dll -static-libgcc -Wa,-muse-unaligned-vector-move
else
  echo "win32-x64 is not built: it needs mingw-w64" >&2
fi
