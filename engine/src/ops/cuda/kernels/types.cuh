// What kernels share: numbers of three types read as float and rounded once when written, sums of a
// block in a fixed order, and a macro that makes a kernel for each type.
#pragma once

#include <cuda_fp16.h>
#if __CUDA_ARCH__ >= 800
#include <cuda_bf16.h>
#endif
#include <cstdint>

__device__ __forceinline__ float read(float x) { return x; }
__device__ __forceinline__ float read(__half x) { return __half2float(x); }
__device__ __forceinline__ void write(float &to, float x) { to = x; }
__device__ __forceinline__ void write(__half &to, float x) { to = __float2half_rn(x); }
#if __CUDA_ARCH__ >= 800
__device__ __forceinline__ float read(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ void write(__nv_bfloat16 &to, float x) { to = __float2bfloat16_rn(x); }
#endif

// Sum over the threads of a block, given to all of them. `blockDim.x` is a multiple of 32, at most 1024.
__device__ __forceinline__ float block_sum(float value) {
    __shared__ float partial[32];
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
    __syncthreads();  // the last use of `partial`
    if ((threadIdx.x & 31) == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    value = (threadIdx.x & 31) < blockDim.x / 32 ? partial[threadIdx.x & 31] : 0.0f;
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}

// The same for the largest value.
__device__ __forceinline__ float block_max(float value) {
    __shared__ float partial[32];
    for (int offset = 16; offset > 0; offset /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    __syncthreads();
    if ((threadIdx.x & 31) == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    value = (threadIdx.x & 31) < blockDim.x / 32 ? partial[threadIdx.x & 31] : -INFINITY;
    for (int offset = 16; offset > 0; offset /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    return value;
}

// `make(name, type)` for each type of activations.
#if __CUDA_ARCH__ >= 800
#define FOR_EACH_TYPE(make) make(f32, float) make(f16, __half) make(bf16, __nv_bfloat16)
#else
#define FOR_EACH_TYPE(make) make(f32, float) make(f16, __half)
#endif
