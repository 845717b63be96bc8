// Matrix products of warps on tensor cores, with tiles of 16-bit numbers in shared memory.
//
// A warp multiplies 16 x 16 numbers (the left side, 4 registers of a thread) by 16 x 8 (the right side,
// 2 registers) and adds to 16 x 8 floats (4 registers). Thread `lane` has of the result the rows
// `lane / 4` and `lane / 4 + 8`, columns `lane % 4 * 2` and the next. Two results beside each other are,
// rounded, the left side of another product: so weights never leave the registers.
#pragma once

#include "types.cuh"

// The types that tensor cores multiply, for `make(name, type)`.
#if __CUDA_ARCH__ >= 800
#define FOR_EACH_16_BIT_TYPE(make) make(f16, __half) make(bf16, __nv_bfloat16)
#else
#define FOR_EACH_16_BIT_TYPE(make) make(f16, __half)
#endif

constexpr unsigned TILE_THREADS = 128;

// Where the 8 numbers `chunk` of a row are in a tile of rows of D. Eight rows' chunks of one column,
// which a warp reads together, lie in different banks.
template <int D>
__device__ __forceinline__ unsigned place(unsigned row, unsigned chunk) {
    unsigned swizzle = D % 64 == 0 ? row & 7 : (row >> 1) & 3;
    return row * D + (chunk ^ swizzle) * 8;
}

// 16 bytes into shared memory, or zeros; there after `copies_done` and a barrier.
__device__ __forceinline__ void copy_16_bytes(void *to, const void *from, bool there) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(there ? 16 : 0)
                 : "memory");
#else
    *(uint4 *)to = there ? __ldg((const uint4 *)from) : make_uint4(0, 0, 0, 0);
#endif
}

__device__ __forceinline__ void copies_done() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// Rows `first..` of a matrix into a tile. Rows from `end` on and columns from `width` on are zero: what
// lies behind in memory may be anything. `vectors`: 16 bytes at a time can be read.
template <int ROWS, int D, typename T>
__device__ __forceinline__ void load_tile(T *tile, const T *from, size_t stride, unsigned first, unsigned end,
                                          unsigned width, bool vectors) {
    static_assert(ROWS * D / 8 % TILE_THREADS == 0, "every thread copies equally much");
    if (vectors) {
#pragma unroll 4
        for (unsigned i = 0; i < ROWS * D / 8 / TILE_THREADS; i++) {
            unsigned index = threadIdx.x + i * TILE_THREADS, row = index / (D / 8), chunk = index % (D / 8);
            bool there = first + row < end && chunk * 8 < width;
            const T *source = there ? from + (first + row) * stride + chunk * 8 : from;
            copy_16_bytes(tile + place<D>(row, chunk), source, there);
        }
    } else {
#pragma unroll 1
        for (unsigned index = threadIdx.x; index < ROWS * D / 2; index += TILE_THREADS) {
            unsigned row = index / (D / 2), column = index % (D / 2) * 2;
            bool there = first + row < end && column < width;
            unsigned pair = there ? *(const unsigned *)(from + (first + row) * stride + column) : 0;
            *(unsigned *)(tile + place<D>(row, column / 8) + column % 8) = pair;
        }
    }
}

// Whether rows of heads can be read 16 bytes at a time.
__device__ __forceinline__ bool aligned(unsigned head_dim, const void *a, const void *b, const void *c,
                                        const void *d) {
    return head_dim % 8 == 0 && (((size_t)a | (size_t)b | (size_t)c | (size_t)d) & 15) == 0;
}

__device__ __forceinline__ void load_matrices(unsigned (&to)[4], const void *from) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"((unsigned)__cvta_generic_to_shared(from))
                 : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(unsigned (&to)[4], const void *from) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"((unsigned)__cvta_generic_to_shared(from))
                 : "memory");
}

// A left side: rows `row..row + 16` of the tile, columns `8 chunk..8 chunk + 16`.
template <int D, typename T>
__device__ __forceinline__ void load_left(unsigned (&to)[4], const T *tile, unsigned row, unsigned chunk) {
    unsigned lane = threadIdx.x & 31;
    load_matrices(to, tile + place<D>(row + (lane & 15), chunk + lane / 16));
}

// Two right sides beside each other from a tile that holds them transposed, as keys are held: rows
// `row..row + 16` of the tile become columns, its columns `8 chunk..8 chunk + 16` are summed over.
template <int D, typename T>
__device__ __forceinline__ void load_right_of_rows(unsigned (&to)[4], const T *tile, unsigned row,
                                                   unsigned chunk) {
    unsigned lane = threadIdx.x & 31;
    load_matrices(to, tile + place<D>(row + (lane & 7) + (lane & 16) / 2, chunk + (lane & 8) / 8));
}

// Two right sides beside each other as they lie: rows `row..row + 16` are summed over, columns
// `8 chunk..8 chunk + 16` stay columns.
template <int D, typename T>
__device__ __forceinline__ void load_right(unsigned (&to)[4], const T *tile, unsigned row, unsigned chunk) {
    unsigned lane = threadIdx.x & 31;
    load_matrices_transposed(to, tile + place<D>(row + (lane & 15), chunk + lane / 16));
}

#if __CUDA_ARCH__ >= 800
#define MULTIPLY(type)                                                                                       \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." type "." type                                      \
                 ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                      \
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])                                    \
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_0), "r"(right_1))
__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&left)[4], unsigned right_0,
                                         unsigned right_1, __half) {
    MULTIPLY("f16");
}
__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&left)[4], unsigned right_0,
                                         unsigned right_1, __nv_bfloat16) {
    MULTIPLY("bf16");
}
#else
__device__ __forceinline__ void multiply_half(float (&sum)[4], unsigned left_0, unsigned left_1,
                                              unsigned right) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(left_0), "r"(left_1), "r"(right));
}
__device__ __forceinline__ void multiply(float (&sum)[4], const unsigned (&left)[4], unsigned right_0,
                                         unsigned right_1, __half) {
    multiply_half(sum, left[0], left[1], right_0);
    multiply_half(sum, left[2], left[3], right_1);
}
#endif

// Adds a left side times two right sides to two results beside each other.
template <typename T>
__device__ __forceinline__ void multiply_two(float (&sum_0)[4], float (&sum_1)[4], const unsigned (&left)[4],
                                             const unsigned (&right)[4]) {
    multiply(sum_0, left, right[0], right[1], T());
    multiply(sum_1, left, right[2], right[3], T());
}

// Two floats, rounded: the first in the lower half.
__device__ __forceinline__ unsigned pack(float low, float high, __half) {
    __half2 both = __floats2half2_rn(low, high);
    return *(unsigned *)&both;
}
#if __CUDA_ARCH__ >= 800
__device__ __forceinline__ unsigned pack(float low, float high, __nv_bfloat16) {
    __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *(unsigned *)&both;
}
#endif

// Two results beside each other as a left side.
template <typename T>
__device__ __forceinline__ void pack_left(unsigned (&to)[4], const float (&sum_0)[4], const float (&sum_1)[4]) {
    to[0] = pack(sum_0[0], sum_0[1], T());
    to[1] = pack(sum_0[2], sum_0[3], T());
    to[2] = pack(sum_1[0], sum_1[1], T());
    to[3] = pack(sum_1[2], sum_1[3], T());
}

// 2^x, exact to two units in the last place of a float: enough for what is then rounded to 16 bits.
__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// tanh(x), exact to a few 1e-7.
__device__ __forceinline__ float bend(float x) {
    return 1.0f - __fdividef(2.0f, 1.0f + power_of_two(x * 2.885390081777927f));
}
