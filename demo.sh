#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what is missing, builds, runs the network of examples/demo.yaml on this machine and checks it.
# Arguments go to `tutti run`, e.g. ./demo.sh --set network.n_blocks=1000
set -eu
cd "$(dirname "$0")"

./setup.sh
mkdir -p build
cmake --preset release >build/configure.log || { cat build/configure.log; exit 1; }
cmake --build --preset release --target tutti tutti-air tutti-cpu tutti-ap tutti-ue

rm -rf out/demo
status=0
build/release/bin/tutti run --config examples/demo.yaml --check --out out/demo "$@" || status=$?
if [ "$status" = 0 ] && [ -f out/demo/report.html ]; then
    echo
    echo "Open $(pwd)/out/demo/report.html in a browser."
fi
exit "$status"
