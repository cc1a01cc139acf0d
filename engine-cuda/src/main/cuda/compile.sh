#!/bin/sh
# Compiles the kernels into a fatbin: code for Ampere (80, 86), Ada (89), Hopper (90) and Blackwell (100), and PTX of compute_80 for what comes.
# usage: compile.sh OUTPUT
# nvcc: $CUDA_HOME/bin/nvcc or the one on PATH, of CUDA 13 or later; else NVIDIA's Python packages, into the user's cache (Linux on x86-64).
set -eu
out=$1
here=$(cd "$(dirname "$0")" && pwd)

new_enough() {
    "$1" --version 2>/dev/null | grep -q 'release \(1[3-9]\|[2-9][0-9]\)\.'
}

nvcc=
for candidate in "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" "$(command -v nvcc || true)"; do
    if [ -x "$candidate" ] && new_enough "$candidate"; then
        nvcc=$candidate
        break
    fi
done
if [ -z "$nvcc" ]; then
    toolkit=${TSUMUGI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tsumugi}/cuda-13.0.88
    nvcc=$toolkit/nvidia/cu13/bin/nvcc
    if [ ! -x "$nvcc" ]; then
        rm -rf "$toolkit.part"
        python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
            --target "$toolkit.part" --requirement "$here/nvcc-requirements.txt"
        rm -rf "$toolkit"
        mv "$toolkit.part" "$toolkit"
    fi
fi
mkdir -p "$(dirname "$out")"
"$nvcc" -O3 -std=c++17 -fatbin \
    -gencode 'arch=compute_80,code=[sm_80,compute_80]' -gencode arch=compute_86,code=sm_86 \
    -gencode arch=compute_89,code=sm_89 -gencode arch=compute_90,code=sm_90 -gencode arch=compute_100,code=sm_100 \
    -o "$out" "$here/kernels.cu"
