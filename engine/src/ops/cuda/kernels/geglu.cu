// gelu(x), in its tanh approximation, as a gate: x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)).

#include "gated.cuh"

struct Gelu {
    static constexpr float CUBIC = 0.044715f;
    static constexpr float FACTOR = 1.5957691216057308f;  // 2 sqrt(2/pi)
    static __device__ __forceinline__ float inner(float x) { return FACTOR * (x + CUBIC * x * x * x); }
    static __device__ __forceinline__ float value(float x) { return x * sigmoid(inner(x)); }
    static __device__ __forceinline__ float slope(float x) {
        float s = sigmoid(inner(x));
        return s + x * s * (1.0f - s) * FACTOR * (1.0f + 3.0f * CUBIC * x * x);
    }
};

#define MAKE(name, T) MAKE_GATED(geglu, Gelu, name, T)
FOR_EACH_TYPE(MAKE)
