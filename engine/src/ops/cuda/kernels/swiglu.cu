// silu(x) = x sigmoid(x), alone and as a gate.

#include "gated.cuh"

struct Silu {
    static __device__ __forceinline__ float value(float x) { return x * sigmoid(x); }
    static __device__ __forceinline__ float slope(float x) {
        float s = sigmoid(x);
        return s * (1.0f + x * (1.0f - s));
    }
};

#define MAKE(name, T)                                                                                            \
    MAKE_GATED(swiglu, Silu, name, T)                                                                            \
    extern "C" __global__ void silu_##name(const T *x, T *y, u64 count) {                                         \
        u64 i = element();                                                                                       \
        if (i < count) write(y[i], Silu::value(read(x[i])));                                                     \
    }                                                                                                            \
    extern "C" __global__ void silu_backward_##name(const T *x, const T *dy, T *dx, u64 count) {                  \
        u64 i = element();                                                                                       \
        if (i < count) write(dx[i], read(dy[i]) * Silu::slope(read(x[i])));                                      \
    }
FOR_EACH_TYPE(MAKE)
