// Causal attention over the paged cache: out[t, h] = sum over p of softmax(scale * q[t, h] . key[p, g]) value[p, g], g = h / (H / G),
// position(t) - window < p <= position(t). Softmax without its full row at once: FlashAttention, arXiv 2205.14135.
#pragma once
#include "cache.cuh"

static const float LOWEST = -3.0e38f;

// Single tokens (decode, and all tokens where each must have the same bits whatever runs beside it), in fp32. The positions of a token are cut
// into chunks at fixed places, one block a chunk and key/value head, so that a long context fills the device; a second kernel joins the
// chunks in their order. All query heads of a key/value head share what is read of the cache.

static const int CHUNK = 256;
static const int ROW_THREADS = 128;
static const int HEADS_AT_ONCE = 4;
static const int MOST_HEAD_SIZE = 256;

/**
 * @param rows tokens to compute, one for each blockIdx.x
 * @param parts [rows of the grid, H, gridDim.z, D] sums of chunks; unused where gridDim.z is 1
 * @param stats [rows of the grid, H, gridDim.z, 2] highest score and sum of weights of chunks
 */
template <class STORE>
__device__ __forceinline__ void attention_rows(
    float* out, float* parts, float* stats, const float* queries, const typename STORE::Element* keys,
    const typename STORE::Element* values, const int* rows, const int* positions, const int* sequences,
    const int* tables, int tablePitch, int H, int G, int D, int P, int slots, int window, float scale) {
    __shared__ float q[HEADS_AT_ONCE][MOST_HEAD_SIZE];
    __shared__ float scores[HEADS_AT_ONCE][CHUNK];
    __shared__ float highest[HEADS_AT_ONCE];
    __shared__ float totals[HEADS_AT_ONCE];
    __shared__ float room[ROW_THREADS][2 * HEADS_AT_ONCE];
    int t = rows[blockIdx.x];
    int g = blockIdx.y;
    int position = positions[t];
    int seen = window == 0 ? 0 : max(0, position - window + 1);
    int from = max(seen, (int)blockIdx.z * CHUNK);
    int to = min(position + 1, ((int)blockIdx.z + 1) * CHUNK);
    if (from >= to) {
        return;
    }
    const int* table = tables + (size_t)sequences[t] * tablePitch;
    int group = H / G;
    int tid = threadIdx.x;
    int pairs = P / 2;
    int shares = ROW_THREADS / pairs;
    for (int first = 0; first < group; first += HEADS_AT_ONCE) {
        int h0 = g * group + first;
        int heads = min(HEADS_AT_ONCE, group - first);
        for (int i = tid; i < HEADS_AT_ONCE * P; i += ROW_THREADS) {
            int j = i / P;
            int d = i % P;
            q[j][d] = j < heads && d < D ? queries[((size_t)t * H + h0 + j) * D + d] : 0.0f;
        }
        __syncthreads();
        for (int p = from + tid; p < to; p += ROW_THREADS) {
            const typename STORE::Element* key = keys + key_at(table[p / slots], g, G, P, slots, p % slots, 0);
            float dots[HEADS_AT_ONCE] = {};
            for (int d = 0; d < P; d += 8) {
                float k[8];
                STORE::load8(key + (size_t)d * slots, k);
#pragma unroll
                for (int j = 0; j < HEADS_AT_ONCE; j++) {
#pragma unroll
                    for (int e = 0; e < 8; e++) {
                        dots[j] = fmaf(q[j][d + e], k[e], dots[j]);
                    }
                }
            }
#pragma unroll
            for (int j = 0; j < HEADS_AT_ONCE; j++) {
                scores[j][p - from] = dots[j] * scale;
            }
        }
        __syncthreads();
        // Four warps, four heads.
        int head = tid / WARP;
        float most = LOWEST;
        for (int i = tid % WARP; i < to - from; i += WARP) {
            most = fmaxf(most, scores[head][i]);
        }
        most = warp_max(most);
        float total = 0;
        for (int i = tid % WARP; i < to - from; i += WARP) {
            float weight = expf(scores[head][i] - most);
            scores[head][i] = weight;
            total += weight;
        }
        total = warp_sum(total);
        if (tid % WARP == 0) {
            highest[head] = most;
            totals[head] = total;
        }
        __syncthreads();
        float sums[HEADS_AT_ONCE][2] = {};
        int pair = tid % pairs;
        int share = tid / pairs;
        if (share < shares) {
            for (int p = from + share; p < to; p += shares) {
                const typename STORE::Element* value =
                    values + value_at(table[p / slots], g, G, P, slots, p % slots, 2 * pair);
                float low = STORE::widen(value[0]);
                float high = STORE::widen(value[1]);
#pragma unroll
                for (int j = 0; j < HEADS_AT_ONCE; j++) {
                    sums[j][0] = fmaf(scores[j][p - from], low, sums[j][0]);
                    sums[j][1] = fmaf(scores[j][p - from], high, sums[j][1]);
                }
            }
        }
#pragma unroll
        for (int j = 0; j < HEADS_AT_ONCE; j++) {
            room[tid][2 * j] = sums[j][0];
            room[tid][2 * j + 1] = sums[j][1];
        }
        __syncthreads();
        for (int i = tid; i < heads * D; i += ROW_THREADS) {
            int j = i / D;
            int d = i % D;
            float sum = 0;
            for (int s = 0; s < shares; s++) {
                sum += room[s * pairs + d / 2][2 * j + d % 2];
            }
            size_t h = (size_t)h0 + j;
            if (gridDim.z == 1) {
                out[((size_t)t * H + h) * D + d] = sum / totals[j];
            } else {
                parts[(((size_t)blockIdx.x * H + h) * gridDim.z + blockIdx.z) * D + d] = sum;
            }
        }
        if (gridDim.z > 1 && tid < heads) {
            size_t at = (((size_t)blockIdx.x * H + h0 + tid) * gridDim.z + blockIdx.z) * 2;
            stats[at] = highest[tid];
            stats[at + 1] = totals[tid];
        }
        __syncthreads();
    }
}

