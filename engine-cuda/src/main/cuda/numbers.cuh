// 16-bit floats as raw bits, sums over warps and blocks, and the tensor cores' product of 16x16 by 16x8 bfloat16 tiles.
#pragma once
#include "platform.cuh"

__device__ __forceinline__ float bfloat16(u16 bits) {
    return __uint_as_float((u32)bits << 16);
}

/** Rounded to nearest even. */
__device__ __forceinline__ u16 to_bfloat16(float value) {
#ifdef __CUDACC__
    return __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
    return emulation::to_bfloat16(value);
#endif
}

/** Two of them, the first in the low half. */
__device__ __forceinline__ u32 pack_bfloat16(float low, float high) {
    return (u32)to_bfloat16(low) | (u32)to_bfloat16(high) << 16;
}

__device__ __forceinline__ float float16(u16 bits) {
#ifdef __CUDACC__
    return __half2float(__ushort_as_half(bits));
#else
    return emulation::float16(bits);
#endif
}

/** An integer below 2^23 as a float, without the slow conversion unit: its bits are the fraction of 2^23. */
__device__ __forceinline__ float small_float(u32 value) {
    return __uint_as_float(0x4B000000u | value) - 8388608.0f;
}

/** The sum over the lanes of a warp, in every lane; always in the same order. */
__device__ __forceinline__ float warp_sum(float value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, mask);
    }
    return value;
}

__device__ __forceinline__ float warp_max(float value) {
    for (int mask = WARP / 2; mask > 0; mask /= 2) {
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, mask));
    }
    return value;
}

/**
 * The sum over the threads of a block, in every thread; always in the same order. All threads call.
 *
 * @param room one float a warp, in shared memory
 */
__device__ __forceinline__ float block_sum(float value, float* room) {
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % WARP == 0) {
        room[threadIdx.x / WARP] = value;
    }
    __syncthreads();
    float sum = 0;
    for (int w = 0; w < (int)(blockDim.x / WARP); w++) {
        sum += room[w];
    }
    return sum;
}

/** As block_sum, the largest. */
__device__ __forceinline__ float block_max(float value, float* room) {
    value = warp_max(value);
    __syncthreads();
    if (threadIdx.x % WARP == 0) {
        room[threadIdx.x / WARP] = value;
    }
    __syncthreads();
    float most = room[0];
    for (int w = 1; w < (int)(blockDim.x / WARP); w++) {
        most = fmaxf(most, room[w]);
    }
    return most;
}

// Fragments as PTX lays them out for mma.m16n8k16 (PTX ISA, "Matrix Fragments for mma.m16n8k16"): lane = 4 g + t holds
//   a: (g, 2t), (g, 2t+1) | (g+8, ..) | (g, 2t+8 ..) | (g+8, 2t+8 ..)    of A [16][16]
//   b: (2t, g), (2t+1, g) | (2t+8, g), (2t+9, g)                         of B [16][8]
//   c: (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1)                        of C [16][8]

/** {@code C += A B}, rounded as the tensor cores do. */
__device__ __forceinline__ void multiply_tiles(float c[4], const u32 a[4], const u32 b[2]) {
#ifdef __CUDACC__
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    emulation::multiply_tiles(c, a, b);
#endif
}

#ifdef __CUDACC__
__device__ __forceinline__ u32 shared_address(const u16* pointer) {
    return (u32)__cvta_generic_to_shared(pointer);
}
#endif

/**
 * Fragment a of the 16x16 tile at {@code tile}, rows {@code pitch} elements apart, in shared memory.
 *
 * @param pitch multiple of 8
 */
__device__ __forceinline__ void load_a(u32 a[4], const u16* tile, int pitch) {
    int lane = threadIdx.x % WARP;
#ifdef __CUDACC__
    u32 address = shared_address(tile + (lane % 16) * pitch + lane / 16 * 8);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
                 : "r"(address)
                 : "memory");
#else
    const u16* at = tile + lane / 4 * pitch + lane % 4 * 2;
    a[0] = at[0] | (u32)at[1] << 16;
    a[1] = at[8 * pitch] | (u32)at[8 * pitch + 1] << 16;
    a[2] = at[8] | (u32)at[9] << 16;
    a[3] = at[8 * pitch + 8] | (u32)at[8 * pitch + 9] << 16;
#endif
}

/** Fragment b of B [16][8], of which shared memory holds the transpose [8][16], rows {@code pitch} elements apart. */
__device__ __forceinline__ void load_b(u32 b[2], const u16* tile, int pitch) {
    int lane = threadIdx.x % WARP;
#ifdef __CUDACC__
    u32 address = shared_address(tile + (lane % 8) * pitch + lane / 8 % 2 * 8);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(b[0]), "=r"(b[1])
                 : "r"(address)
                 : "memory");
#else
    const u16* at = tile + lane / 4 * pitch + lane % 4 * 2;
    b[0] = at[0] | (u32)at[1] << 16;
    b[1] = at[8] | (u32)at[9] << 16;
#endif
}

/** Fragment b of B [16][8] as shared memory holds it, rows {@code pitch} elements apart. */
__device__ __forceinline__ void load_b_rows(u32 b[2], const u16* tile, int pitch) {
    int lane = threadIdx.x % WARP;
#ifdef __CUDACC__
    u32 address = shared_address(tile + (lane % 16) * pitch);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(b[0]), "=r"(b[1])
                 : "r"(address)
                 : "memory");
#else
    const u16* at = tile + lane % 4 * 2 * pitch + lane / 4;
    b[0] = at[0] | (u32)at[pitch] << 16;
    b[1] = at[8 * pitch] | (u32)at[9 * pitch] << 16;
#endif
}
