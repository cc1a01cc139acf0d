// The part of CUDA that the kernels use, for a host compiler: a block's threads are fibers of one host thread that change over at barriers and
// warp operations, __shared__ variables are statics, and the tensor cores' tiles are exchanged between the lanes of a warp. Blocks run one
// behind another, their threads in turn first to last and last to first, so that a missing barrier shows.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))

using std::max;
using std::min;
using std::signbit;

struct alignas(8) float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };

namespace emulation {

struct Dim { unsigned x = 1, y = 1, z = 1; };

const int LANES = 32;
const int MOST_THREADS = 1024;
// Not a power of two: the tops of all stacks would share a few lines of the processor's caches.
const size_t STACK = (64 << 10) + 9 * 64;

/** Runs one block after another of {@code grid}; throws std::runtime_error for what hangs or breaks a device. */
void launch(void (*body)(void*), void* argument, Dim grid, Dim block);

/** Waits until all threads of the block that have not ended are here. */
void block_barrier();

/** The same for the warp. */
void warp_barrier();

struct Exchange { uint32_t words[2][LANES][6]; };

/** Gives every lane of the warp what every other one brought: {@code [lane][words]}. Valid until the second call after this one. */
uint32_t (*exchange(const uint32_t* words, int count))[6];

typedef void (*Invoker)(void (*kernel)(), void** parameters);

struct Kernel { void (*function)(); Invoker invoke; };

inline std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

template <size_t... I>
struct Indices {};
template <size_t N, size_t... I>
struct Count : Count<N - 1, N - 1, I...> {};
template <size_t... I>
struct Count<0, I...> { typedef Indices<I...> All; };

template <class... A, size_t... I>
void invoke(void (*kernel)(A...), void** parameters, Indices<I...>) {
    kernel(*(A*)parameters[I]...);
}

template <class... A>
void invoke_any(void (*kernel)(), void** parameters) {
    invoke((void (*)(A...))kernel, parameters, typename Count<sizeof...(A)>::All());
}

/** Makes a kernel known by its name, as a module does. */
struct Registration {
    template <class... A>
    Registration(const char* name, void (*kernel)(A...)) {
        kernels()[name] = Kernel{(void (*)())kernel, invoke_any<A...>};
    }
};

inline uint16_t to_bfloat16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 | 0x40);
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

inline float float16(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    float fraction = (float)(bits & 1023);
    float magnitude = exponent == 0    ? std::ldexp(fraction, -24)
                      : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                       : std::ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

/** C [16][8] += A [16][16] B [16][8] from fragments as PTX lays them out for mma.m16n8k16. */
inline void multiply_tiles(float c[4], const uint32_t a[4], const uint32_t b[2]);

}  // namespace emulation

inline emulation::Dim threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
inline void multiply_tiles(float c[4], const uint32_t a[4], const uint32_t b[2]) {
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    auto all = exchange(mine, 6);
    int lane = threadIdx.x % LANES;
    for (int e = 0; e < 4; e++) {
        int row = lane / 4 + e / 2 * 8;
        int column = lane % 4 * 2 + e % 2;
        float sum = 0;
        for (int k = 0; k < 16; k += 2) {
            // Lane 4 g + t holds row g (and g + 8) of A at k = 2 t (and 2 t + 8), and column g of B likewise.
            uint32_t left = all[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2];
            uint32_t right = all[column * 4 + k % 8 / 2][4 + k / 8];
            sum += of_bits(left << 16) * of_bits(right << 16);
            sum += of_bits(left & 0xffff0000u) * of_bits(right & 0xffff0000u);
        }
        c[e] += sum;
    }
}
}  // namespace emulation

inline void __syncthreads() {
    emulation::block_barrier();
}

inline float __shfl_xor_sync(unsigned, float value, int mask) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return emulation::of_bits(emulation::exchange(&bits, 1)[threadIdx.x % emulation::LANES ^ mask][0]);
}

inline float __shfl_sync(unsigned, float value, int lane) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return emulation::of_bits(emulation::exchange(&bits, 1)[lane][0]);
}

/** Threads run one at a time. */
inline unsigned long long atomicAdd(unsigned long long* to, unsigned long long value) {
    unsigned long long before = *to;
    *to += value;
    return before;
}

inline long long __double_as_longlong(double value) {
    long long bits;
    memcpy(&bits, &value, 8);
    return bits;
}
inline double __longlong_as_double(long long bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}
inline float __uint_as_float(unsigned bits) {
    return emulation::of_bits(bits);
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline void sincosf_of(float angle, float* sine, float* cosine) {
    *sine = std::sin(angle);
    *cosine = std::cos(angle);
}
#define sincosf sincosf_of
