// Causal attention of whole sequences side by side, and its gradients: no scores are kept, they are computed again from the logarithm of each
// softmax's denominator (FlashAttention-2, arXiv 2307.08691). In fp32: a warp owns what it sums, so the order of sums is always the same.
// Each lane computes the score of one key (or query), then all lanes add these 32 rows one after another, a part of the head each.
//
// Rows of queries, keys and values: [T, H + 2 G, D].
#pragma once
#include "attention.cuh"

static const int CAUSAL_WARPS = 4;
static const int PARTS_OF_HEAD = MOST_HEAD_SIZE / WARP;

struct Sequences {
    const float* heads;
    /** [T, 2] first token of each token's sequence, and the one behind its last. */
    const int* bounds;
    int T, H, G, D, window;
    float scale;

    __device__ __forceinline__ size_t query(int t, int h) const { return ((size_t)t * (H + 2 * G) + h) * D; }
    __device__ __forceinline__ size_t key(int t, int g) const { return query(t, H + g); }
    __device__ __forceinline__ size_t value(int t, int g) const { return query(t, H + G + g); }
    __device__ __forceinline__ size_t out(int t, int h) const { return ((size_t)t * H + h) * D; }
    /** First token that t sees. */
    __device__ __forceinline__ int first(int t) const { return window == 0 ? bounds[2 * t] : max(bounds[2 * t], t - window + 1); }
    /** Token behind the last that sees p. */
    __device__ __forceinline__ int end(int p) const {
        return window == 0 ? bounds[2 * p + 1] : min(bounds[2 * p + 1], p + window);
    }
};

#define SEQUENCES const float *heads, const int *bounds, int T, int H, int G, int D, int window, float scale
#define TAKE_SEQUENCES Sequences{heads, bounds, T, H, G, D, window, scale}

__device__ __forceinline__ float dot(const float* a, const float* b, int D) {
    float sum = 0;
    for (int d = 0; d < D; d++) {
        sum = fmaf(a[d], b[d], sum);
    }
    return sum;
}

/** sums += factor of lane j times row j, for {@code count} rows {@code pitch} apart; each lane adds up its part of the head. */
__device__ __forceinline__ void add_rows(float sums[PARTS_OF_HEAD], float factor, const float* rows, size_t pitch, int count, int D) {
    for (int j = 0; j < count; j++) {
        float own = __shfl_sync(0xffffffffu, factor, j);
#pragma unroll
        for (int i = 0; i < PARTS_OF_HEAD; i++) {
            int d = i * WARP + threadIdx.x % WARP;
            if (d < D) {
                sums[i] = fmaf(own, rows[j * pitch + d], sums[i]);
            }
        }
    }
}

__device__ __forceinline__ void store_head(float* out, const float sums[PARTS_OF_HEAD], float factor, int D) {
#pragma unroll
    for (int i = 0; i < PARTS_OF_HEAD; i++) {
        int d = i * WARP + threadIdx.x % WARP;
        if (d < D) {
            out[d] = sums[i] * factor;
        }
    }
}

/**
 * A warp a token and head.
 *
 * @param logSums [T, H]
 */
KERNEL(causal_attention, 128, float* out, float* logSums, SEQUENCES) {
    Sequences s = TAKE_SEQUENCES;
    int row = blockIdx.x * CAUSAL_WARPS + threadIdx.x / WARP;
    if (row >= T * H) {
        return;
    }
    int t = row / H;
    int h = row % H;
    int g = h / (H / G);
    int lane = threadIdx.x % WARP;
    float sums[PARTS_OF_HEAD] = {};
    float most = LOWEST;
    float total = 0;
    for (int from = s.first(t); from <= t; from += WARP) {
        int p = from + lane;
        float score = p <= t ? dot(heads + s.query(t, h), heads + s.key(p, g), D) * scale : LOWEST;
        float next = fmaxf(most, warp_max(score));
        float shrink = expf(most - next);
        float weight = p <= t ? expf(score - next) : 0.0f;
        total = fmaf(total, shrink, warp_sum(weight));
#pragma unroll
        for (int i = 0; i < PARTS_OF_HEAD; i++) {
            sums[i] *= shrink;
        }
        add_rows(sums, weight, heads + s.value(from, g), s.query(1, 0), min(WARP, t + 1 - from), D);
        most = next;
    }
    store_head(out + s.out(t, h), sums, 1.0f / total, D);
    if (lane == 0) {
        logSums[row] = most + logf(total);
    }
}

/**
 * Gradient by queries, a warp a token and head.
 *
 * @param dHeads [T, H + 2 G, D], of which queries are written
 * @param products [T, H] takes dOut . out, for causal_attention_keys
 */
KERNEL(causal_attention_queries, 128, float* dHeads, float* products, const float* dOut, const float* out, const float* logSums, SEQUENCES) {
    Sequences s = TAKE_SEQUENCES;
    int row = blockIdx.x * CAUSAL_WARPS + threadIdx.x / WARP;
    if (row >= T * H) {
        return;
    }
    int t = row / H;
    int h = row % H;
    int g = h / (H / G);
    int lane = threadIdx.x % WARP;
    float product = 0;
    for (int d = lane; d < D; d += WARP) {
        product = fmaf(dOut[s.out(t, h) + d], out[s.out(t, h) + d], product);
    }
    product = warp_sum(product);
    if (lane == 0) {
        products[row] = product;
    }
    float sums[PARTS_OF_HEAD] = {};
    for (int from = s.first(t); from <= t; from += WARP) {
        int p = from + lane;
        float slope = 0;
        if (p <= t) {
            float weight = expf(dot(heads + s.query(t, h), heads + s.key(p, g), D) * scale - logSums[row]);
            slope = weight * (dot(dOut + s.out(t, h), heads + s.value(p, g), D) - product);
        }
        add_rows(sums, slope, heads + s.key(from, g), s.query(1, 0), min(WARP, t + 1 - from), D);
    }
    store_head(dHeads + s.query(t, h), sums, scale, D);
}

/** Gradient by keys and values, a warp a token and key/value head; behind causal_attention_queries. */
KERNEL(causal_attention_keys, 128, float* dHeads, const float* products, const float* dOut, const float* logSums, SEQUENCES) {
    Sequences s = TAKE_SEQUENCES;
    int row = blockIdx.x * CAUSAL_WARPS + threadIdx.x / WARP;
    if (row >= T * G) {
        return;
    }
    int p = row / G;
    int g = row % G;
    int lane = threadIdx.x % WARP;
    int end = s.end(p);
    float dKey[PARTS_OF_HEAD] = {};
    float dValue[PARTS_OF_HEAD] = {};
    for (int h = g * (H / G); h < (g + 1) * (H / G); h++) {
        for (int from = p; from < end; from += WARP) {
            int t = from + lane;
            float weight = 0;
            float slope = 0;
            if (t < end) {
                weight = expf(dot(heads + s.query(t, h), heads + s.key(p, g), D) * scale - logSums[t * H + h]);
                slope = weight * (dot(dOut + s.out(t, h), heads + s.value(p, g), D) - products[t * H + h]);
            }
            int count = min(WARP, end - from);
            add_rows(dKey, slope, heads + s.query(from, h), s.query(1, 0), count, D);
            add_rows(dValue, weight, dOut + s.out(from, h), (size_t)H * D, count, D);
        }
    }
    store_head(dHeads + s.key(p, g), dKey, scale, D);
    store_head(dHeads + s.value(p, g), dValue, 1.0f, D);
}