#define ATTENTION_ROWS(name, STORE)                                                                                  \
    KERNEL(attention_rows_##name, 128, float* out, float* parts, float* stats, const float* queries,                 \
           const STORE::Element* keys, const STORE::Element* values, const int* rows, const int* positions,          \
           const int* sequences, const int* tables, int tablePitch, int H, int G, int D, int P, int slots,           \
           int window, float scale) {                                                                                \
        attention_rows<STORE>(out, parts, stats, queries, keys, values, rows, positions, sequences, tables,          \
                              tablePitch, H, G, D, P, slots, window, scale);                                         \
    }
ATTENTION_ROWS(f32, StoreF32)
ATTENTION_ROWS(bf16, StoreBF16)

/** Joins the chunks of attention_rows: a block a token and head. */
KERNEL(attention_join, 128, float* out, const float* parts, const float* stats, const int* rows, const int* positions, int chunks, int D, int window) {
    int t = rows[blockIdx.x];
    int H = gridDim.y;
    int position = positions[t];
    int from = window == 0 ? 0 : max(0, position - window + 1) / CHUNK;
    int to = position / CHUNK + 1;
    size_t at = ((size_t)blockIdx.x * H + blockIdx.y) * chunks;
    float most = LOWEST;
    for (int c = from; c < to; c++) {
        most = fmaxf(most, stats[(at + c) * 2]);
    }
    float total = 0;
    for (int c = from; c < to; c++) {
        total = fmaf(stats[(at + c) * 2 + 1], expf(stats[(at + c) * 2] - most), total);
    }
    for (int d = threadIdx.x; d < D; d += blockDim.x) {
        float sum = 0;
        for (int c = from; c < to; c++) {
            sum = fmaf(parts[(at + c) * D + d], expf(stats[(at + c) * 2] - most), sum);
        }
        out[((size_t)t * H + blockIdx.y) * D + d] = sum / total;
    }
}

