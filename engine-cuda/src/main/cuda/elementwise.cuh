// Norms, activations, rotary embedding, embedding rows and output rows.
#pragma once
#include "weights.cuh"

static const int MOST_WARPS = 32;

/**
 * A block a row, or one of gridDim.y heads of it; out may be x.
 *
 * @param stride from row to row
 * @param first element of a row that counts
 */
KERNEL(rms_norm, 1024, float* out, const float* x, int stride, int first, int width, const float* weight, float epsilon) {
    __shared__ float room[MOST_WARPS];
    size_t at = (size_t)blockIdx.x * stride + first + (size_t)blockIdx.y * width;
    const float* row = x + at;
    float squares = 0;
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        squares = fmaf(row[c], row[c], squares);
    }
    float scale = 1.0f / sqrtf(block_sum(squares, room) / (float)width + epsilon);
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        out[at + c] = row[c] * scale * weight[c];
    }
}

/** A block a row; out may be x. */
KERNEL(layer_norm, 1024, float* out, const float* x, int width, const float* weight, const float* bias, float epsilon) {
    __shared__ float room[MOST_WARPS];
    const float* row = x + (size_t)blockIdx.x * width;
    float sum = 0;
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        sum += row[c];
    }
    float mean = block_sum(sum, room) / (float)width;
    float squares = 0;
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        squares = fmaf(row[c] - mean, row[c] - mean, squares);
    }
    float scale = 1.0f / sqrtf(block_sum(squares, room) / (float)width + epsilon);
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        out[(size_t)blockIdx.x * width + c] = (row[c] - mean) * scale * weight[c] + bias[c];
    }
}

__device__ __forceinline__ size_t first_element() {
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ size_t all_threads() {
    return (size_t)gridDim.x * blockDim.x;
}

__device__ __forceinline__ float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

KERNEL(swiglu, 256, float* out, const float* gate, const float* up, int count) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        out[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
    }
}

static const float ROOT_OF_HALF = 0.70710678118654752f;
static const float ROOT_OF_TWO_BY_PI = 0.79788456080286536f;
static const float GELU_CUBIC = 0.044715f;

/** out may be x. */
KERNEL(gelu_erf, 256, float* out, const float* x, int count) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        out[i] = 0.5f * x[i] * (1.0f + erff(x[i] * ROOT_OF_HALF));
    }
}

/** out may be x. */
KERNEL(gelu_tanh, 256, float* out, const float* x, int count) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        float v = x[i];
        out[i] = 0.5f * v * (1.0f + tanhf(ROOT_OF_TWO_BY_PI * (v + GELU_CUBIC * v * v * v)));
    }
}

KERNEL(add, 256, float* x, const float* y, int count) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        x[i] += y[i];
    }
}

/**
 * A thread a pair of one head of one token, in place.
 *
 * @param halves 1: (i, i + pairs) turn together, 0: (2i, 2i + 1)
 */
KERNEL(rope, 256, float* x, const int* positions, const float* frequencies, int tokens, int heads, int headSize, int pairs, int halves) {
    size_t count = (size_t)tokens * heads * pairs;
    for (size_t i = first_element(); i < count; i += all_threads()) {
        int pair = (int)(i % pairs);
        size_t head = i / pairs;
        float angle = __fmul_rn((float)positions[head / heads], frequencies[pair]);
        float sine, cosine;
        sincosf(angle, &sine, &cosine);
        float* at = x + head * headSize;
        int first = halves ? pair : 2 * pair;
        int second = halves ? pair + pairs : 2 * pair + 1;
        float a = at[first];
        float b = at[second];
        at[first] = a * cosine - b * sine;
        at[second] = b * cosine + a * sine;
    }
}

/** A block an output row. */
KERNEL(gather_rows, 256, float* out, const float* x, const int* rows, int width) {
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        out[(size_t)blockIdx.x * width + c] = x[(size_t)rows[blockIdx.x] * width + c];
    }
}

/**
 * A block a row: out[row] is the place of the row's largest element, the first of equals, and how far the next largest is below it; -1 and 0
 * where an element is no number or the largest is not finite.
 */
KERNEL(row_maximum, 256, float* out, const float* x, int width) {
    __shared__ float firsts[256];
    __shared__ float seconds[256];
    __shared__ int places[256];
    const float* row = x + (size_t)blockIdx.x * width;
    float first = -INFINITY;
    float second = -INFINITY;
    int place = width;
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        float value = row[c];
        if (value != value) {
            first = INFINITY;
        } else if (value > first) {
            second = first;
            first = value;
            place = c;
        } else if (value > second) {
            second = value;
        }
    }
    firsts[threadIdx.x] = first;
    seconds[threadIdx.x] = second;
    places[threadIdx.x] = place;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int t = 1; t < (int)blockDim.x; t++) {
            if (firsts[t] > first || (firsts[t] == first && places[t] < place)) {
                second = fmaxf(first, seconds[t]);
                first = firsts[t];
                place = places[t];
            } else {
                second = fmaxf(second, firsts[t]);
            }
        }
        bool finite = first > -INFINITY && first < INFINITY;
        out[2 * (size_t)blockIdx.x] = finite ? (float)place : -1.0f;
        out[2 * (size_t)blockIdx.x + 1] = finite ? first - second : 0.0f;
    }
}

/** A block a token. */
template <class FORMAT>
__device__ __forceinline__ void embed_row(float* out, const int* tokens, const Weights& table, int width) {
    for (int c = threadIdx.x * 8; c < width; c += blockDim.x * 8) {
        float v[8];
        FORMAT::load(table, tokens[blockIdx.x], c, width, v);
        for (int j = 0; j < 8 && c + j < width; j++) {
            out[(size_t)blockIdx.x * width + c + j] = v[j];
        }
    }
}

#define EMBED(name, FORMAT)                                                                \
    KERNEL(embed_##name, 128, float* out, const int* tokens, WEIGHTS, int width) {         \
        embed_row<FORMAT>(out, tokens, TAKE_WEIGHTS, width);                               \
    }
FOR_EACH_FILE_FORMAT(EMBED)
