#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All that a GPU is asked, in one go and offline: tests, compute-sanitizer, kernels, the program, PyTorch beside it.
#
#   benchmarks/gpu.sh [OPTION...]                   builds for the GPU that is here
#   benchmarks/gpu.sh --binaries DIR [OPTION...]    takes what --pack made elsewhere; needs no compiler
#   benchmarks/gpu.sh --pack DIR [--arch 90]        makes DIR, to be carried to a machine with such a GPU; needs none
#     --out DIR            for gpu.json, gpu.log and cpu_gpu.svg; $OUT, or else ./gpu-results
#     --oracle DIR         folder of dinomaly_torch.py, for the peers; the pack's, or ../shared/oracle
#     --minutes N          when to end, the build not counted; 7.5. What does not fit is cut off
#     --only STAGE,..      these stages alone
#     --compile-mode MODE  of torch.compile; max-autotune-no-cudagraphs takes minutes more
#
# Needs python3. Each stage has a limit of its own, and none stops the others. The last line says what passed and what
# failed; the status is 0 when nothing failed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build-gpu
binaries='' pack='' arch=90 out=${OUT:-gpu-results} minutes=7.5 only='' compile_mode=default
oracle=$root/oracle
[ -d "$oracle" ] || oracle=$root/../shared/oracle

usage() {
    sed -n '3,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit "$1"
}
while [ $# -gt 0 ]; do
    case $1 in
    --binaries | --pack | --arch | --out | --oracle | --minutes | --only | --compile-mode)
        [ $# -ge 2 ] || usage 2
        name=${1#--}
        printf -v "${name//-/_}" '%s' "$2"
        shift
        ;;
    -h | --help) usage 0 ;;
    *) usage 2 ;;
    esac
    shift
done

# build_targets [CMAKE_OPTION...]: the program, benchmark_cuda and the tests that need a GPU, in $build.
build_targets() {
    local tests
    cmake -S "$root" -B "$build" -D CMAKE_BUILD_TYPE=Release -D DINOMALY_CUDA=ON -D DINOMALY_GPU_TESTS=ON "$@" &&
        mapfile -t tests < <(cmake --build "$build" --target help | grep -o 'test_gpu_[a-z0-9_]*' | sort -u) &&
        cmake --build "$build" --parallel "$(nproc)" --target dinomaly_cli benchmark_cuda "${tests[@]}"
}

# --- --pack

# Libraries that a binary needs and that every GPU machine may lack: not the system's own, nor CUDA's half gigabyte.
carried_libraries() {
    ldd "$@" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u |
        grep -Ev '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libcuda|libcublas|libcublasLt)\.so'
}

