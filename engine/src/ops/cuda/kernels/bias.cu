// A bias added to every token's row, and the sums over tokens that are its gradient.

#include "types.cuh"

// A block per token.
template <typename T>
__device__ void add_bias(T *out, const float *bias, unsigned outputs) {
    out += (size_t)blockIdx.x * outputs;
    for (unsigned i = threadIdx.x; i < outputs; i += blockDim.x) write(out[i], read(out[i]) + bias[i]);
}

// A block for 32 outputs: each of its 32 warps sums every 32nd token, the first warp their sums.
template <typename T>
__device__ void accumulate(float *bias_gradient, const T *grad, unsigned tokens, unsigned outputs) {
    __shared__ float sums[32][32];
    unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, output = blockIdx.x * 32 + lane;
    float sum = 0.0f;
    if (output < outputs)
        for (unsigned token = warp; token < tokens; token += 32) sum += read(grad[(size_t)token * outputs + output]);
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || output >= outputs) return;
    for (unsigned other = 1; other < 32; other++) sum += sums[other][lane];
    bias_gradient[output] += sum;
}

#define MAKE(name, T)                                                                                            \
    extern "C" __global__ void add_bias_##name(T *out, const float *bias, unsigned outputs) {                     \
        add_bias(out, bias, outputs);                                                                            \
    }                                                                                                            \
    extern "C" __global__ void accumulate_bias_gradient_##name(float *bias_gradient, const T *grad,               \
                                                               unsigned tokens, unsigned outputs) {              \
        accumulate(bias_gradient, grad, tokens, outputs);                                                        \
    }
FOR_EACH_TYPE(MAKE)
