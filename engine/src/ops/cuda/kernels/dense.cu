// Floats of one type as another, or as they are: rows of a frozen matrix that is stored as floats.

#include "widen.cuh"

// bf16 is read on every card, also where it is no type to compute with.
struct Bf16 {
    unsigned short bits;
};
__device__ __forceinline__ float read(Bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

// Eight numbers from an address that is a multiple of 16.
__device__ __forceinline__ void load8(const float *from, float (&numbers)[8]) {
    float4 low = ((const float4 *)from)[0], high = ((const float4 *)from)[1];
    numbers[0] = low.x, numbers[1] = low.y, numbers[2] = low.z, numbers[3] = low.w;
    numbers[4] = high.x, numbers[5] = high.y, numbers[6] = high.z, numbers[7] = high.w;
}

__device__ __forceinline__ float half_word(const __half *, unsigned short bits) {
    return __half2float(__ushort_as_half(bits));
}
__device__ __forceinline__ float half_word(const Bf16 *, unsigned short bits) { return read(Bf16{bits}); }

template <typename From>
__device__ __forceinline__ void load8(const From *from, float (&numbers)[8]) {
    uint4 all = *(const uint4 *)from;
    unsigned words[4] = {all.x, all.y, all.z, all.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        numbers[2 * i] = half_word(from, words[i] & 0xffff);
        numbers[2 * i + 1] = half_word(from, words[i] >> 16);
    }
}

template <typename From, typename To>
__device__ void widen(const From *x, Runs runs, To *y) {
    Piece piece(runs);
    x += piece.from;
    y += piece.to;
    unsigned whole = is_aligned(x) && is_aligned(y) ? piece.count / 8 * 8 : 0;
    for (unsigned i = threadIdx.x * 8; i < whole; i += blockDim.x * 8) {
        float numbers[8];
        load8(x + i, numbers);
        store8(y + i, numbers);
    }
    for (unsigned i = whole + threadIdx.x; i < piece.count; i += blockDim.x) write(y[i], read(x[i]));
}

#define MAKE_FROM(from, From, to, To)                                                                          \
    extern "C" __global__ void dense_##from##_##to(const From *x, const unsigned *rows, size_t start,           \
                                                   size_t length, unsigned pieces, To *y) {                    \
        widen(x, Runs{rows, start, length, pieces}, y);                                                        \
    }
#define MAKE(to, To) \
    MAKE_FROM(f32, float, to, To) MAKE_FROM(f16, __half, to, To) MAKE_FROM(bf16, Bf16, to, To)
FOR_EACH_TYPE(MAKE)
