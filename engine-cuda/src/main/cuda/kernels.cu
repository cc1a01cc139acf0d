// All kernels of the forward pass, one file a family; compiled into one module.
#include "elementwise.cuh"
#include "linear.cuh"
#include "attention.cuh"
#include "low_rank.cuh"
