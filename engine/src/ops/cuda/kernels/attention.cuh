// What the kernels of attention share: sizes, which keys a query sees, and scores in powers of two.
#pragma once

#include "types.cuh"

constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LN_2 = 0.6931471805599453f;
// The widest head that kernels have room for. Heads have an even number of dimensions.
constexpr unsigned WIDEST_HEAD = 256;

struct Sizes {
    unsigned queries, keys, key_capacity, heads, kv_heads, head_dim;
    // Keys further back than this are invisible. Without a window, the largest number.
    unsigned window;
    float scale;
    // 0: scores are not capped.
    float soft_cap;
    // First visible key of each query, or null.
    const unsigned *first_visible;

    // Numbers of a row of queries, and of keys.
    __device__ __forceinline__ size_t width() const { return (size_t)heads * head_dim; }
    __device__ __forceinline__ size_t kv_width() const { return (size_t)kv_heads * head_dim; }
    // Where the first query of a row of the batch stands among the keys.
    __device__ __forceinline__ unsigned before() const { return keys - queries; }
    __device__ __forceinline__ unsigned kv_head(unsigned head) const { return head / (heads / kv_heads); }
    // First numbers of a head in a row of the batch: of queries and what is like them, of keys or values.
    __device__ __forceinline__ size_t at_query(unsigned row, unsigned head) const {
        return row * queries * width() + (size_t)head * head_dim;
    }
    __device__ __forceinline__ size_t at_key(unsigned row, unsigned kv_head) const {
        return row * key_capacity * kv_width() + (size_t)kv_head * head_dim;
    }
    // The number of a query and head in the log-sum-exp and what is like it.
    __device__ __forceinline__ size_t at_sum(unsigned row, unsigned query, unsigned head) const {
        return ((size_t)row * queries + query) * heads + head;
    }
};

// The keys that a query sees, both ends included.
struct Seen {
    unsigned first, own;

    __device__ __forceinline__ bool has(unsigned key) const { return first <= key && key <= own; }
    // Whether it sees all of so many keys.
    __device__ __forceinline__ bool has_all(unsigned start, unsigned count) const {
        return first <= start && start + count - 1 <= own;
    }
};

// Queries after the last see what the last sees: a tile may reach beyond the end.
__device__ __forceinline__ Seen seen(const Sizes &sizes, unsigned row, unsigned query) {
    query = min(query, sizes.queries - 1);
    unsigned own = query + sizes.before();
    unsigned document = sizes.first_visible ? sizes.first_visible[row * sizes.queries + query] : 0;
    unsigned window = own + 1 > sizes.window ? own + 1 - sizes.window : 0;
    return {min(max(document, window), own), own};
}

__device__ __forceinline__ unsigned warp_min(unsigned value) {
    for (int offset = 16; offset > 0; offset /= 2) value = min(value, __shfl_xor_sync(0xffffffffu, value, offset));
    return value;
}

__device__ __forceinline__ float warp_sum(float value) {
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}

__device__ __forceinline__ float warp_max(float value) {
    for (int offset = 16; offset > 0; offset /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    return value;
}

// From products of queries and keys to scores in powers of two, so that one instruction makes weights.
struct Scores {
    bool capped;
    // Factor on the products; factor on the bent ones.
    float inner, outer;

    __device__ __forceinline__ explicit Scores(const Sizes &sizes)
        : capped(sizes.soft_cap > 0.0f),
          inner(capped ? sizes.scale / sizes.soft_cap : sizes.scale * LOG2_E),
          outer(sizes.soft_cap * LOG2_E) {}
};