make_pack() {
    local most=64 megabytes file
    build=$root/build-pack
    # Another machine's processor may be older than this one's.
    build_targets -D "DINOMALY_CUDA_ARCHITECTURES=$arch-real" -D DINOMALY_NATIVE=OFF \
        -D CMAKE_CXX_FLAGS=-march=x86-64-v3 || return
    mkdir -p "$pack"/{bin,lib,golden,benchmarks/peers} || return
    for file in "$build"/bin/{dinomaly,benchmark_cuda,test_gpu_*}; do
        strip -o "$pack/bin/${file##*/}" "$file" || return
    done
    carried_libraries "$pack"/bin/* | xargs -I{} cp -L {} "$pack/lib" || return
    cp "$root"/tests/golden/tiny* "$pack/golden" # what those tests read
    cp "$root"/benchmarks/*.py "$root/benchmarks/gpu.sh" "$pack/benchmarks"
    cp "$root"/benchmarks/peers/*.py "$pack/benchmarks/peers"
    if [ -f "$oracle/dinomaly_torch.py" ]; then
        mkdir -p "$pack/oracle" && cp "$oracle/dinomaly_torch.py" "$pack/oracle"
    fi
    {
        echo "built for sm_$arch and x86-64-v3"
        git -C "$root" describe --always --dirty 2>/dev/null
        "$(sed -n 's/^CMAKE_CUDA_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt" | head -n 1)" --version 2>/dev/null | tail -n 1
        c++ --version | head -n 1
    } >"$pack/built.txt"
    megabytes=$(du -sm "$pack" | cut -f1)
    echo "$pack: $megabytes MB; on the GPU's machine: benchmarks/gpu.sh --binaries ."
    [ "$megabytes" -le $most ] || { echo "more than $most MB" >&2 && return 1; }
}

if [ -n "$pack" ]; then
    make_pack
    exit
fi

# --- the machine

if ! nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then
    echo "gpu.sh: no GPU here: nvidia-smi $(command -v nvidia-smi >/dev/null && echo 'finds none' || echo 'is not here')" >&2
    exit 1
fi
mkdir -p "$out" || exit
out=$(cd "$out" && pwd)
log=$out/gpu.log
parts=$(mktemp -d) || exit
trap 'rm -rf "$parts"' EXIT
: >"$log"
note() { printf '%s\n' "$@" | tee -a "$log"; }

device=$(nvidia-smi -i 0 --format=csv,noheader \
    --query-gpu=name,driver_version,memory.total,compute_cap,power.limit,clocks.max.sm,pci.bus_id)
host="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
toolkit=$(nvcc --version 2>/dev/null | tail -n 1 || true)
note "$device"
note "$host"
note "toolkit: ${toolkit:-none}"

# --- stages

names=() statuses=() seconds=()
deadline=''

# stage NAME LIMIT COMMAND...: runs it for LIMIT seconds at most, or as long as there is time; status 77 says that it was
# skipped. What it leaves as $parts/NAME.json goes into the report.
stage() {
    local name=$1 limit=$2 status start=$SECONDS
    shift 2
    [ -z "$only" ] || [[ ",$only," == *",$name,"* ]] || return 0
    if [ -n "$deadline" ] && [ $((deadline - SECONDS)) -lt "$limit" ]; then limit=$((deadline - SECONDS)); fi
    note "" "== $name, at most $limit s: $*"
    if [ "$limit" -lt 5 ]; then
        status=124
    else
        timeout --kill-after=5 "$limit" bash -c 'set -uo pipefail; "$@"' stage "$@" 2>&1 | tee -a "$log"
        status=${PIPESTATUS[0]}
    fi
    case $status in
    0) status=passed ;;
    77) status=skipped ;;
    124 | 137) status='out of time' ;;
    *) status=failed ;;
    esac
    names+=("$name") statuses+=("$status") seconds+=($((SECONDS - start)))
    note "== $name: $status, $((SECONDS - start)) s"
}

run_tests() {
    local test failed=0 status
    if [ -z "$binaries" ]; then
        ctest --test-dir "$build" -L gpu --output-on-failure | tee "$parts/ctest.txt"
        status=$?
        ! grep -q '(Skipped)' "$parts/ctest.txt" && return $status
        return
    fi
    for test in "$bin"/test_gpu_*; do
        echo "-- ${test##*/}"
        "$test" || failed=1 # skipped, 77, is a failure too: there is a GPU
    done
    return $failed
}

# Small cases, each tensor in memory of exactly its size.
run_sanitizer() {
    local tool
    command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is not installed" && exit 77; }
    for tool in memcheck racecheck; do
        DINOMALY_EXACT_BLOCKS=1 compute-sanitizer --tool "$tool" --error-exitcode 9 "$bin/test_gpu_ops" \
            --run_test=model_ops,softmax_and_loss || return
    done
}

run_kernels() {
    "$bin/benchmark_cuda" --json >"$parts/kernels.tmp" && cat "$parts/kernels.tmp" &&
        mv "$parts/kernels.tmp" "$parts/kernels.json"
}

# program NAME OPTION...: benchmarks/dinomaly.py, its figures into the report as NAME.
program() {
    python3 "$root/benchmarks/dinomaly.py" --program "$bin/dinomaly" --json "$parts/$1.json" "${@:2}"
}

