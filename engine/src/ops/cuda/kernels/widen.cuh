// What the kernels that widen frozen weights share: which numbers a block of threads makes, and how
// eight of them are stored at once.
#pragma once

#include "types.cuh"

// Numbers that a block of threads makes; a multiple of every block of stored numbers.
constexpr unsigned PIECE = 8192;

// Runs of `length` consecutive numbers are widened into one another's end: one run from number `start`
// on, or, where there are `rows`, each of these rows, `length` numbers long.
struct Runs {
    const unsigned *rows;
    size_t start, length;
    // Blocks of threads per run.
    unsigned pieces;
};

// The part of a run that is this block's: its first number in the matrix, its first in the output, and
// how many there are.
struct Piece {
    size_t from, to;
    unsigned count;

    __device__ __forceinline__ explicit Piece(const Runs &runs) {
        size_t run = blockIdx.x / runs.pieces;
        size_t first = (size_t)(blockIdx.x % runs.pieces) * PIECE;
        from = (runs.rows ? runs.rows[run] * runs.length : runs.start) + first;
        to = run * runs.length + first;
        size_t left = runs.length - first;
        count = left < PIECE ? (unsigned)left : PIECE;
    }
};

template <typename T>
__device__ __forceinline__ bool is_aligned(const T *at) {
    return ((size_t)at & 15) == 0;
}

// Eight numbers of a float type, to an address that is a multiple of 16.
__device__ __forceinline__ void store8(float *to, const float (&numbers)[8]) {
    ((float4 *)to)[0] = make_float4(numbers[0], numbers[1], numbers[2], numbers[3]);
    ((float4 *)to)[1] = make_float4(numbers[4], numbers[5], numbers[6], numbers[7]);
}

__device__ __forceinline__ unsigned bits(__half x) { return __half_as_ushort(x); }
#if __CUDA_ARCH__ >= 800
__device__ __forceinline__ unsigned bits(__nv_bfloat16 x) { return __bfloat16_as_ushort(x); }
#endif

template <typename T>
__device__ __forceinline__ unsigned pair(float low, float high) {
    T first, second;
    write(first, low);
    write(second, high);
    return bits(first) | bits(second) << 16;
}

template <typename T>
__device__ __forceinline__ void store8(T *to, const float (&numbers)[8]) {
    *(uint4 *)to = make_uint4(pair<T>(numbers[0], numbers[1]), pair<T>(numbers[2], numbers[3]),
                              pair<T>(numbers[4], numbers[5]), pair<T>(numbers[6], numbers[7]));
}
