// Low-rank updates of many adapters in one launch: out[t, n] += scale * sum over r of B[n, r] * (sum over k of A[r, k] x[t, k]). Rows come as
// segments of up to SEGMENT neighbours with one adapter, so that ranks may differ from segment to segment and a batch without adapters
// costs nothing. The idea of segments: Punica, arXiv 2310.18547.
#pragma once
#include "numbers.cuh"

static const int SEGMENT = 8;
static const int RANK_WARPS = 4;

// An adapter is one piece of memory that may lie anywhere: its table holds places within it, in bytes.

/** Of one output behind an A; in the order of Java's CudaLowRank. */
struct LowRankPart {
    long long b;  // [rank][outputs]
    int output;
    int outputs;
    int firstRank;
    int rank;
    float scale;
    int unused;
};

/** One numbered update of an adapter. */
struct LowRankUpdate {
    long long a;  // [ranks][inputs], all A's one below another
    long long parts;
    int ranks;
    int count;
};

/** Rows with one adapter, whose memory begins with its updates. */
struct LowRankSegment {
    const char* adapter;
    int first;
    int rows;

    __device__ __forceinline__ LowRankUpdate update(int number) const { return ((const LowRankUpdate*)adapter)[number]; }
    __device__ __forceinline__ const float* values(long long at) const { return (const float*)(adapter + at); }
};

/** shrunk[t, r] = A x: a block a segment and RANK_WARPS ranks, a warp a rank. */
KERNEL(low_rank_shrink, 128, float* shrunk, const float* x, const LowRankSegment* segments, int number, int K, int pitch) {
    LowRankSegment segment = segments[blockIdx.x];
    LowRankUpdate update = segment.update(number);
    int r = blockIdx.y * RANK_WARPS + threadIdx.x / WARP;
    if (r >= update.ranks) {
        return;
    }
    const float* a = segment.values(update.a) + (size_t)r * K;
    float sums[SEGMENT] = {};
    for (int k = threadIdx.x % WARP; k < K; k += WARP) {
#pragma unroll
        for (int i = 0; i < SEGMENT; i++) {
            if (i < segment.rows) {
                sums[i] = fmaf(a[k], x[(size_t)(segment.first + i) * K + k], sums[i]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < SEGMENT; i++) {
        if (i < segment.rows) {
            float sum = warp_sum(sums[i]);
            if (threadIdx.x % WARP == 0) {
                shrunk[(size_t)(segment.first + i) * pitch + r] = sum;
            }
        }
    }
}

/** A block a segment, 128 outputs and one part of the update; a thread an output. */
KERNEL(low_rank_expand, 128, float* out0, float* out1, float* out2, float* out3, const float* shrunk, const LowRankSegment* segments, int number, int pitch) {
    LowRankSegment segment = segments[blockIdx.x];
    LowRankUpdate update = segment.update(number);
    if ((int)blockIdx.z >= update.count) {
        return;
    }
    LowRankPart part = ((const LowRankPart*)(segment.adapter + update.parts))[blockIdx.z];
    const float* values = segment.values(part.b);
    int n = blockIdx.y * 128 + threadIdx.x;
    if (n >= part.outputs) {
        return;
    }
    const float* from = shrunk + (size_t)segment.first * pitch + part.firstRank;
    float sums[SEGMENT] = {};
    for (int r = 0; r < part.rank; r++) {
        float b = values[(size_t)r * part.outputs + n];
#pragma unroll
        for (int i = 0; i < SEGMENT; i++) {
            if (i < segment.rows) {
                sums[i] = fmaf(b, from[(size_t)i * pitch + r], sums[i]);
            }
        }
    }
    float* out = part.output == 0 ? out0 : part.output == 1 ? out1 : part.output == 2 ? out2 : out3;
#pragma unroll
    for (int i = 0; i < SEGMENT; i++) {
        if (i < segment.rows) {
            size_t at = (size_t)(segment.first + i) * part.outputs + n;
            out[at] = fmaf(part.scale, sums[i], out[at]);
        }
    }
}
