// Products of the matrices that training changes, in fp32 and with any strides: out = a b, or out += a b. One side is always thin (ranks), so a
// block computes only SIDE x SIDE outputs; where these are few, the sum is cut into parts of its own blocks, which a second kernel joins in
// their order.
#pragma once
#include "platform.cuh"

static const int SIDE = 32;
static const int OUTPUTS_A_THREAD = 4;

/** Element (r, c) is at {@code r * row + c * column}. */
struct Strided {
    const float* at;
    long long row;
    long long column;
};

/** SIDE x SIDE elements from (r0, c0) on, zero behind the matrix's end; neighbouring threads read what lies side by side. */
__device__ __forceinline__ void load_square(float square[SIDE][SIDE + 1], Strided m, int r0, int c0, int rows, int columns) {
    bool alongRow = m.column == 1;
    for (int i = threadIdx.x; i < SIDE * SIDE; i += blockDim.x) {
        int r = alongRow ? i / SIDE : i % SIDE;
        int c = alongRow ? i % SIDE : i / SIDE;
        bool inside = r0 + r < rows && c0 + c < columns;
        square[r][c] = inside ? m.at[(r0 + r) * m.row + (c0 + c) * m.column] : 0.0f;
    }
}

/**
 * @param part terms of the sum that a block adds up, a multiple of SIDE; block z begins at z * part
 * @param parts [gridDim.z, M, N], where the sums of several parts go; unused with one
 */
KERNEL(product, 256, float* out, long long outRow, const float* a, long long aRow, long long aColumn, const float* b, long long bRow, long long bColumn, int M, int N, int K, int part, float* parts, int add) {
    __shared__ float left[SIDE][SIDE + 1];
    __shared__ float right[SIDE][SIDE + 1];
    int m0 = blockIdx.y * SIDE;
    int n0 = blockIdx.x * SIDE;
    int r = threadIdx.x / (SIDE / OUTPUTS_A_THREAD);
    int c = threadIdx.x % (SIDE / OUTPUTS_A_THREAD);
    int from = blockIdx.z * part;
    int to = min(K, from + part);
    float sums[OUTPUTS_A_THREAD] = {};
    for (int k = from; k < to; k += SIDE) {
        load_square(left, Strided{a, aRow, aColumn}, m0, k, M, to);
        load_square(right, Strided{b, bRow, bColumn}, k, n0, to, N);
        __syncthreads();
        for (int i = 0; i < SIDE; i++) {
#pragma unroll
            for (int j = 0; j < OUTPUTS_A_THREAD; j++) {
                sums[j] = fmaf(left[r][i], right[i][c + j * (SIDE / OUTPUTS_A_THREAD)], sums[j]);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < OUTPUTS_A_THREAD; j++) {
        int m = m0 + r;
        int n = n0 + c + j * (SIDE / OUTPUTS_A_THREAD);
        if (m < M && n < N) {
            if (gridDim.z > 1) {
                parts[((size_t)blockIdx.z * M + m) * N + n] = sums[j];
            } else {
                float* to = out + m * outRow + n;
                *to = add ? *to + sums[j] : sums[j];
            }
        }
    }
}

KERNEL(product_join, 256, float* out, long long outRow, const float* parts, int count, int M, int N, int add) {
    size_t size = (size_t)M * N;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += (size_t)gridDim.x * blockDim.x) {
        float* to = out + (long long)(i / N) * outRow + i % N;
        float sum = add ? *to : 0.0f;
        for (int p = 0; p < count; p++) {
            sum += parts[p * size + i];
        }
        *to = sum;
    }
}
