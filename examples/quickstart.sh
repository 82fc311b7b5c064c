#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to pictures: installs what is missing, builds the program dinomaly and runs its demo, which draws
# a few kinds of parts, trains on the good ones and judges the others. May be repeated; works offline once the packages
# are installed.
#
#   examples/quickstart.sh [--out DIR] [option of `dinomaly demo`...]      --out demo is the default
#   DINOMALY_ENCODER=FILE   a published DINOv2 checkpoint instead of the small built-in encoder
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/.ci/packages.sh"

echo "== 1/3 packages"
install_packages "${program_packages[@]}"

echo "== 2/3 building build/bin/dinomaly (a few minutes the first time)"
# What nvcc compiles takes a few minutes more, and is of use where there is a GPU.
cuda=OFF
if nvidia-smi >/dev/null 2>&1; then cuda=AUTO; fi
configure_and_build "$root" "$root/build" dinomaly_cli -D CMAKE_BUILD_TYPE=Release -D "DINOMALY_CUDA=$cuda"

echo "== 3/3 dinomaly demo"
out=demo
options=()
while [ $# -gt 0 ]; do
    case $1 in
    --out)
        out=${2:?--out needs a directory}
        shift
        ;;
    --out=*) out=${1#--out=} ;;
    *) options+=("$1") ;;
    esac
    shift
done
"$root/build/bin/dinomaly" demo --out "$out" "${options[@]}"
echo "== done: open $(cd "$out" && pwd)/report.html"
