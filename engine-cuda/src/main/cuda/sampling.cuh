// Draws a token from each row of logits, as the engine's sampler does on the processor (Sampler, Distribution): temperature, top-k, top-p, min-p, and a
// number from [0, 1) that the host draws from seed and position. Weights are exp((logit - largest) / temperature) in double precision, so only
// a number within rounding of the border between two tokens can choose another one there.
//
// Borders are found by their bits, highest first: eight times the weights are sorted into 256 bins, of which the one with the border is looked
// at closer. Sums within bins are integers (counts, or weights in units of 2^-44), so their order does not matter.
#pragma once
#include "platform.cuh"

static const int DRAW_THREADS = 1024;
static const int BINS = 256;
static const double UNITS = 17592186044416.0;

typedef unsigned long long u64;

/** One row's settings; in the order of Java's CudaKernels. */
struct Draw {
    double temperature;
    double topP;
    double minP;
    double uniform;
    /** 0: all. */
    long long topK;
};

/** Orders weights as they are ordered themselves; 0 for what cannot be drawn. */
__device__ __forceinline__ u64 bits_of(double weight) {
    return (u64)__double_as_longlong(weight);
}

__device__ __forceinline__ u64 units_of(double weight) {
    return (u64)(weight * UNITS + 0.5);
}

struct Border {
    /** Bits of the weight at which the sum goes beyond the limit. */
    u64 bits;
    /** Sum of lighter ones, and of those that are as heavy. */
    u64 below;
    u64 equals;
};

/** Where the sum of the weights of at least these bits, from the lightest on, goes beyond a limit that is below their whole sum. */
template <bool COUNTS>
__device__ __forceinline__ Border border(const double* weights, int width, u64 least, u64 limit, u64* bins) {
    Border found = {0, 0, 0};
    for (int shift = 56; shift >= 0; shift -= 8) {
        __syncthreads();
        for (int b = threadIdx.x; b < BINS; b += blockDim.x) {
            bins[b] = 0;
        }
        __syncthreads();
        for (int i = threadIdx.x; i < width; i += blockDim.x) {
            u64 bits = bits_of(weights[i]);
            bool closer = shift == 56 || bits >> (shift + 8) == found.bits >> (shift + 8);
            if (bits != 0 && bits >= least && closer) {
                atomicAdd(&bins[bits >> shift & (BINS - 1)], COUNTS ? 1ull : units_of(weights[i]));
            }
        }
        __syncthreads();
        int bin = 0;
        while (bin < BINS - 1 && found.below + bins[bin] <= limit) {
            found.below += bins[bin++];
        }
        found.equals = bins[bin];
        found.bits |= (u64)bin << shift;
    }
    return found;
}

/** Sum over the threads, always in the same order, in every thread. */
__device__ __forceinline__ double in_order(double value, double* room) {
    __syncthreads();
    room[threadIdx.x] = value;
    __syncthreads();
    double sum = 0;
    for (int t = 0; t < (int)blockDim.x; t++) {
        sum += room[t];
    }
    return sum;
}

/**
 * A block a row.
 *
 * @param tokens takes the token of rows[blockIdx.x]; -1 where a logit is no number, or the largest is not finite
 * @param weights [gridDim.x, width]
 */
KERNEL(row_draw, 1024, int* tokens, double* weights, const float* logits, const Draw* draws, const int* rows, int width) {
    __shared__ double room[DRAW_THREADS];
    __shared__ u64 bins[BINS];
    __shared__ u64 whole[2];
    Draw draw = draws[blockIdx.x];
    const float* row = logits + (size_t)rows[blockIdx.x] * width;
    weights += (size_t)blockIdx.x * width;

    double most = -INFINITY;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        most = row[i] != row[i] ? INFINITY : fmax(most, (double)row[i]);
    }
    room[threadIdx.x] = most;
    __syncthreads();
    for (int t = 0; t < (int)blockDim.x; t++) {
        most = fmax(most, room[t]);
    }
    if (!(most > -INFINITY && most < INFINITY)) {
        if (threadIdx.x == 0) {
            tokens[blockIdx.x] = -1;
        }
        return;
    }

    if (threadIdx.x < 2) {
        whole[threadIdx.x] = 0;
    }
    __syncthreads();
    u64 count = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        weights[i] = exp(((double)row[i] - most) / draw.temperature);
        count += weights[i] > 0 ? 1 : 0;
    }
    atomicAdd(&whole[0], count);
    __syncthreads();
    count = whole[0];

    // What is drawn from: weights of more than these bits, and the first so many of just these.
    u64 least = 1;
    u64 equals = ~0ull;
    if (draw.topK > 0 && (u64)draw.topK < count) {
        least = border<true>(weights, width, least, count - (u64)draw.topK, bins).bits;
    }
    if (draw.topP < 1) {
        u64 units = 0;
        for (int i = threadIdx.x; i < width; i += blockDim.x) {
            units += bits_of(weights[i]) >= least ? units_of(weights[i]) : 0;
        }
        atomicAdd(&whole[1], units);
        __syncthreads();
        u64 limit = min((u64)((1 - draw.topP) * (double)whole[1]), whole[1] - 1);
        Border heavy = border<false>(weights, width, least, limit, bins);
        least = heavy.bits;
        u64 each = units_of(__longlong_as_double((long long)heavy.bits));
        equals = heavy.equals / each - (limit - heavy.below) / each;
    }
    if (draw.minP > 0 && bits_of(draw.minP) > least) {
        least = bits_of(draw.minP);
        equals = ~0ull;
    }

    // Each thread takes neighbouring tokens, and must know how many of those at the border stand before its own.
    int share = (width + blockDim.x - 1) / blockDim.x;
    int from = min(width, (int)threadIdx.x * share);
    int to = min(width, from + share);
    u64 before = 0;
    if (equals != ~0ull) {
        int own = 0;
        for (int i = from; i < to; i++) {
            own += bits_of(weights[i]) == least ? 1 : 0;
        }
        __syncthreads();
        room[threadIdx.x] = own;
        __syncthreads();
        for (int t = 0; t < (int)threadIdx.x; t++) {
            before += (u64)room[t];
        }
    }
    double sum = 0;
    int last = -1;
    for (int i = from; i < to; i++) {
        u64 bits = bits_of(weights[i]);
        bool kept = bits > least || (bits == least && before++ < equals);
        if (kept) {
            sum += weights[i];
            last = i;
        } else {
            weights[i] = 0;
        }
    }
    double target = draw.uniform * in_order(sum, room);
    // The thread within whose tokens the number falls; by rounding it may fall behind them all.
    int owner = -1;
    for (int t = 0; t < (int)blockDim.x; t++) {
        if (room[t] > 0) {
            owner = t;
            if (target < room[t]) {
                break;
            }
            target -= room[t];
        }
    }
    if ((int)threadIdx.x == owner) {
        int chosen = last;
        for (int i = from; i < last; i++) {
            target -= weights[i];
            if (target < 0) {
                chosen = i;
                break;
            }
        }
        tokens[blockIdx.x] = chosen;
    }
}
