// The gated half of an MLP, y = act(gate) * up, and its gradients, for both activation functions.
#pragma once

#include "types.cuh"

typedef unsigned long long u64;

__device__ __forceinline__ u64 element() { return (u64)blockIdx.x * blockDim.x + threadIdx.x; }

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// An activation function is a type with `value(x)` and `slope(x)`.
template <typename Activation, typename T>
__device__ void gated(const T *gate, const T *up, T *y, u64 count) {
    u64 i = element();
    if (i < count) write(y[i], Activation::value(read(gate[i])) * read(up[i]));
}

template <typename Activation, typename T>
__device__ void gated_backward(const T *gate, const T *up, const T *dy, T *d_gate, T *d_up, u64 count) {
    u64 i = element();
    if (i >= count) return;
    float g = read(gate[i]), u = read(up[i]), d = read(dy[i]);
    write(d_gate[i], d * u * Activation::slope(g));
    write(d_up[i], d * Activation::value(g));
}

#define MAKE_GATED(operation, Activation, name, T)                                                               \
    extern "C" __global__ void operation##_##name(const T *gate, const T *up, T *y, u64 count) {                  \
        gated<Activation>(gate, up, y, count);                                                                   \
    }                                                                                                            \
    extern "C" __global__ void operation##_backward_##name(const T *gate, const T *up, const T *dy, T *d_gate,    \
                                                           T *d_up, u64 count) {                                 \
        gated_backward<Activation>(gate, up, dy, d_gate, d_up, count);                                           \
    }
