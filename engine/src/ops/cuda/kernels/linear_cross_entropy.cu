// From logits to losses and the gradient of the logits. A block of up to 1024 threads per token; logits are
// f32, the gradient is of the activations' type.

#include "types.cuh"

__device__ __forceinline__ float capped(float z, float cap) { return cap > 0.0f ? cap * tanhf(z / cap) : z; }

// The largest capped logit of a token, and the sum of all exp(l - largest).
__device__ float2 largest_and_sum(const float *logits, unsigned vocabulary, float cap) {
    float most = -INFINITY;
    for (unsigned i = threadIdx.x; i < vocabulary; i += blockDim.x) most = fmaxf(most, capped(logits[i], cap));
    most = block_max(most);
    float sum = 0.0f;
    for (unsigned i = threadIdx.x; i < vocabulary; i += blockDim.x) sum += expf(capped(logits[i], cap) - most);
    return make_float2(most, block_sum(sum));
}

__device__ __forceinline__ float loss_of(float2 found, float at_target) {
    return logf(found.y) + (found.x - at_target);
}

// `cap` is 0 where there is none.
extern "C" __global__ void token_losses(const float *logits, const unsigned *targets, float *losses,
                                        unsigned vocabulary, float cap) {
    logits += (size_t)blockIdx.x * vocabulary;
    float2 found = largest_and_sum(logits, vocabulary, cap);
    if (threadIdx.x == 0) losses[blockIdx.x] = loss_of(found, capped(logits[targets[blockIdx.x]], cap));
}

template <typename T>
__device__ void with_gradient(const float *logits, const unsigned *targets, float *losses, T *gradient,
                              unsigned vocabulary, float cap, float factor) {
    logits += (size_t)blockIdx.x * vocabulary;
    gradient += (size_t)blockIdx.x * vocabulary;
    unsigned target = targets[blockIdx.x];
    float2 found = largest_and_sum(logits, vocabulary, cap);
    if (threadIdx.x == 0) losses[blockIdx.x] = loss_of(found, capped(logits[target], cap));
    for (unsigned i = threadIdx.x; i < vocabulary; i += blockDim.x) {
        float l = capped(logits[i], cap);
        float slope = cap > 0.0f ? 1.0f - (l / cap) * (l / cap) : 1.0f;
        float hot = i == target ? 1.0f : 0.0f;
        write(gradient[i], factor * (expf(l - found.x) / found.y - hot) * slope);
    }
}

#define MAKE(name, T)                                                                                            \
    extern "C" __global__ void token_losses_and_gradient_##name(const float *logits, const unsigned *targets,     \
                                                                float *losses, T *gradient, unsigned vocabulary, \
                                                                float cap, float factor) {                       \
        with_gradient(logits, targets, losses, gradient, vocabulary, cap, factor);                               \
    }
FOR_EACH_TYPE(MAKE)
