// What every kernel file starts from: names of types, how a kernel is declared, and the few operations whose spelling differs between nvcc
// and the host compiler that runs the kernels in tests (src/test/cuda/emulation.h).
//
// Letters: T tokens, C hidden size, H query heads, G key/value heads, D head size, N outputs and K inputs of a linear layer.
// Every parameter of a kernel takes at most 8 bytes: the launcher lays parameters out in slots of that size.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define KERNEL(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#else
#include "emulation.h"
#define KERNEL(name, threads, ...)                                        \
    static void name(__VA_ARGS__);                                        \
    static const emulation::Registration name##_registration(#name, name); \
    static void name(__VA_ARGS__)
#endif

static const int WARP = 32;