// Runs of tokens of one sequence (prefill), on the tensor cores: a block computes TOKENS tokens of one head, each warp 16 of them. Scores stay
// in registers: as fragment c of the first product they are fragment a of the second (FlashAttention-2, arXiv 2307.08691).

static const int TOKENS = 64;
static const int KEYS = 64;

/**
 * @param tiles [gridDim.x, 2] first token and number of tokens, at most TOKENS
 * @tparam P padded head size, a multiple of 16; the cache's may be 8 less
 */
template <class STORE, int P>
__device__ __forceinline__ void attention_tiles(
    float* out, const float* queries, const typename STORE::Element* keys, const typename STORE::Element* values,
    const int* tiles, const int* positions, const int* sequences, const int* tables, int tablePitch, int H, int G,
    int D, int cacheP, int slots, int window, float scale) {
    const int PITCH_OF_HEADS = P + 8;
    __shared__ __align__(16) u16 keyTile[KEYS * PITCH_OF_HEADS];
    __shared__ __align__(16) u16 valueTile[KEYS * PITCH_OF_HEADS];
    int lane = threadIdx.x % WARP;
    int firstToken = tiles[2 * blockIdx.x];
    int count = tiles[2 * blockIdx.x + 1];
    int h = blockIdx.y;
    int g = h / (H / G);
    const int* table = tables + (size_t)sequences[firstToken] * tablePitch;
    int firstPosition = positions[firstToken];
    int lastPosition = firstPosition + count - 1;
    // This lane's two rows of the tile.
    int rows[2];
    rows[0] = threadIdx.x / WARP * 16 + lane / 4;
    rows[1] = rows[0] + 8;
    u32 q[P / 16][4];
#pragma unroll
    for (int i = 0; i < P / 16; i++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int row = rows[e % 2];
            int d = i * 16 + lane % 4 * 2 + e / 2 * 8;
            const float* from = queries + ((size_t)(firstToken + row) * H + h) * D;
            q[i][e] = pack_bfloat16(row < count && d < D ? from[d] : 0.0f, row < count && d + 1 < D ? from[d + 1] : 0.0f);
        }
    }
    float sums[P / 8][4] = {};
    float most[2] = {LOWEST, LOWEST};
    float totals[2] = {};
    // Scores become powers of two.
    float scaleOfTwo = scale * 1.4426950408889634f;
    int seen = window == 0 ? 0 : max(0, firstPosition - window + 1);
    for (int origin = seen / KEYS * KEYS; origin <= lastPosition; origin += KEYS) {
        __syncthreads();
        for (int i = threadIdx.x; i < KEYS * (P / 8); i += 128) {
            int p = origin + i % KEYS;
            int d = i / KEYS * 8;
            float v[8] = {};
            if (p <= lastPosition && d < cacheP) {
                STORE::load8(keys + key_at(table[p / slots], g, G, cacheP, slots, p % slots, d), v);
            }
            u16* to = keyTile + i % KEYS * PITCH_OF_HEADS + d;
#pragma unroll
            for (int e = 0; e < 8; e += 2) {
                *(u32*)(to + e) = pack_bfloat16(v[e], v[e + 1]);
            }
        }
        for (int i = threadIdx.x; i < KEYS * (P / 8); i += 128) {
            int p = origin + i / (P / 8);
            int d = i % (P / 8) * 8;
            float v[8] = {};
            if (p <= lastPosition && d < cacheP) {
                STORE::load8(values + value_at(table[p / slots], g, G, cacheP, slots, p % slots, d), v);
            }
            u16* to = valueTile + i / (P / 8) * PITCH_OF_HEADS + d;
#pragma unroll
            for (int e = 0; e < 8; e += 2) {
                *(u32*)(to + e) = pack_bfloat16(v[e], v[e + 1]);
            }
        }
        __syncthreads();
        float scores[KEYS / 8][4] = {};
#pragma unroll
        for (int i = 0; i < P / 16; i++) {
#pragma unroll
            for (int j = 0; j < KEYS / 8; j++) {
                u32 b[2];
                load_b(b, keyTile + j * 8 * PITCH_OF_HEADS + i * 16, PITCH_OF_HEADS);
                multiply_tiles(scores[j], q[i], b);
            }
        }
        float next[2] = {most[0], most[1]};
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int own = firstPosition + rows[e / 2];
                int p = origin + j * 8 + lane % 4 * 2 + e % 2;
                bool sees = p <= own && p <= lastPosition && (window == 0 || p > own - window);
                scores[j][e] = sees ? scores[j][e] * scaleOfTwo : LOWEST;
                next[e / 2] = fmaxf(next[e / 2], scores[j][e]);
            }
        }
        float shrink[2];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            next[r] = fmaxf(next[r], __shfl_xor_sync(0xffffffffu, next[r], 1));
            next[r] = fmaxf(next[r], __shfl_xor_sync(0xffffffffu, next[r], 2));
            shrink[r] = exp2f(most[r] - next[r]);
            most[r] = next[r];
            totals[r] *= shrink[r];
        }
