// What training needs beside products and attention: norms, activations and rotations backwards, dropout, rows picked and put back.
#pragma once
#include "elementwise.cuh"

/**
 * With g = dOut * weight and s = 1 / sqrt(mean(x^2) + epsilon): dX = s g - x s^3 (g . x) / width, or added to dX. A block a row, or one of
 * gridDim.y heads of it; dX may be dOut.
 */
KERNEL(rms_norm_backward, 1024, float* dX, const float* dOut, const float* x, int stride, int first, int width, const float* weight, float epsilon, int add) {
    __shared__ float room[MOST_WARPS];
    size_t at = (size_t)blockIdx.x * stride + first + (size_t)blockIdx.y * width;
    float squares = 0;
    float products = 0;
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        squares = fmaf(x[at + c], x[at + c], squares);
        products = fmaf(x[at + c], dOut[at + c] * weight[c], products);
    }
    float scale = 1.0f / sqrtf(block_sum(squares, room) / (float)width + epsilon);
    float shared = -scale * scale * scale * (block_sum(products, room) / (float)width);
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        float slope = fmaf(x[at + c], shared, dOut[at + c] * weight[c] * scale);
        dX[at + c] = add ? dX[at + c] + slope : slope;
    }
}

/** With g = dOut * weight, n the normalized row and s its scale: dX += s (g - mean(g) - n mean(g n)). A block a row. */
KERNEL(layer_norm_backward, 1024, float* dX, const float* dOut, const float* x, int width, const float* weight, float epsilon) {
    __shared__ float room[MOST_WARPS];
    size_t at = (size_t)blockIdx.x * width;
    float sum = 0;
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        sum += x[at + c];
    }
    float mean = block_sum(sum, room) / (float)width;
    float squares = 0;
    float slopes = 0;
    float products = 0;
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        float value = x[at + c] - mean;
        float slope = dOut[at + c] * weight[c];
        squares = fmaf(value, value, squares);
        slopes += slope;
        products = fmaf(value, slope, products);
    }
    float scale = 1.0f / sqrtf(block_sum(squares, room) / (float)width + epsilon);
    float meanSlope = block_sum(slopes, room) / (float)width;
    float shared = scale * scale * (block_sum(products, room) / (float)width);
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        float slope = dOut[at + c] * weight[c];
        dX[at + c] += (slope - meanSlope - (x[at + c] - mean) * shared) * scale;
    }
}

/** out [rows, width] = silu(gate) * up of rows of gate, then up. */
KERNEL(swiglu_rows, 256, float* out, const float* gateUp, int rows, int width) {
    for (size_t i = first_element(); i < (size_t)rows * width; i += all_threads()) {
        size_t at = i / width * 2 * width + i % width;
        float gate = gateUp[at];
        out[i] = gate / (1.0f + expf(-gate)) * gateUp[at + width];
    }
}

/** dGateUp may be gateUp. */
KERNEL(swiglu_backward, 256, float* dGateUp, const float* dOut, const float* gateUp, int rows, int width) {
    for (size_t i = first_element(); i < (size_t)rows * width; i += all_threads()) {
        size_t at = i / width * 2 * width + i % width;
        float gate = gateUp[at];
        float up = gateUp[at + width];
        float open = sigmoid(gate);
        dGateUp[at] = dOut[i] * up * open * (1.0f + gate * (1.0f - open));
        dGateUp[at + width] = dOut[i] * gate * open;
    }
}

/** dX may be dOut. */
KERNEL(gelu_erf_backward, 256, float* dX, const float* dOut, const float* x, int count) {
    const float density = 0.39894228040143268f;  // 1 / sqrt(2 pi)
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        float v = x[i];
        float slope = 0.5f * (1.0f + erff(v * ROOT_OF_HALF)) + v * density * expf(-0.5f * v * v);
        dX[i] = dOut[i] * slope;
    }
}

/** dX may be dOut. */
KERNEL(gelu_tanh_backward, 256, float* dX, const float* dOut, const float* x, int count) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        float v = x[i];
        float t = tanhf(ROOT_OF_TWO_BY_PI * (v + GELU_CUBIC * v * v * v));
        float inner = ROOT_OF_TWO_BY_PI * (1.0f + 3.0f * GELU_CUBIC * v * v);
        dX[i] = dOut[i] * (0.5f * (1.0f + t) + 0.5f * v * (1.0f - t * t) * inner);
    }
}

/**
 * Rotary embedding of the first heads of each row in place, first half of the rotary dimensions against the second.
 *
 * @param turn 1, or -1 to turn back
 */
KERNEL(rope_by_table, 256, float* x, int stride, const int* positions, const float* cosines, const float* sines, int tokens, int heads, int headSize, int pairs, float turn) {
    size_t count = (size_t)tokens * heads * pairs;
    for (size_t i = first_element(); i < count; i += all_threads()) {
        int pair = (int)(i % pairs);
        size_t token = i / pairs / heads;
        float* at = x + token * stride + i / pairs % heads * headSize + pair;
        size_t angle = (size_t)positions[token] * pairs + pair;
        float cosine = cosines[angle];
        float sine = turn * sines[angle];
        float a = at[0];
        float b = at[pairs];
        at[0] = a * cosine - b * sine;
        at[pairs] = b * cosine + a * sine;
    }
}

/** out may be x. */
KERNEL(scale, 256, float* out, const float* x, int count, float factor) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        out[i] = x[i] * factor;
    }
}

KERNEL(clear, 256, float* x, long long count) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        x[i] = 0.0f;
    }
}

/** A block a row of x. */
KERNEL(scatter_rows, 256, float* out, const float* x, const int* rows, int width) {
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
        out[(size_t)rows[blockIdx.x] * width + c] = x[(size_t)blockIdx.x * width + c];
    }
}

/**
 * out = x * factor where the 31 bits drawn for an element reach the limit, else 0. The numbers are those that the processor draws: a mixing of
 * index and seed (Wellons, "Prospecting for hash functions"). out may be x.
 */
KERNEL(dropout, 256, float* out, const float* x, int count, u32 seed, u32 limit, float factor) {
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        u32 bits = (u32)i + seed;
        bits = (bits ^ bits >> 16) * 0x7feb352du;
        bits = (bits ^ bits >> 15) * 0x846ca68bu;
        bits = (bits ^ bits >> 16) >> 1;
        out[i] = bits >= limit ? x[i] * factor : 0.0f;
    }
}

/** A sum for each block: every block adds the squares of its share in the same order every time. */
KERNEL(sum_of_squares, 256, double* out, const float* x, long long count) {
    __shared__ double sums[256];
    double sum = 0;
    for (size_t i = first_element(); i < (size_t)count; i += all_threads()) {
        sum += (double)x[i] * (double)x[i];
    }
    sums[threadIdx.x] = sum;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) {
            sums[threadIdx.x] += sums[threadIdx.x + half];
        }
    }
    if (threadIdx.x == 0) {
        out[blockIdx.x] = sums[0];
    }
}
