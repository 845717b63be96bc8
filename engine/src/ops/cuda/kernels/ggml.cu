// The blocks of a GGUF file to floats. A thread makes eight consecutive numbers, which in every format
// lie in eight consecutive bytes, in the same bits of each, and share a scale. Products and sums are
// rounded one after the other, in the order of the reading on the CPU.

#include "widen.cuh"

typedef unsigned char byte_t;

// Eight bytes from an address that is a multiple of `ALIGNMENT`.
template <int ALIGNMENT>
__device__ __forceinline__ uint2 load8(const byte_t *from) {
    if constexpr (ALIGNMENT >= 8) {
        return *(const uint2 *)from;
    } else if constexpr (ALIGNMENT == 4) {
        return make_uint2(((const unsigned *)from)[0], ((const unsigned *)from)[1]);
    } else {
        const unsigned short *words = (const unsigned short *)from;
        return make_uint2(words[0] | (unsigned)words[1] << 16, words[2] | (unsigned)words[3] << 16);
    }
}

__device__ __forceinline__ int byte_of(uint2 bytes, int i) { return (i < 4 ? bytes.x : bytes.y) >> 8 * (i & 3) & 255; }
__device__ __forceinline__ int signed_byte_of(uint2 bytes, int i) { return (signed char)byte_of(bytes, i); }

// Some bits of each of eight bytes.
__device__ __forceinline__ uint2 bits_of(uint2 bytes, unsigned shift, unsigned mask) {
    mask *= 0x01010101u;
    return make_uint2(bytes.x >> shift & mask, bytes.y >> shift & mask);
}

// Each `eight` writes the numbers of a block from `first` on, a multiple of eight.
#define EACH for (int i = 0; i < 8; i++)

struct Q4_0 {
    static constexpr unsigned NUMBERS = 32;
    __half d;
    byte_t qs[16];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        float scale = __half2float(d);
        uint2 q = bits_of(load8<2>(qs + first % 16), first / 16 * 4, 15);
#pragma unroll
        EACH y[i] = __fmul_rn((float)(byte_of(q, i) - 8), scale);
    }
};

struct Q4_1 {
    static constexpr unsigned NUMBERS = 32;
    __half d, m;
    byte_t qs[16];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        float scale = __half2float(d), low = __half2float(m);
        uint2 q = bits_of(load8<4>(qs + first % 16), first / 16 * 4, 15);
#pragma unroll
        EACH y[i] = __fadd_rn(__fmul_rn((float)byte_of(q, i), scale), low);
    }
};

// The fifth bit of number i is bit i of qh.
__device__ __forceinline__ unsigned fifth_bits(const byte_t *qh, unsigned first) {
    return (unsigned)qh[first / 8];
}

struct Q5_0 {
    static constexpr unsigned NUMBERS = 32;
    __half d;
    byte_t qh[4], qs[16];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        float scale = __half2float(d);
        uint2 q = bits_of(load8<2>(qs + first % 16), first / 16 * 4, 15);
        unsigned high = fifth_bits(qh, first);
#pragma unroll
        EACH y[i] = __fmul_rn((float)((byte_of(q, i) | (int)(high >> i & 1) << 4) - 16), scale);
    }
};

struct Q5_1 {
    static constexpr unsigned NUMBERS = 32;
    __half d, m;
    byte_t qh[4], qs[16];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        float scale = __half2float(d), low = __half2float(m);
        uint2 q = bits_of(load8<8>(qs + first % 16), first / 16 * 4, 15);
        unsigned high = fifth_bits(qh, first);
#pragma unroll
        EACH y[i] = __fadd_rn(__fmul_rn((float)(byte_of(q, i) | (int)(high >> i & 1) << 4), scale), low);
    }
};

struct Q8_0 {
    static constexpr unsigned NUMBERS = 32;
    __half d;
    byte_t qs[32];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        float scale = __half2float(d);
        uint2 q = load8<2>(qs + first);
#pragma unroll
        EACH y[i] = __fmul_rn((float)signed_byte_of(q, i), scale);
    }
};

struct Q8_1 {
    static constexpr unsigned NUMBERS = 32;
    __half d, s;
    byte_t qs[32];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        float scale = __half2float(d);
        uint2 q = load8<4>(qs + first);
#pragma unroll
        EACH y[i] = __fmul_rn((float)signed_byte_of(q, i), scale);
    }
};

// In the blocks of 256, sixteen or 32 numbers share a scale, which is itself a few bits under the
// block's. Numbers first % 32 on lie in the bytes first % 32 on of their part.

struct Q2K {
    static constexpr unsigned NUMBERS = 256;
    byte_t scales[16], qs[64];
    __half d, dmin;

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        unsigned both = scales[first / 16];
        float scale = __fmul_rn(__half2float(d), (float)(both & 15));
        float low = __fmul_rn(__half2float(dmin), (float)(both >> 4));
        uint2 q = bits_of(load8<4>(qs + first / 128 * 32 + first % 32), first % 128 / 32 * 2, 3);
#pragma unroll
        EACH y[i] = __fsub_rn(__fmul_rn(scale, (float)byte_of(q, i)), low);
    }
};

