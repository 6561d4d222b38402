#!/usr/bin/env bash
# tfjs-node.sh FOLDER: builds @tensorflow/tfjs-node on the TensorFlow library of PyPI's tensorflow-cpu, since the install
# script of tfjs-node downloads its library from outside npm. Needs g++ and Python 3 with pip; Linux x64; about 270 MB to
# download and 1.5 GB in FOLDER. Then: ANEMONE_TFJS_NODE=FOLDER/node_modules/@tensorflow/tfjs-node npm test
# A FOLDER in which it has been built is left as it is.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
module="$folder/node_modules/@tensorflow/tfjs-node"
binding="$module/lib/napi-v8/tfjs_binding.node"
if [ -f "$binding" ]; then exit 0; fi
cd "$folder"
echo '{ "private": true }' > package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel=error @tensorflow/tfjs-node@4.22.0 node-api-headers@1
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest wheel tensorflow-cpu==2.21.0
mkdir -p "$module/deps/lib" "$module/lib/napi-v8"
python3 -m zipfile -e wheel/tensorflow_cpu-*.whl unpacked
rm -rf wheel "$module/deps/include"
mv unpacked/tensorflow/include "$module/deps/include"
mv unpacked/tensorflow/libtensorflow_cc.so.2 unpacked/tensorflow/libtensorflow_framework.so.2 "$module/deps/lib/"
rm -rf unpacked
# libtensorflow_cc exports TensorFlow's C interface, which is all that the binding uses.
ln -sf libtensorflow_cc.so.2 "$module/deps/lib/libtensorflow.so"
ln -sf libtensorflow_framework.so.2 "$module/deps/lib/libtensorflow_framework.so"
cd "$module"
# shellcheck disable=SC2016
g++ -std=c++17 -O2 -shared -fPIC -w -DNAPI_VERSION=8 -DBUILDING_NODE_EXTENSION \
  -I "$folder/node_modules/node-api-headers/include" -I . -I deps/include \
  binding/tfjs_backend.cc binding/tfjs_binding.cc \
  -L deps/lib -ltensorflow -ltensorflow_framework -Wl,-rpath,'$ORIGIN/../../deps/lib' -o "$binding"