run_peers() {
    python3 -c 'import safetensors, torch; raise SystemExit(not torch.cuda.is_available())' 2>/dev/null ||
        { echo "python3 has no PyTorch with CUDA, or no safetensors" && exit 77; }
    [ -f "$oracle/dinomaly_torch.py" ] || { echo "no dinomaly_torch.py in $oracle: name its folder with --oracle" && exit 77; }
    python3 "$root/benchmarks/compare.py" --device cuda --oracle "$oracle" --program "$bin/dinomaly" --rounds 3 \
        --threads "$(nproc)" --compile-mode "$compile_mode" --json "$parts/peers.json"
}

# cuBLASLt may lie in the toolkit or among Python's packages.
find_libraries() {
    local folder
    [ -z "$binaries" ] || export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$binaries/lib
    ldconfig -p | grep -q 'libcublasLt\.so\.13' && return
    for folder in /usr/local/cuda*/lib64 /usr/local/cuda*/targets/*/lib \
        $(python3 -c 'import glob, site, sys
for path in [*site.getsitepackages(), *sys.path]: print(*glob.glob(path + "/nvidia/*/lib"), sep="\n")' 2>/dev/null); do
        [ -e "$folder/libcublasLt.so.13" ] && export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder && return
    done
    note "libcublasLt.so.13 is neither in the toolkit nor among Python's packages"
}

export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
if [ -n "$binaries" ]; then
    binaries=$(cd "$binaries" && pwd) || exit
    bin=$binaries/bin built=$(tr '\n' ';' <"$binaries/built.txt")
    export DINOMALY_GOLDEN=$binaries/golden
else
    bin=$build/bin built="from sources, $(git -C "$root" describe --always --dirty 2>/dev/null)"
fi
note "binaries: $built"
export root build bin binaries parts oracle compile_mode
export -f build_targets run_tests run_sanitizer run_kernels program run_peers
find_libraries
[ -n "$binaries" ] || stage build 900 build_targets
deadline=$(python3 -c "print($SECONDS + int(60 * $minutes))") || exit

stage tests 120 run_tests
stage kernels 90 run_kernels
stage predictions 40 program predictions --devices cuda --mode infer --arch base --precision bf16 --batch 1 16 --repeat 20
stage training 25 program training --devices cuda --mode train --arch base --precision bf16 --batch 16 --repeat 20
stage training_cached 25 program training_cached --devices cuda --mode train --arch base --precision bf16 --batch 16 \
    --repeat 20 --cache-features memory
stage losses 60 python3 "$root/benchmarks/losses.py" --program "$bin/dinomaly" --json "$parts/losses.json"
stage sanitizer 60 run_sanitizer
stage cpu_gpu 90 program cpu_gpu --devices cpu,cuda --arch base --precision fp32 bf16 --batch 16 --repeat 2 \
    --threads "$(nproc)" --plot "$out/cpu_gpu.svg"
stage peers 400 run_peers

# --- the report

text() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g' | tr -d '\n')"; }
{
    printf '{\n"date": %s,\n"device": %s,\n"host": %s,\n' "$(text "$(date -u +%FT%TZ)")" "$(text "$device")" "$(text "$host")"
    printf '"toolkit": %s,\n"binaries": %s,\n"stages": {' "$(text "$toolkit")" "$(text "$built")"
    for i in "${!names[@]}"; do
        [ "$i" -eq 0 ] || printf ','
        printf '\n"%s": {"status": "%s", "seconds": %d, "result": ' "${names[i]}" "${statuses[i]}" "${seconds[i]}"
        cat "$parts/${names[i]}.json" 2>/dev/null || printf 'null'
        printf '}'
    done
    printf '\n}\n}\n'
} >"$out/gpu.json"

# those STATUS...: the stages that ended so.
those() {
    local i
    for i in "${!names[@]}"; do
        [[ " $* " != *" ${statuses[i]// /_} "* ]] || printf ' %s' "${names[i]}"
    done
}
failed=$(those failed out_of_time)
note "" "$out/gpu.json, $log"
note "passed:$(those passed); skipped:$(those skipped); failed:${failed:- none}"
[ -z "$failed" ]