struct Q3K {
    static constexpr unsigned NUMBERS = 256;
    byte_t hmask[32], qs[64], scales[12];
    __half d;

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        // Scale i has four bits in byte i % 8, two more in byte 8 + i % 4.
        unsigned at = first / 16;
        unsigned low = scales[at % 8] >> at / 8 * 4 & 15, high = scales[8 + at % 4] >> at / 4 * 2 & 3;
        float scale = __fmul_rn(__half2float(d), __fsub_rn((float)(low | high << 4), 32.0f));
        uint2 q = bits_of(load8<2>(qs + first / 128 * 32 + first % 32), first % 128 / 32 * 2, 3);
        uint2 third = bits_of(load8<2>(hmask + first % 32), first / 32, 1);
#pragma unroll
        EACH y[i] = __fmul_rn(scale, (float)(byte_of(q, i) - (byte_of(third, i) ? 0 : 4)));
    }
};

// Six bits each of scale and minimum of 32 numbers: whole bytes hold the first four and two bits of
// the last four.
__device__ __forceinline__ uint2 scale_and_minimum(const byte_t *scales, unsigned at) {
    if (at < 4) return make_uint2(scales[at] & 63, scales[at + 4] & 63);
    unsigned both = scales[at + 4];
    return make_uint2((both & 15) | scales[at - 4] >> 6 << 4, both >> 4 | scales[at] >> 6 << 4);
}

struct Q4K {
    static constexpr unsigned NUMBERS = 256;
    __half d, dmin;
    byte_t scales[12], qs[128];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        uint2 of = scale_and_minimum(scales, first / 32);
        float scale = __fmul_rn(__half2float(d), (float)of.x);
        float low = __fmul_rn(__half2float(dmin), (float)of.y);
        uint2 q = bits_of(load8<8>(qs + first / 64 * 32 + first % 32), first / 32 % 2 * 4, 15);
#pragma unroll
        EACH y[i] = __fsub_rn(__fmul_rn(scale, (float)byte_of(q, i)), low);
    }
};

struct Q5K {
    static constexpr unsigned NUMBERS = 256;
    __half d, dmin;
    byte_t scales[12], qh[32], qs[128];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        uint2 of = scale_and_minimum(scales, first / 32);
        float scale = __fmul_rn(__half2float(d), (float)of.x);
        float low = __fmul_rn(__half2float(dmin), (float)of.y);
        uint2 q = bits_of(load8<8>(qs + first / 64 * 32 + first % 32), first / 32 % 2 * 4, 15);
        uint2 fifth = bits_of(load8<8>(qh + first % 32), first / 32, 1);
#pragma unroll
        EACH y[i] = __fsub_rn(__fmul_rn(scale, (float)(byte_of(q, i) | byte_of(fifth, i) << 4)), low);
    }
};

struct Q6K {
    static constexpr unsigned NUMBERS = 256;
    byte_t ql[128], qh[64];
    signed char scales[16];
    __half d;

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        float scale = __fmul_rn(__half2float(d), (float)scales[first / 16]);
        unsigned half = first / 128, quarter = first % 128 / 32, at = first % 32;
        uint2 low = bits_of(load8<2>(ql + 64 * half + quarter % 2 * 32 + at), quarter / 2 * 4, 15);
        uint2 high = bits_of(load8<2>(qh + 32 * half + at), quarter * 2, 3);
#pragma unroll
        EACH y[i] = __fmul_rn(scale, (float)((byte_of(low, i) | byte_of(high, i) << 4) - 32));
    }
};

struct Q8K {
    static constexpr unsigned NUMBERS = 256;
    float d;
    byte_t qs[256];
    short sums[16];

    __device__ __forceinline__ void eight(unsigned first, float (&y)[8]) const {
        uint2 q = load8<4>(qs + first);
#pragma unroll
        EACH y[i] = __fmul_rn(d, (float)signed_byte_of(q, i));
    }
};

static_assert(sizeof(Q4_0) == 18 && sizeof(Q4_1) == 20 && sizeof(Q5_0) == 22 && sizeof(Q5_1) == 24, "32 numbers");
static_assert(sizeof(Q8_0) == 34 && sizeof(Q8_1) == 36, "32 numbers in 8 bits");
static_assert(sizeof(Q2K) == 84 && sizeof(Q3K) == 110 && sizeof(Q4K) == 144, "256 numbers");
static_assert(sizeof(Q5K) == 176 && sizeof(Q6K) == 210 && sizeof(Q8K) == 292, "256 numbers");

// Runs begin and end with whole blocks.
template <typename Block, typename T>
__device__ void widen(const Block *blocks, Runs runs, T *y) {
    Piece piece(runs);
    blocks += piece.from / Block::NUMBERS;
    y += piece.to;
    for (unsigned i = threadIdx.x * 8; i < piece.count; i += blockDim.x * 8) {
        float numbers[8];
        blocks[i / Block::NUMBERS].eight(i % Block::NUMBERS, numbers);
        store8(y + i, numbers);
    }
}

#define MAKE_FROM(kind, name, T)                                                                             \
    extern "C" __global__ void ggml_##kind##_##name(const kind *blocks, const unsigned *rows, size_t start,   \
                                                    size_t length, unsigned pieces, T *y) {                  \
        widen(blocks, Runs{rows, start, length, pieces}, y);                                                 \
    }
#define MAKE(name, T)                                                                          \
    MAKE_FROM(Q4_0, name, T) MAKE_FROM(Q4_1, name, T) MAKE_FROM(Q5_0, name, T)                 \
    MAKE_FROM(Q5_1, name, T) MAKE_FROM(Q8_0, name, T) MAKE_FROM(Q8_1, name, T)                 \
    MAKE_FROM(Q2K, name, T) MAKE_FROM(Q3K, name, T) MAKE_FROM(Q4K, name, T)                    \
    MAKE_FROM(Q5K, name, T) MAKE_FROM(Q6K, name, T) MAKE_FROM(Q8K, name, T)
FOR_EACH_TYPE(MAKE)
