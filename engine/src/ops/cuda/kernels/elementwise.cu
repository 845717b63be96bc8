// Element-by-element arithmetic, changes of type, copies of rows and blocks, sums of products.

#include "types.cuh"

typedef unsigned long long u64;

__device__ __forceinline__ u64 element() { return (u64)blockIdx.x * blockDim.x + threadIdx.x; }

template <typename T, typename U>
__device__ void add_scaled(T *target, const U *addend, float factor, u64 count) {
    u64 i = element();
    if (i < count) write(target[i], read(target[i]) + factor * read(addend[i]));
}

template <typename T>
__device__ void scale(T *target, float factor, u64 count) {
    u64 i = element();
    if (i < count) write(target[i], read(target[i]) * factor);
}

template <typename T, typename U>
__device__ void cast(const T *x, U *y, u64 count) {
    u64 i = element();
    if (i < count) write(y[i], read(x[i]));
}

// The numbers with a nonzero byte times `factor`, zero for the others.
template <typename T>
__device__ void masked(const T *x, const unsigned char *kept, T *y, float factor, u64 count) {
    u64 i = element();
    if (i < count) write(y[i], kept[i] ? read(x[i]) * factor : 0.0f);
}

// A block per group: adds the rows `order[starts[group] .. starts[group + 1]]` of `x`, in this order, to
// row `rows[group]` of `target`. No row of `target` is in two groups.
template <typename T>
__device__ void add_rows(T *target, const T *x, const unsigned *rows, const unsigned *starts, const unsigned *order,
                         unsigned width) {
    unsigned first = starts[blockIdx.x], end = starts[blockIdx.x + 1];
    target += (size_t)rows[blockIdx.x] * width;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float sum = read(target[i]);
        for (unsigned at = first; at < end; at++) sum += read(x[(size_t)order[at] * width + i]);
        write(target[i], sum);
    }
}

// The first stage: each block leaves the sum of its part. 256 threads.
template <typename T, typename U>
__device__ void inner_product(const T *a, const U *b, double *partial, u64 count) {
    __shared__ double sums[256];
    double sum = 0.0;
    for (u64 i = element(); i < count; i += (u64)gridDim.x * blockDim.x)
        sum += (double)read(a[i]) * (double)read(b[i]);
    sums[threadIdx.x] = sum;
    for (unsigned half = 128; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) partial[blockIdx.x] = sums[0];
}

#define MAKE_PAIR(first, T, second, U)                                                                            \
    extern "C" __global__ void add_scaled_##first##_##second(T *target, const U *addend, float factor, u64 count) { \
        add_scaled(target, addend, factor, count);                                                                \
    }                                                                                                             \
    extern "C" __global__ void cast_##first##_##second(const T *x, U *y, u64 count) { cast(x, y, count); }         \
    extern "C" __global__ void inner_product_##first##_##second(const T *a, const U *b, double *partial,           \
                                                                u64 count) {                                      \
        inner_product(a, b, partial, count);                                                                      \
    }
#if __CUDA_ARCH__ >= 800
#define MAKE_PAIRS(name, T)                                                                                       \
    MAKE_PAIR(name, T, f32, float) MAKE_PAIR(name, T, f16, __half) MAKE_PAIR(name, T, bf16, __nv_bfloat16)
#else
#define MAKE_PAIRS(name, T) MAKE_PAIR(name, T, f32, float) MAKE_PAIR(name, T, f16, __half)
#endif
#define MAKE(name, T)                                                                                             \
    MAKE_PAIRS(name, T)                                                                                           \
    extern "C" __global__ void scale_##name(T *target, float factor, u64 count) { scale(target, factor, count); } \
    extern "C" __global__ void masked_##name(const T *x, const unsigned char *kept, T *y, float factor,           \
                                             u64 count) {                                                         \
        masked(x, kept, y, factor, count);                                                                        \
    }                                                                                                             \
    extern "C" __global__ void add_rows_##name(T *target, const T *x, const unsigned *rows, const unsigned *starts, \
                                               const unsigned *order, unsigned width) {                           \
        add_rows(target, x, rows, starts, order, width);                                                          \
    }
FOR_EACH_TYPE(MAKE)

// Copies go by units of so many bytes, whatever the numbers are. Block `blockIdx.x` of the source becomes
// block `blockIdx.x` of the target.
template <typename Unit>
__device__ void copy_blocks(Unit *target, u64 target_start, u64 target_stride, const Unit *source, u64 source_start,
                            u64 source_stride, u64 units) {
    target += target_start + blockIdx.x * target_stride;
    source += source_start + blockIdx.x * source_stride;
    for (u64 i = (u64)blockIdx.y * blockDim.x + threadIdx.x; i < units; i += (u64)gridDim.y * blockDim.x)
        target[i] = source[i];
}

template <typename Unit>
__device__ void gather_rows(const Unit *x, const unsigned *indices, Unit *y, unsigned units) {
    x += (size_t)indices[blockIdx.x] * units;
    y += (size_t)blockIdx.x * units;
    for (unsigned i = threadIdx.x; i < units; i += blockDim.x) y[i] = x[i];
}

#define MAKE_COPY(bytes, Unit)                                                                                    \
    extern "C" __global__ void copy_blocks_##bytes(Unit *target, u64 target_start, u64 target_stride,              \
                                                   const Unit *source, u64 source_start, u64 source_stride,       \
                                                   u64 units) {                                                   \
        copy_blocks(target, target_start, target_stride, source, source_start, source_stride, units);             \
    }                                                                                                             \
    extern "C" __global__ void gather_rows_##bytes(const Unit *x, const unsigned *indices, Unit *y,                \
                                                   unsigned units) {                                              \
        gather_rows(x, indices, y, units);                                                                        \
    }
MAKE_COPY(2, unsigned short)
MAKE_COPY(4, unsigned)
MAKE_COPY(8, uint2)
MAKE_COPY(16, uint4)
