// AdamW (arXiv 1711.05101) with moments of 32 bits, and with moments of 8 bits in blocks of 256 (arXiv 2110.02861).
#pragma once
#include "elementwise.cuh"

static const float BETA_1 = 0.9f;
static const float BETA_2 = 0.999f;
static const float NEW_1 = 0.1f;
static const float NEW_2 = 0.001f;

KERNEL(adamw, 256, float* values, const float* gradients, float* first, float* second, int count, float factor, float kept, float stride, float root, float epsilon) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        float gradient = gradients[i] * factor;
        float m = first[i] + NEW_1 * (gradient - first[i]);
        float v = second[i] * BETA_2 + NEW_2 * gradient * gradient;
        first[i] = m;
        second[i] = v;
        values[i] = values[i] * kept - stride * (m / (sqrtf(v) / root + epsilon));
    }
}

/** The nearest of 256 ascending codes: how many middles between neighbours are below the value. */
__device__ __forceinline__ int nearest_code(const float* codes, float value) {
    int low = 0;
    int high = 255;
    while (low < high) {
        int middle = (low + high) / 2;
        if ((codes[middle] + codes[middle + 1]) / 2.0f < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/** Code of a value in a block with this largest magnitude. */
__device__ __forceinline__ int quantized(const float* codes, int zero, float value, float largest) {
    return largest == 0.0f ? zero : nearest_code(codes, value / largest);
}

/**
 * A block of threads for each block of moments, with the arithmetic of bitsandbytes' kernel: decay after the update, the first moment keeps its
 * sign, and gradients that are no finite numbers change nothing.
 *
 * @param maps [2, 256] what codes of first and second moments mean, ascending
 * @param zero1, zero2 codes of 0
 */
KERNEL(adamw_8bit, 256, float* values, const float* gradients, u8* first, u8* second, float* scales1, float* scales2, const float* maps, int zero1, int zero2, int count, float factor, float kept, float stride, float epsilon) {
    __shared__ float room[MOST_WARPS];
    const float* map1 = maps;
    const float* map2 = maps + 256;
    int i = blockIdx.x * 256 + threadIdx.x;
    bool inside = i < count;
    float m = inside ? map1[first[i]] * scales1[blockIdx.x] : 0.0f;
    float v = inside ? map2[second[i]] * scales2[blockIdx.x] : 0.0f;
    float gradient = inside ? gradients[i] * factor : 0.0f;
    if (inside && fabsf(gradient) < INFINITY) {
        m = BETA_1 * m + NEW_1 * gradient;
        v = BETA_2 * v + NEW_2 * gradient * gradient;
        values[i] = (values[i] - stride * (m / (sqrtf(v) + epsilon))) * kept;
    }
    // All threads have read the old scales when these come back.
    float largest1 = block_max(fabsf(m), room);
    float largest2 = block_max(fabsf(v), room);
    if (inside) {
        int code = quantized(map1, zero1, m, largest1);
        if (signbit(map1[code]) != signbit(m)) {
            code += m > 0.0f ? 1 : -1;
        }
        first[i] = (u8)code;
        second[i] = (u8)quantized(map2, zero2, v, largest2);
    }
    if (threadIdx.x == 0) {
        scales1[blockIdx.x] = largest1;
        scales2[blockIdx.x] = largest2;
    }
}
