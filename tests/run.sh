#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds everything and runs the tests; works offline once the packages are installed.
#
#   tests/run.sh [--all] [-L LABEL] [-R REGEX]
#     --all     the slow tests too, and nvcc compiles what needs a GPU; then the library's tests under the address,
#               undefined-behaviour and thread sanitizers
#     -L, -R    only tests with this label, or with this name (as ctest takes them)
#   DINOMALY_GOLDEN=DIR     another golden set for the tests labelled golden
#   DINOMALY_PYTHON=python  the interpreter for comparisons with PyTorch
#   DINOMALY_ONNX_PYTHON=python  and with ONNX Runtime; with --all one is made in build/ where PyPI can be reached
#
# Release builds lie in build/, sanitizer builds in build-asan/ and build-tsan/. The last line is
# "N passed, N failed[, N skipped]"; the exit status is 0 when nothing failed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/.ci/packages.sh"

all=false
filter=()
while [ $# -gt 0 ]; do
    case $1 in
    --all) all=true ;;
    -L | -R)
        filter+=("$1" "${2:?$1 needs a value}")
        shift
        ;;
    *)
        sed -n '3,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        [ "$1" = -h ] || [ "$1" = --help ] && exit 0
        exit 2
        ;;
    esac
    shift
done
if [ -n "${DINOMALY_GOLDEN:-}" ]; then
    # The tests run in the build directory.
    DINOMALY_GOLDEN=$(cd "$DINOMALY_GOLDEN" && pwd) || exit 2
    export DINOMALY_GOLDEN
fi

# The thread sanitizer of older compilers cannot start where the kernel spreads addresses widely.
fixed_addresses=()
if setarch -R true 2>/dev/null; then fixed_addresses=(setarch -R); fi

passed=0
failed=0
skipped=0

finish() {
    local tail=""
    if [ "$skipped" -gt 0 ]; then tail=", $skipped skipped"; fi
    echo "$passed passed, $failed failed$tail"
    [ "$failed" -eq 0 ]
    exit
}

# build_and_test BUILD "CTEST_OPTIONS" CMAKE_OPTION...: a build that fails counts as one failure, and what was built is
# tested all the same.
build_and_test() {
    local build="$root/$1" ctest_options=$2 log summary total=0 bad=0 absent
    shift 2
    echo "== building $build ($*)"
    if ! configure_and_build "$root" "$build" all "$@"; then
        echo "== the build of $build FAILED"
        failed=$((failed + 1))
        [ -d "$build" ] || return
    fi
    echo "== testing $build"
    log="$build/ctest.log"
    # shellcheck disable=SC2086 # the options are words of this script
    (cd "$build" && "${fixed_addresses[@]}" ctest --output-on-failure --parallel "$(nproc)" $ctest_options "${filter[@]}") 2>&1 |
        tee "$log"
    # ctest counts skipped tests as passed.
    summary=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests* failed out of \([0-9]*\)$/\1 \2/p' "$log" | tail -n 1)
    if [ -n "$summary" ]; then
        read -r bad total <<<"$summary"
    elif ! grep -q '^No tests were found' "$log"; then
        echo "== the tests of $build could not run"
        bad=1 total=1
    fi
    absent=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*\*\*\*Skipped' "$log")
    passed=$((passed + total - bad - absent))
    failed=$((failed + bad))
    skipped=$((skipped + absent))
}

# An interpreter with ONNX Runtime, for the comparison with exported models: the one that is named, else one of our own.
find_onnx_runtime() {
    local folder="$root/build/onnx-python" modules='import numpy, onnx, onnxruntime, PIL'
    if "${DINOMALY_ONNX_PYTHON:-${DINOMALY_PYTHON:-false}}" -c "$modules" 2>/dev/null; then return; fi
    if ! "$folder/bin/python" -c "$modules" 2>/dev/null; then
        echo "== installing ONNX Runtime from PyPI into $folder, for one test"
        install_packages 'python3-venv=import ensurepip' >/dev/null 2>&1
        if ! { python3 -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
            --retries 1 --timeout 20 'numpy' 'onnx>=1.15' 'onnxruntime>=1.17' 'pillow>=9.1'; } >/dev/null 2>&1; then
            echo "== it cannot be had here: the test program/onnx_runtime will be skipped"
            rm -rf "$folder"
            return
        fi
    fi
    export DINOMALY_ONNX_PYTHON="$folder/bin/python"
}

# A browser, for the test that opens a report.
find_browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then return; fi
    done
    echo "== installing Chromium, for one test"
    if ! install_packages chromium=chromium >/dev/null 2>&1; then
        echo "== it cannot be had here: the test program/report_page will be skipped"
    fi
}

if ! install_packages "${program_packages[@]}" "${test_packages[@]}"; then
    failed=1
    finish
fi

if [ "$all" = true ]; then
    find_onnx_runtime
    find_browser
    # one kind of GPU: each more takes nvcc minutes
    build_and_test build "" -D CMAKE_BUILD_TYPE=Release -D DINOMALY_CUDA=AUTO -D DINOMALY_GPU_TESTS=ON \
        -D DINOMALY_CUDA_ARCHITECTURES=90-real
    sanitizer=(-D CMAKE_BUILD_TYPE=Debug -D DINOMALY_BUILD_EXAMPLES=OFF -D DINOMALY_BUILD_BENCHMARKS=OFF)
    build_and_test build-asan "" "${sanitizer[@]}" -D DINOMALY_SANITIZE=address,undefined
    build_and_test build-tsan "" "${sanitizer[@]}" -D DINOMALY_SANITIZE=thread
else
    build_and_test build "-LE slow" -D CMAKE_BUILD_TYPE=Release -D DINOMALY_CUDA=AUTO
fi

if [ $((passed + failed)) -eq 0 ]; then
    echo "== no test matches: ${filter[*]}"
    failed=1
fi
finish
