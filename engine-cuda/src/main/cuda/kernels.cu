// All kernels, one file a family; compiled into one module.
#include "elementwise.cuh"
#include "linear.cuh"
#include "attention.cuh"
#include "low_rank.cuh"
#include "sampling.cuh"
// Training.
#include "adamw.cuh"
#include "causal_attention.cuh"
#include "cross_entropy.cuh"
#include "gradients.cuh"
#include "product.cuh"
