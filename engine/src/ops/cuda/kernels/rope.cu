// Rotary position embedding in place: the pair (x[i], x[i + half]) of every head is turned by its token's
// angle. A block per token.

#include "types.cuh"

template <typename T>
__device__ void rotate(T *x, const float *cosines, const float *sines, unsigned width, unsigned head_dim,
                       unsigned half, float sign) {
    x += (size_t)blockIdx.x * width;
    cosines += (size_t)blockIdx.x * half;
    sines += (size_t)blockIdx.x * half;
    unsigned pairs = width / head_dim * half;
    for (unsigned pair = threadIdx.x; pair < pairs; pair += blockDim.x) {
        unsigned head = pair / half, i = pair - head * half;
        T *low = x + (size_t)head * head_dim + i, *high = low + half;
        float a = read(*low), b = read(*high);
        float cosine = cosines[i], sine = sines[i] * sign;
        write(*low, a * cosine - b * sine);
        write(*high, b * cosine + a * sine);
    }
}

#define MAKE(name, T)                                                                                            \
    extern "C" __global__ void rotate_##name(T *x, const float *cosines, const float *sines, unsigned width,      \
                                             unsigned head_dim, unsigned half, float sign) {                     \
        rotate(x, cosines, sines, width, head_dim, half, sign);                                                  \
    }
FOR_EACH_TYPE(MAKE)
