// The paged cache of keys and values. Of one layer, with D padded to P, a multiple of 8, and S slots a block:
//   keys    [blocks][G][P/8][S][8]   so that threads with neighbouring positions read neighbouring 16 bytes
//   values  [blocks][G][S][P]        so that threads with neighbouring elements of one value do
// Padding is zero from allocation on.
#pragma once
#include "numbers.cuh"

struct StoreF32 {
    typedef float Element;
    static __device__ __forceinline__ float widen(float value) {
        return value;
    }
    static __device__ __forceinline__ float narrow(float value) {
        return value;
    }
    static __device__ __forceinline__ void load8(const float* at, float v[8]) {
        float4 a = ((const float4*)at)[0];
        float4 b = ((const float4*)at)[1];
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
        v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    }
};

struct StoreBF16 {
    typedef u16 Element;
    static __device__ __forceinline__ float widen(u16 value) {
        return bfloat16(value);
    }
    static __device__ __forceinline__ u16 narrow(float value) {
        return to_bfloat16(value);
    }
    static __device__ __forceinline__ void load8(const u16* at, float v[8]) {
        uint4 bits = *(const uint4*)at;
        u32 pairs[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
        for (int j = 0; j < 4; j++) {
            v[2 * j] = bfloat16((u16)pairs[j]);
            v[2 * j + 1] = bfloat16(pairs[j] >> 16);
        }
    }
};

/** Where element d of a head's key in one slot is. */
__device__ __forceinline__ size_t key_at(int block, int g, int G, int P, int slots, int slot, int d) {
    return ((((size_t)block * G + g) * (P / 8) + d / 8) * slots + slot) * 8 + d % 8;
}

__device__ __forceinline__ size_t value_at(int block, int g, int G, int P, int slots, int slot, int d) {
    return (((size_t)block * G + g) * slots + slot) * P + d;
}

/** A thread an element of a key and of a value of one token. */
template <class STORE>
__device__ __forceinline__ void store_keys_values(
    typename STORE::Element* keys, typename STORE::Element* values, const float* newKeys, const float* newValues,
    const int* positions, const int* sequences, const int* tables, int tablePitch, int tokens, int G, int D, int P,
    int slots) {
    size_t count = (size_t)tokens * G * D;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x) {
        int d = (int)(i % D);
        int g = (int)(i / D % G);
        int t = (int)(i / D / G);
        int block = tables[(size_t)sequences[t] * tablePitch + positions[t] / slots];
        int slot = positions[t] % slots;
        keys[key_at(block, g, G, P, slots, slot, d)] = STORE::narrow(newKeys[i]);
        values[value_at(block, g, G, P, slots, slot, d)] = STORE::narrow(newValues[i]);
    }
}

#define STORE_KEYS_VALUES(name, STORE)                                                                             \
    KERNEL(store_keys_values_##name, 256, STORE::Element* keys, STORE::Element* values, const float* newKeys,      \
           const float* newValues, const int* positions, const int* sequences, const int* tables, int tablePitch,  \
           int tokens, int G, int D, int P, int slots) {                                                           \
        store_keys_values<STORE>(keys, values, newKeys, newValues, positions, sequences, tables, tablePitch,       \
                                 tokens, G, D, P, slots);                                                          \
    }
STORE_KEYS_VALUES(f32, StoreF32)
STORE_KEYS_VALUES(bf16, StoreBF16)
