// Weights as the backend repacks them (DeviceFormat in Java): codes of a row side by side so that eight of them are one aligned load, scales
// apart. Values are those of ggml's reference code bit by bit: products before sums, no fused multiply-add.
//
//   plain types   codes [N][K rounded up to 8]
//   block types   codes [N*K] of 4 (low half first) or 8 bits; high [N*K] of 1 or 2 more bits; scales and supers by format
#pragma once
#include "numbers.cuh"

struct Weights {
    const void* codes;
    const void* high;
    const void* scales;
    const void* supers;
};

#define WEIGHTS const void *codes, const void *high, const void *scales, const void *supers
#define TAKE_WEIGHTS Weights{codes, high, scales, supers}

/** Eight elements of 4 bits, or with {@code HIGH} more bits above them. */
template <int HIGH>
__device__ __forceinline__ void load_codes(const Weights& w, size_t at, u32 q[8]) {
    u32 low = ((const u32*)w.codes)[at / 8];
    u32 more = HIGH == 1 ? ((const u8*)w.high)[at / 8] : HIGH == 2 ? ((const u16*)w.high)[at / 8] : 0;
#pragma unroll
    for (int j = 0; j < 8; j++) {
        q[j] = low >> 4 * j & 15;
        if (HIGH > 0) {
            q[j] |= (more >> HIGH * j & ((1u << HIGH) - 1)) << 4;
        }
    }
}

struct PlainF32 {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        const float4* at = (const float4*)((const float*)w.codes + (size_t)n * ((K + 7) & ~7) + k);
        float4 a = at[0];
        float4 b = at[1];
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
        v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    }
};

/** Halves of 16 bits: BRAIN says which kind. */
template <bool BRAIN>
struct Plain16 {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        uint4 bits = *(const uint4*)((const u16*)w.codes + (size_t)n * ((K + 7) & ~7) + k);
        u32 pairs[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
        for (int j = 0; j < 4; j++) {
            v[2 * j] = BRAIN ? bfloat16((u16)pairs[j]) : float16((u16)pairs[j]);
            v[2 * j + 1] = BRAIN ? bfloat16(pairs[j] >> 16) : float16(pairs[j] >> 16);
        }
    }
};

/** {@code (q - ZERO) * d}, d fp16 of each 32. */
template <int HIGH, int ZERO>
struct Block32 {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        size_t at = (size_t)n * K + k;
        float d = float16(((const u16*)w.scales)[at / 32]);
        u32 q[8];
        load_codes<HIGH>(w, at, q);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            v[j] = __fmul_rn(small_float(q[j]) - (float)ZERO, d);
        }
    }
};

/** {@code q * d + m}, d and m fp16 of each 32. */
template <int HIGH>
struct Block32Min {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        size_t at = (size_t)n * K + k;
        u32 both = ((const u32*)w.scales)[at / 32];
        float d = float16((u16)both);
        float m = float16(both >> 16);
        u32 q[8];
        load_codes<HIGH>(w, at, q);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            v[j] = __fadd_rn(__fmul_rn(small_float(q[j]), d), m);
        }
    }
};

/** {@code q * d}, q signed bytes, d fp16 of each 32. */
struct Bytes32 {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        size_t at = (size_t)n * K + k;
        float d = float16(((const u16*)w.scales)[at / 32]);
        uint2 bits = ((const uint2*)w.codes)[at / 8];
#pragma unroll
        for (int j = 0; j < 8; j++) {
            // Biased by 128, the byte is a small integer.
            u32 q = ((j < 4 ? bits.x : bits.y) >> 8 * (j % 4) & 255) ^ 128;
            v[j] = __fmul_rn(small_float(q) - 128.0f, d);
        }
    }
};

/** {@code (d * scale) * q - dmin * minimum}: fp16 d and dmin of each 256, bytes scale and minimum of each GROUP. */
template <int HIGH, int GROUP>
struct SuperMin {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        size_t at = (size_t)n * K + k;
        u32 both = ((const u32*)w.supers)[at / 256];
        u32 small = ((const u16*)w.scales)[at / GROUP];
        float scale = __fmul_rn(float16((u16)both), small_float(small & 255));
        float minimum = __fmul_rn(float16(both >> 16), small_float(small >> 8));
        u32 q[8];
        load_codes<HIGH>(w, at, q);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            v[j] = __fadd_rn(__fmul_rn(scale, small_float(q[j])), -minimum);
        }
    }
};

/** {@code (d * scale) * (q - ZERO)}: fp16 d of each 256, a signed byte of each 16. */
template <int HIGH, int ZERO>
struct Super {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        size_t at = (size_t)n * K + k;
        float scale = __fmul_rn(
            float16(((const u16*)w.supers)[at / 256]), (float)((const signed char*)w.scales)[at / 16]);
        u32 q[8];
        load_codes<HIGH>(w, at, q);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            v[j] = __fmul_rn(scale, small_float(q[j]) - (float)ZERO);
        }
    }
};

/**
 * NF4 with double quantization (Nf4Planes in Java). Rows stand where they were quantized, so a table says where each begins.
 *   codes   4 bits each, padded so that those of each quantized matrix begin at a multiple of 64 * 256
 *   high    u32 [N]: first code of each row, in eights
 *   scales  a byte of each 64 codes
 *   supers  fp32: what the 16 codes mean, what the 256 scales mean, then factor and offset of the scales of each 64 * 256 codes
 */
struct BlockNf4 {
    static __device__ __forceinline__ void load(const Weights& w, int n, int k, int K, float v[8]) {
        size_t at = (size_t)((const u32*)w.high)[n] * 8 + k;
        const float* values = (const float*)w.supers;
        const float* scales = values + 16;
        float2 nested = ((const float2*)(scales + 256))[at / (64 * 256)];
        float scale = __fadd_rn(__fmul_rn(scales[((const u8*)w.scales)[at / 64]], nested.x), nested.y);
        u32 q[8];
        load_codes<0>(w, at, q);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            v[j] = __fmul_rn(values[q[j]], scale);
        }
    }
};

typedef Plain16<false> PlainF16;
typedef Plain16<true> PlainBF16;
typedef Block32<0, 8> BlockQ40;
typedef Block32Min<0> BlockQ41;
typedef Block32<1, 16> BlockQ50;
typedef Block32Min<1> BlockQ51;
typedef Bytes32 BlockQ80;
typedef SuperMin<0, 16> BlockQ2K;
typedef Super<0, 4> BlockQ3K;
typedef SuperMin<0, 32> BlockQ4K;
typedef SuperMin<1, 32> BlockQ5K;
typedef Super<2, 32> BlockQ6K;

/** Every format of model files with the name its kernels carry: that of the type in Java, in lower case. */
#define FOR_EACH_FILE_FORMAT(X) \
    X(f32, PlainF32)       \
    X(f16, PlainF16)       \
    X(bf16, PlainBF16)     \
    X(q4_0, BlockQ40)      \
    X(q4_1, BlockQ41)      \
    X(q5_0, BlockQ50)      \
    X(q5_1, BlockQ51)      \
    X(q8_0, BlockQ80)      \
    X(q2_k, BlockQ2K)      \
    X(q3_k, BlockQ3K)      \
    X(q4_k, BlockQ4K)      \
    X(q5_k, BlockQ5K)      \
    X(q6_k, BlockQ6K)

#define FOR_EACH_FORMAT(X)  \
    FOR_EACH_FILE_FORMAT(X) \
    X(nf4, BlockNf4)
