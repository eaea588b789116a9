#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the packages of packages.txt that are missing, and nothing when none is. Read by demo.sh and test.sh.
#   ./setup.sh [--optional]
set -eu

optional=no
[ "${1:-}" = --optional ] && optional=yes

# Optional ones stand behind `#+ what for:`.
wanted_packages() {
    [ "$optional" = no ] || sed -n 's/^#+[^:]*://p' "$1"
    sed 's/#.*//' "$1"
}

missing_packages() {
    wanted_packages "$1" | tr -s '[:blank:]' '\n' | while read -r package; do
        [ -n "$package" ] || continue
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *'ok installed') ;;
        *) echo "$package" ;;
        esac
    done
}

install_missing() {
    if ! command -v dpkg-query >/dev/null; then
        echo "setup: not a Debian system; install by hand what packages.txt names" >&2
        return 0
    fi
    missing=$(missing_packages "$1")
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086 # words are packages
    set -- $missing
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null; then
        as_root="sudo"
    else
        echo "setup: these packages are missing and this user is neither root nor has sudo: $*" >&2
        echo "setup: as root: apt-get install $*" >&2
        return 1
    fi
    echo "setup: installing $*"
    $as_root apt-get update -q
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

install_missing "$(dirname "$0")/packages.txt"
