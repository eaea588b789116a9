#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything that has to hold: builds with gcc and clang without a warning, all tests, again under the address and
# undefined-behaviour sanitizers, the threaded ones under the thread sanitizer, the format of the sources.
#   ./test.sh          all of it
#   ./test.sh --quick  the release build and its tests only
set -u
cd "$(dirname "$0")" || exit 1

quick=no
for argument in "$@"; do
    case $argument in
    --quick) quick=yes ;;
    *) echo "usage: ./test.sh [--quick]" >&2; exit 2 ;;
    esac
done

./setup.sh || exit 1
logs=build/test-logs
mkdir -p "$logs"
passed=0
failed=0
skipped=0
at_once=$((3 * $(nproc))) # many tests wait for most of their time
start=$(date +%s)

# One thing that passes or fails as a whole; its output is shown when it fails.
step() { # NAME COMMAND...
    name=$1
    shift
    begun=$(date +%s)
    if "$@" >"$logs/$name.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $name ($(($(date +%s) - begun)) s)"
        return 0
    fi
    failed=$((failed + 1))
    echo "FAILED  $name ($logs/$name.log):"
    tail -n 40 "$logs/$name.log"
    return 1
}

# The build counts as one, then every test of ctest.
build() { # PRESET
    step "$1-configure" cmake --preset "$1" && step "$1-build" cmake --build --preset "$1"
}
# Every object of every program, nothing linked: a compiler's warnings are said by then.
objects() { # PRESET
    ninja -C "build/$1" -t targets all | sed -n 's/\.o: .*/.o/p' | xargs ninja -C "build/$1"
}
warnings() { # PRESET
    step "$1-configure" cmake --preset "$1" && step "$1-objects" objects "$1"
}
tests() { # PRESET CTEST-OPTIONS...
    preset=$1
    shift
    ctest --test-dir "build/$preset" -j"$at_once" --output-on-failure --no-tests=error "$@" 2>&1 | tee "$logs/$preset-ctest.log" |
        grep --line-buffered -vE '^ +Start|^Test project|^$'
    sed -n "s/^Total Test time (real) = *\\([0-9]*\\).*/tests of $preset: \\1 s/p" "$logs/$preset-ctest.log"
    count=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*/\1 \2/p' "$logs/$preset-ctest.log")
    if [ -z "$count" ]; then
        failed=$((failed + 1))
        echo "FAILED  ctest of $preset did not finish"
        return
    fi
    bad=${count% *}
    all=${count#* }
    # A whole test that is skipped says why in such a line, and so does a check that is skipped within one.
    not_run=$(grep -c '\*\*\*Skipped' "$logs/$preset-ctest.log")
    lines=$(grep -c '^SKIPPED: ' "build/$preset/Testing/Temporary/LastTest.log")
    grep -h '^SKIPPED: ' "build/$preset/Testing/Temporary/LastTest.log"
    passed=$((passed + all - bad - not_run))
    failed=$((failed + bad))
    skipped=$((skipped + (lines > not_run ? lines : not_run)))
}

format() {
    find ap_node calib common cpu_node fronthaul hw node tests tools ue_node -name '*.[ch]' -print0 |
        xargs -0 -n 60 -P "$(nproc)" clang-format-16 --dry-run -Werror
}

export OPENBLAS_NUM_THREADS=1
build release && tests release
if [ "$quick" = no ]; then
    step format format
    warnings clang-warnings
    build dev && LSAN_OPTIONS="suppressions=$(pwd)/tests/lsan.supp:print_suppressions=0" ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 tests dev
    build tsan && TSAN_OPTIONS="halt_on_error=1 suppressions=$(pwd)/tests/tsan.supp" tests tsan -L threads
fi

echo "total time: $(($(date +%s) - start)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
