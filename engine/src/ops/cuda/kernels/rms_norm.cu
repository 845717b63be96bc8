// y = x / rms(x) * weight over rows, and its gradient with respect to x. A block per row.

#include "types.cuh"

template <typename T>
__device__ void forward(const T *x, const float *weight, T *y, unsigned width, float eps) {
    x += (size_t)blockIdx.x * width;
    y += (size_t)blockIdx.x * width;
    float squares = 0.0f;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float value = read(x[i]);
        squares += value * value;
    }
    float scale = 1.0f / sqrtf(block_sum(squares) / width + eps);
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float value = read(x[i]) * scale;
        write(y[i], weight ? value * weight[i] : value);
    }
}

// dx = s * (g - x * s^2 * mean(g x)) with g = dy * weight and s = 1 / rms.
template <typename T>
__device__ void backward(const T *x, const float *weight, const T *dy, T *dx, unsigned width, float eps) {
    size_t row = (size_t)blockIdx.x * width;
    x += row;
    dy += row;
    dx += row;
    float squares = 0.0f, along = 0.0f;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float value = read(x[i]);
        float g = weight ? read(dy[i]) * weight[i] : read(dy[i]);
        squares += value * value;
        along += g * value;
    }
    float scale = 1.0f / sqrtf(block_sum(squares) / width + eps);
    along = block_sum(along) / width * scale * scale;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) {
        float g = weight ? read(dy[i]) * weight[i] : read(dy[i]);
        write(dx[i], scale * (g - read(x[i]) * along));
    }
}

#define MAKE(name, T)                                                                                            \
    extern "C" __global__ void rms_norm_##name(const T *x, const float *weight, T *y, unsigned width, float eps) { \
        forward(x, weight, y, width, eps);                                                                       \
    }                                                                                                            \
    extern "C" __global__ void rms_norm_backward_##name(const T *x, const float *weight, const T *dy, T *dx,      \
                                                        unsigned width, float eps) {                             \
        backward(x, weight, dy, dx, width, eps);                                                                 \
    }
FOR_EACH_TYPE(MAKE)
