// NF4 to floats: two codes per byte, the earlier number in the high half; blocks of 64 numbers of the
// row-major matrix share a scale, which may be a code of the signed dynamic map itself.

#include "dynamic_map.cuh"
#include "widen.cuh"

constexpr unsigned BLOCK = 64, SCALE_BLOCK = 256;

__constant__ float CODES[16] = {-1.0f,       -0.6961928f,  -0.52507305f, -0.3949175f, -0.28444138f, -0.18477343f,
                                -0.091050036f, 0.0f,       0.0795803f,   0.1609302f,  0.2461123f,   0.33791524f,
                                0.44070983f, 0.562617f,    0.72295684f,  1.0f};

struct PlainScales {
    const float *scales;
    __device__ __forceinline__ float operator[](size_t block) const { return scales[block]; }
};

// Product and sum are rounded one after the other.
struct DoubleScales {
    const unsigned char *codes;
    const float *absmax;
    float offset;
    __device__ __forceinline__ float operator[](size_t block) const {
        return __fadd_rn(__fmul_rn(SIGNED_VALUES[codes[block]], absmax[block / SCALE_BLOCK]), offset);
    }
};

template <typename Scales, typename T>
__device__ void widen(const unsigned char *packed, Scales scales, Runs runs, T *y) {
    // Sixteen floats in sixteen banks: whatever codes a warp has, it reads them at once.
    __shared__ float table[16];
    if (threadIdx.x < 16) table[threadIdx.x] = CODES[threadIdx.x];
    __syncthreads();
    Piece piece(runs);
    y += piece.to;
    // A run that begins inside four bytes or at an odd place of the output goes number by number.
    unsigned whole = piece.from % 8 == 0 && is_aligned(y) ? piece.count / 8 * 8 : 0;
    for (unsigned i = threadIdx.x * 8; i < whole; i += blockDim.x * 8) {
        size_t at = piece.from + i;
        unsigned word = *(const unsigned *)(packed + at / 2);
        float scale = scales[at / BLOCK];
        float numbers[8];
#pragma unroll
        for (int byte = 0; byte < 4; byte++) {
            unsigned both = word >> 8 * byte;
            numbers[2 * byte] = __fmul_rn(table[both >> 4 & 15], scale);
            numbers[2 * byte + 1] = __fmul_rn(table[both & 15], scale);
        }
        store8(y + i, numbers);
    }
    for (unsigned i = whole + threadIdx.x; i < piece.count; i += blockDim.x) {
        size_t at = piece.from + i;
        unsigned code = at % 2 ? packed[at / 2] & 15 : packed[at / 2] >> 4;
        write(y[i], __fmul_rn(table[code], scales[at / BLOCK]));
    }
}

#define MAKE(name, T)                                                                                          \
    extern "C" __global__ void nf4_plain_##name(const unsigned char *packed, const float *scales,              \
                                                const unsigned *rows, size_t start, size_t length,             \
                                                unsigned pieces, T *y) {                                       \
        widen(packed, PlainScales{scales}, Runs{rows, start, length, pieces}, y);                              \
    }                                                                                                          \
    extern "C" __global__ void nf4_double_##name(const unsigned char *packed, const unsigned char *codes,      \
                                                 const float *absmax, float offset, const unsigned *rows,      \
                                                 size_t start, size_t length, unsigned pieces, T *y) {         \
        widen(packed, DoubleScales{codes, absmax, offset}, Runs{rows, start, length, pieces}, y);              \
    }
FOR_EACH_TYPE(MAKE)
