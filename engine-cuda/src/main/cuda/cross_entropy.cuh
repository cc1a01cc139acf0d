// (1 - smoothing) * -log p(target) + smoothing * mean of -log p over the vocabulary, and its gradient by the logits in their place.
#pragma once
#include "elementwise.cuh"

/**
 * A block a row.
 *
 * @param losses [rows]
 * @param gradientScale 0: the logits stay as they are
 */
KERNEL(cross_entropy, 512, double* losses, float* logits, const int* targets, int vocabulary, double smoothing, float gradientScale) {
    __shared__ float room[MOST_WARPS];
    float* row = logits + (size_t)blockIdx.x * vocabulary;
    int target = targets[blockIdx.x];
    float most = -INFINITY;
    for (int v = threadIdx.x; v < vocabulary; v += blockDim.x) {
        most = fmaxf(most, row[v]);
    }
    most = block_max(most, room);
    float exponentials = 0;
    float sum = 0;
    for (int v = threadIdx.x; v < vocabulary; v += blockDim.x) {
        exponentials += expf(row[v] - most);
        sum += row[v];
    }
    float logSum = most + logf(block_sum(exponentials, room));
    sum = block_sum(sum, room);
    if (threadIdx.x == 0) {
        double loss = (1.0 - smoothing) * ((double)logSum - (double)row[target]);
        if (smoothing > 0) {
            loss += smoothing * ((double)logSum - (double)sum / vocabulary);
        }
        losses[blockIdx.x] = loss;
    }
    if (gradientScale == 0.0f) {
        return;
    }
    // The first thread has read the target's logit above.
    __syncthreads();
    float even = (float)(smoothing / vocabulary);
    float aimed = (float)(1.0 - smoothing);
    for (int v = threadIdx.x; v < vocabulary; v += blockDim.x) {
        float slope = expf(row[v] - logSum) - even - (v == target ? aimed : 0.0f);
        row[v] = gradientScale * slope;
    }
}
