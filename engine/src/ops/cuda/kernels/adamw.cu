// AdamW on f32, a thread per number, and with moments in 8 bits, a thread per number and 256 of them per
// block that shares a scale. Each operation is rounded as on the CPU, so that both give the same bits.

#include "dynamic_map.cuh"
#include "types.cuh"

struct Factors {
    float step_size, root_correction, keep, eps, beta1, beta2, one_minus_beta1, one_minus_beta2;

    __device__ __forceinline__ float root(float second) const {
        return __fadd_rn(__fdiv_rn(__fsqrt_rn(second), root_correction), eps);
    }
};

#define FACTORS                                                                                                 \
    float step_size, float root_correction, float keep, float eps, float beta1, float beta2, float one_minus_beta1, \
        float one_minus_beta2
#define GIVEN Factors{step_size, root_correction, keep, eps, beta1, beta2, one_minus_beta1, one_minus_beta2}

extern "C" __global__ void adamw_f32(float *parameter, const float *gradient, float *first, float *second,
                                     size_t elements, FACTORS) {
    Factors f = GIVEN;
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= elements) return;
    float g = gradient[i], m = first[i], v = second[i];
    m = __fadd_rn(m, __fmul_rn(f.one_minus_beta1, __fsub_rn(g, m)));
    v = __fadd_rn(__fmul_rn(v, f.beta2), __fmul_rn(__fmul_rn(f.one_minus_beta2, g), g));
    first[i] = m;
    second[i] = v;
    float step = __fmul_rn(f.step_size, __fdiv_rn(m, f.root(v)));
    parameter[i] = __fsub_rn(__fmul_rn(parameter[i], f.keep), step);
}

constexpr unsigned BLOCK = 256;

// A dynamic map in shared memory, where threads look up what they like.
struct Map {
    float values[256];
    unsigned short above[256];

    __device__ __forceinline__ void load(const float *all, const unsigned short *points) {
        values[threadIdx.x] = all[threadIdx.x];
        if (threadIdx.x < 255) above[threadIdx.x] = points[threadIdx.x];
    }

    // The code of a number scaled to [-1, 1]: its point of the grid, and how many codes are below it. What
    // is no number gets point 0.
    __device__ __forceinline__ unsigned code(float scaled) const {
        float share = __fmul_rn(__fadd_rn(fminf(fmaxf(scaled, -1.0f), 1.0f), 1.0f), 0.5f);
        unsigned point = (unsigned)__fmaf_rn(share, 65535.0f, 0.5f);
        unsigned code = 0;
#pragma unroll
        for (unsigned step = 128; step > 0; step /= 2)
            if (above[code + step - 1] <= point) code += step;
        return code;
    }

    // Rounds a block's numbers, one of each thread.
    __device__ __forceinline__ void quantize(float number, bool is_there, unsigned char *code_of, float *absmax) const {
        float largest = block_max(fabsf(number));
        if (is_there) *code_of = largest == 0.0f ? 0 : code(__fmul_rn(number, __fdiv_rn(1.0f, largest)));
        if (threadIdx.x == 0) *absmax = largest;
    }
};

// Decay before the step, the step from the new moments before they are rounded; the moments' own rounding
// is one fused multiply-add each.
extern "C" __global__ void adamw_8bit(float *parameter, const float *gradient, unsigned char *first_codes,
                                      float *first_absmax, unsigned char *second_codes, float *second_absmax,
                                      size_t elements, FACTORS) {
    Factors f = GIVEN;
    __shared__ Map with_sign, without_sign;
    with_sign.load(SIGNED_VALUES, SIGNED_ABOVE);
    without_sign.load(UNSIGNED_VALUES, UNSIGNED_ABOVE);
    __syncthreads();
    size_t blocks = (elements + BLOCK - 1) / BLOCK;
    for (size_t block = blockIdx.x; block < blocks; block += gridDim.x) {
        size_t i = block * BLOCK + threadIdx.x;
        bool is_there = i < elements;
        float m = 0.0f, v = 0.0f;
        if (is_there) {
            float g = gradient[i];
            m = __fmul_rn(with_sign.values[first_codes[i]], first_absmax[block]);
            m = __fmaf_rn(f.one_minus_beta1, g, __fmul_rn(m, f.beta1));
            v = __fmul_rn(without_sign.values[second_codes[i]], second_absmax[block]);
            v = __fmaf_rn(__fmul_rn(f.one_minus_beta2, g), g, __fmul_rn(v, f.beta2));
            float step = __fdiv_rn(__fmul_rn(f.step_size, m), f.root(v));
            parameter[i] = __fsub_rn(__fmul_rn(parameter[i], f.keep), step);
        }
        // The scales were read before the first barrier in here, and are written after it.
        with_sign.quantize(m, is_there, first_codes + i, first_absmax + block);
        without_sign.quantize(v, is_there, second_codes + i, second_absmax + block);
    }
}
