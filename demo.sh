#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what is missing, builds, runs the network of examples/demo.yaml on this machine and checks it.
# Arguments go to `tutti run`, e.g. ./demo.sh --set network.n_blocks=1000
# Users send data, too (uplink.mode=central); the table and the report have both directions.
# With --usrp as the first one: examples/usrp.yaml instead, through libuhd on four emulated USRPs.
set -eu
cd "$(dirname "$0")"

network=examples/demo.yaml
uplink=central
programs="tutti tutti-air tutti-cpu tutti-ap tutti-ue"
if [ "${1:-}" = --usrp ]; then
    shift
    network=examples/usrp.yaml
    uplink=none
    programs="$programs emulated-usrp"
fi

./setup.sh
mkdir -p build
cmake --preset release >build/configure.log || { cat build/configure.log; exit 1; }
# shellcheck disable=SC2086 # words are programs
cmake --build --preset release --target $programs

if [ "$network" = examples/usrp.yaml ]; then
    build/release/bin/emulated-usrp --ahead-us 900 --config "$network" >build/emulated-usrp.log &
    emulator=$!
    trap 'kill $emulator' EXIT
    while ! grep -q READY build/emulated-usrp.log; do
        kill -0 $emulator || exit 1
        sleep 0.1
    done
    if command -v uhd_find_devices >/dev/null; then
        uhd_find_devices --args addr=127.0.0.1
    fi
fi

# The newest demo is out/demo; what an earlier one left is kept beside it.
if [ -e out/demo ]; then
    n=1
    while [ -e "out/demo.$n" ]; do
        n=$((n + 1))
    done
    mv out/demo "out/demo.$n"
fi
status=0
build/release/bin/tutti run --config "$network" --set uplink.mode=$uplink --check --out out/demo "$@" || status=$?
if [ "$status" = 0 ] && [ -f out/demo/report.html ]; then
    echo
    echo "Open $(pwd)/out/demo/report.html in a browser."
fi
exit "$status"