#pragma unroll
        for (int i = 0; i < P / 8; i++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                sums[i][e] *= shrink[e / 2];
            }
        }
#pragma unroll
        for (int j = 0; j < KEYS / 8; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                // A row that has seen nothing yet has the lowest score as its highest.
                scores[j][e] = scores[j][e] == LOWEST ? 0.0f : exp2f(scores[j][e] - most[e / 2]);
                totals[e / 2] += scores[j][e];
            }
        }
#pragma unroll
        for (int i = 0; i < KEYS / 16; i++) {
            u32 a[4];
            a[0] = pack_bfloat16(scores[2 * i][0], scores[2 * i][1]);
            a[1] = pack_bfloat16(scores[2 * i][2], scores[2 * i][3]);
            a[2] = pack_bfloat16(scores[2 * i + 1][0], scores[2 * i + 1][1]);
            a[3] = pack_bfloat16(scores[2 * i + 1][2], scores[2 * i + 1][3]);
#pragma unroll
            for (int j = 0; j < P / 8; j++) {
                u32 b[2];
                load_b_rows(b, valueTile + i * 16 * PITCH_OF_HEADS + j * 8, PITCH_OF_HEADS);
                multiply_tiles(sums[j], a, b);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < 2; r++) {
        totals[r] += __shfl_xor_sync(0xffffffffu, totals[r], 1);
        totals[r] += __shfl_xor_sync(0xffffffffu, totals[r], 2);
    }
#pragma unroll
    for (int j = 0; j < P / 8; j++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int row = rows[e / 2];
            int d = j * 8 + lane % 4 * 2 + e % 2;
            if (row < count && d < D) {
                out[((size_t)(firstToken + row) * H + h) * D + d] = sums[j][e] / totals[e / 2];
            }
        }
    }
}

#define ATTENTION_TILES(name, STORE, P)                                                                              \
    KERNEL(attention_tiles_##name##_##P, 128, float* out, const float* queries, const STORE::Element* keys,          \
           const STORE::Element* values, const int* tiles, const int* positions, const int* sequences,               \
           const int* tables, int tablePitch, int H, int G, int D, int cacheP, int slots, int window, float scale) { \
        attention_tiles<STORE, P>(out, queries, keys, values, tiles, positions, sequences, tables, tablePitch, H, G, \
                                  D, cacheP, slots, window, scale);                                                  \
    }
#define ATTENTION_SIZES(name, STORE)   \
    ATTENTION_TILES(name, STORE, 16)   \
    ATTENTION_TILES(name, STORE, 32)   \
    ATTENTION_TILES(name, STORE, 64)   \
    ATTENTION_TILES(name, STORE, 80)   \
    ATTENTION_TILES(name, STORE, 112)  \
    ATTENTION_TILES(name, STORE, 128)
ATTENTION_SIZES(f32, StoreF32)
ATTENTION_SIZES(bf16, StoreBF16)
