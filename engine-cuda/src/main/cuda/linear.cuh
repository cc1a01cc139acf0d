// out[t, n] = sum over k of x[t, k] * weight[n, k], + bias[n]
#pragma once
#include "weights.cuh"

// Few rows: bound by reading weights. A warp computes OUTPUTS outputs of up to ROWS rows in fp32; each weight is read and widened once for all
// rows. What a row gets does not depend on how many there are.

static const int LINEAR_WARPS = 4;
static const int LINEAR_OUTPUTS = 2;

/** Eight inputs; those behind the row's end are zero. */
__device__ __forceinline__ void load_inputs(const float* x, int k, int K, float v[8]) {
    if (K % 4 == 0 && k + 8 <= K) {
        float4 a = *(const float4*)(x + k);
        float4 b = *(const float4*)(x + k + 4);
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
        v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
    } else {
#pragma unroll
        for (int j = 0; j < 8; j++) {
            v[j] = k + j < K ? x[k + j] : 0.0f;
        }
    }
}

template <class FORMAT, int ROWS>
__device__ __forceinline__ void linear_rows(
    float* out, const float* x, const Weights& w, const float* bias, int rows, int N, int K) {
    int lane = threadIdx.x % WARP;
    int first = (blockIdx.x * LINEAR_WARPS + threadIdx.x / WARP) * LINEAR_OUTPUTS;
    int from = blockIdx.y * ROWS;
    if (first >= N) {
        return;
    }
    float sums[LINEAR_OUTPUTS][ROWS] = {};
    for (int k = lane * 8; k < K; k += WARP * 8) {
        float weights[LINEAR_OUTPUTS][8];
#pragma unroll
        for (int o = 0; o < LINEAR_OUTPUTS; o++) {
            // The last warp may have an output too few; it computes its last one twice.
            FORMAT::load(w, min(first + o, N - 1), k, K, weights[o]);
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            if (from + r < rows) {
                float inputs[8];
                load_inputs(x + (size_t)(from + r) * K, k, K, inputs);
#pragma unroll
                for (int o = 0; o < LINEAR_OUTPUTS; o++) {
#pragma unroll
                    for (int j = 0; j < 8; j++) {
                        sums[o][r] = fmaf(inputs[j], weights[o][j], sums[o][r]);
                    }
                }
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (from + r < rows) {
#pragma unroll
            for (int o = 0; o < LINEAR_OUTPUTS; o++) {
                float sum = warp_sum(sums[o][r]);
                int n = first + o;
                if (lane == 0 && n < N) {
                    out[(size_t)(from + r) * N + n] = bias == nullptr ? sum : sum + bias[n];
                }
            }
        }
    }
}

#define LINEAR_ROWS(name, FORMAT, ROWS)                                                                          \
    KERNEL(linear_rows_##name##_##ROWS, 128, float* out, const float* x, WEIGHTS, const float* bias, int rows,   \
           int N, int K) {                                                                                       \
        linear_rows<FORMAT, ROWS>(out, x, TAKE_WEIGHTS, bias, rows, N, K);                                       \
    }
#define LINEAR_1(name, FORMAT) LINEAR_ROWS(name, FORMAT, 1)
#define LINEAR_4(name, FORMAT) LINEAR_ROWS(name, FORMAT, 4)
#define LINEAR_8(name, FORMAT) LINEAR_ROWS(name, FORMAT, 8)
FOR_EACH_FORMAT(LINEAR_1)
FOR_EACH_FORMAT(LINEAR_4)
FOR_EACH_FORMAT(LINEAR_8)

// The other way round, for the gradient by x: out[t, k] = sum over n of x[t, n] * weight[n, k]. A lane computes eight neighbouring outputs, which are
// one load of each row of weights; the warps of a block share these rows, and their sums are joined in their order.

static const int TURNED_ROWS = 8;

template <class FORMAT>
__device__ __forceinline__ void linear_turned_rows(float* out, const float* x, const Weights& w, int rows, int N, int K) {
    __shared__ float room[LINEAR_WARPS][TURNED_ROWS * 8][WARP];
    int lane = threadIdx.x % WARP;
    int warp = threadIdx.x / WARP;
    int first = (blockIdx.x * WARP + lane) * 8;
    int from = blockIdx.y * TURNED_ROWS;
    float sums[TURNED_ROWS][8] = {};
    if (first < K) {
        for (int n = warp; n < N; n += LINEAR_WARPS) {
            float weights[8];
            FORMAT::load(w, n, first, K, weights);
#pragma unroll
            for (int r = 0; r < TURNED_ROWS; r++) {
                float input = from + r < rows ? x[(size_t)(from + r) * N + n] : 0.0f;
#pragma unroll
                for (int j = 0; j < 8; j++) {
                    sums[r][j] = fmaf(input, weights[j], sums[r][j]);
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < TURNED_ROWS * 8; i++) {
        room[warp][i][lane] = sums[i / 8][i % 8];
    }
    __syncthreads();
    // Each warp joins its part of the rows.
    for (int i = warp * TURNED_ROWS * 8 / LINEAR_WARPS; i < (warp + 1) * TURNED_ROWS * 8 / LINEAR_WARPS; i++) {
        int row = from + i / 8;
        int k = first + i % 8;
        if (row < rows && k < K) {
            float sum = 0;
            for (int each = 0; each < LINEAR_WARPS; each++) {
                sum += room[each][i][lane];
            }
            out[(size_t)row * K + k] = sum;
        }
    }
}

#define LINEAR_TURNED_ROWS(name, FORMAT)                                                                         \
    KERNEL(linear_turned_rows_##name, 128, float* out, const float* x, WEIGHTS, int rows, int N, int K) {        \
        linear_turned_rows<FORMAT>(out, x, TAKE_WEIGHTS, rows, N, K);                                            \
    }
FOR_EACH_FORMAT(LINEAR_TURNED_ROWS)

// Many rows: bound by arithmetic. A block computes TILE x TILE outputs on the tensor cores: both sides are rounded to bfloat16 on their way into
// shared memory, sums are fp32. While one step of STEP inputs is multiplied, the next is already on its way from memory. Turned, the steps go along
// N: shared memory then holds STEP rows of weights as they are, and the load of a fragment turns them.

static const int TILE = 128;
static const int STEP = 32;
/** Rows of 80 bytes: eight of them fall on different banks. */
static const int PITCH = STEP + 8;

__device__ __forceinline__ uint4 pack8(const float v[8]) {
    uint4 bits;
    bits.x = pack_bfloat16(v[0], v[1]);
    bits.y = pack_bfloat16(v[2], v[3]);
    bits.z = pack_bfloat16(v[4], v[5]);
    bits.w = pack_bfloat16(v[6], v[7]);
    return bits;
}

/** Rows of 272 bytes, likewise. */
static const int TURNED_PITCH = TILE + 8;

template <class FORMAT, bool TURNED>
__device__ __forceinline__ void linear_tiles(
    float* out, const float* x, const Weights& w, const float* bias, int rows, int N, int K) {
    __shared__ __align__(16) u16 inputs[2][TILE * PITCH];
    __shared__ __align__(16) u16 weights[2][TURNED ? STEP * TURNED_PITCH : TILE * PITCH];
    int lane = threadIdx.x % WARP;
    int warp = threadIdx.x / WARP;
    int width = TURNED ? N : K;
    int outputs = TURNED ? K : N;
    int rowOrigin = blockIdx.y * TILE;
    int outputOrigin = blockIdx.x * TILE;
    int warpRow = warp / 4 * 64;
    int warpOutput = warp % 4 * 32;
    float sums[4][4][4] = {};
    uint4 nextInputs[2];
    uint4 nextWeights[2];
    int steps = (width + STEP - 1) / STEP;
    for (int step = 0; step <= steps; step++) {
        if (step < steps) {
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int part = threadIdx.x + i * 256;
                int row = part / 4;
                int at = step * STEP + part % 4 * 8;
                float v[8] = {};
                if (rowOrigin + row < rows && at < width) {
                    load_inputs(x + (size_t)(rowOrigin + row) * width, at, width, v);
                }
                nextInputs[i] = pack8(v);
                int n = TURNED ? step * STEP + part / 16 : outputOrigin + row;
                int k = TURNED ? outputOrigin + part % 16 * 8 : at;
                float u[8] = {};
                if (n < N && k < K) {
                    FORMAT::load(w, n, k, K, u);
                }
                nextWeights[i] = pack8(u);
            }
        }
        if (step > 0) {
            const u16* in = inputs[(step - 1) % 2];
            const u16* from = weights[(step - 1) % 2];
#pragma unroll
            for (int k = 0; k < STEP; k += 16) {
                u32 a[4][4];
                u32 b[4][2];
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    load_a(a[i], in + (warpRow + i * 16) * PITCH + k, PITCH);
                    if (TURNED) {
                        load_b_rows(b[i], from + k * TURNED_PITCH + warpOutput + i * 8, TURNED_PITCH);
                    } else {
                        load_b(b[i], from + (warpOutput + i * 8) * PITCH + k, PITCH);
                    }
                }
#pragma unroll
                for (int i = 0; i < 4; i++) {
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        multiply_tiles(sums[i][j], a[i], b[j]);
                    }
                }
            }
        }
        if (step < steps) {
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int part = threadIdx.x + i * 256;
                int at = part / 4 * PITCH + part % 4 * 8;
                *(uint4*)(inputs[step % 2] + at) = nextInputs[i];
                *(uint4*)(weights[step % 2] + (TURNED ? part / 16 * TURNED_PITCH + part % 16 * 8 : at)) = nextWeights[i];
            }
        }
        // One barrier a step is enough: this step wrote the other buffer than the one it read.
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int row = rowOrigin + warpRow + i * 16 + lane / 4 + e / 2 * 8;
                int n = outputOrigin + warpOutput + j * 8 + lane % 4 * 2 + e % 2;
                if (row < rows && n < outputs) {
                    out[(size_t)row * outputs + n] = bias == nullptr ? sums[i][j][e] : sums[i][j][e] + bias[n];
                }
            }
        }
    }
}

#define LINEAR_TILES(name, FORMAT)                                                                               \
    KERNEL(linear_tiles_##name, 256, float* out, const float* x, WEIGHTS, const float* bias, int rows, int N,    \
           int K) {                                                                                              \
        linear_tiles<FORMAT, false>(out, x, TAKE_WEIGHTS, bias, rows, N, K);                                     \
    }
#define LINEAR_TURNED_TILES(name, FORMAT)                                                                        \
    KERNEL(linear_turned_tiles_##name, 256, float* out, const float* x, WEIGHTS, int rows, int N, int K) {       \
        linear_tiles<FORMAT, true>(out, x, TAKE_WEIGHTS, nullptr, rows, N, K);                                   \
    }
FOR_EACH_FORMAT(LINEAR_TILES)
FOR_EACH_FORMAT(LINEAR_TURNED_TILES)
