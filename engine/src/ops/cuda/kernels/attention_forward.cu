// Attention with an online softmax (Dao 2023, arXiv 2307.08691): keys come tile by tile, the sum of
// weighted values is scaled down whenever a larger score comes, and the log-sum-exp is kept for the
// backward. Scores exist for a tile of queries and a tile of keys alone.

#include "attention.cuh"
#include "tensor_cores.cuh"

// Tiles on tensor cores: a block for 64 queries of a head, a warp for 16 of them.
constexpr unsigned TILE_QUERIES = 64;

template <int D, int KEYS, typename T>
__device__ void forward_tiles(const T *__restrict__ q, const T *__restrict__ k, const T *__restrict__ v,
                              T *__restrict__ output, float *__restrict__ log_sum_exp, Sizes sizes) {
    // Tiles of keys and of values; first the queries lie here, which then stay in registers.
    __shared__ __align__(16) T room[2 * KEYS * D];
    static_assert(TILE_QUERIES <= 2 * KEYS, "the queries fit there");
    T *key_tile = room, *value_tile = room + KEYS * D;

    unsigned lane = threadIdx.x & 31, own_row = threadIdx.x / 32 * 16 + lane / 4;
    unsigned row = blockIdx.z, head = blockIdx.y, kv_head = sizes.kv_head(head);
    // The last tiles see the most keys, so they come first.
    unsigned first = (gridDim.x - 1 - blockIdx.x) * TILE_QUERIES;
    bool vectors = aligned(sizes.head_dim, q, k, v, nullptr);
    q += sizes.at_query(row, head);
    k += sizes.at_key(row, kv_head);
    v += sizes.at_key(row, kv_head);
    size_t kv_width = sizes.kv_width();

    unsigned left[D / 16][4];
    load_tile<TILE_QUERIES, D>(room, q, sizes.width(), first, sizes.queries, sizes.head_dim, vectors);
    copies_done();
    __syncthreads();
#pragma unroll
    for (int step = 0; step < D / 16; step++)
        load_left<D>(left[step], room, threadIdx.x / 32 * 16, step * 2);
    __syncthreads();

    Seen own[2] = {seen(sizes, row, first + own_row), seen(sizes, row, first + own_row + 8)};
    unsigned start = warp_min(
        min(seen(sizes, row, first + lane).first, seen(sizes, row, first + lane + 32).first));
    unsigned end = seen(sizes, row, first + TILE_QUERIES - 1).own + 1;

    Scores scores(sizes);
    // Scores are powers of two once they are multiplied by this.
    float factor = scores.capped ? 1.0f : scores.inner;
    float sum[D / 8][4] = {};
    float most[2] = {-INFINITY, -INFINITY}, total[2] = {};

    start = start / KEYS * KEYS;
    load_tile<KEYS, D>(key_tile, k, kv_width, start, sizes.keys, sizes.head_dim, vectors);
    for (unsigned tile = start; tile < end; tile += KEYS) {
        copies_done();
        __syncthreads();  // the keys have come, the last values are done with
        load_tile<KEYS, D>(value_tile, v, kv_width, tile, sizes.keys, sizes.head_dim, vectors);

        float weights[KEYS / 8][4] = {};
#pragma unroll
        for (int step = 0; step < D / 16; step++)
#pragma unroll
            for (int i = 0; i < KEYS / 16; i++) {
                unsigned right[4];
                load_right_of_rows<D>(right, key_tile, i * 16, step * 2);
                multiply_two<T>(weights[i * 2], weights[i * 2 + 1], left[step], right);
            }

        if (scores.capped) {
#pragma unroll
            for (int i = 0; i < KEYS / 8; i++)
#pragma unroll
                for (int e = 0; e < 4; e++) weights[i][e] = scores.outer * bend(weights[i][e] * scores.inner);
        }
        bool all_seen = own[0].has_all(tile, KEYS) && own[1].has_all(tile, KEYS);
        if (!__all_sync(0xffffffffu, all_seen)) {
#pragma unroll
            for (int i = 0; i < KEYS / 8; i++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    if (!own[e / 2].has(tile + i * 8 + lane % 4 * 2 + e % 2)) weights[i][e] = -INFINITY;
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float now = most[half];
#pragma unroll
            for (int i = 0; i < KEYS / 8; i++)
                now = fmaxf(now, fmaxf(weights[i][half * 2], weights[i][half * 2 + 1]));
            now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 1));
            now = fmaxf(now, __shfl_xor_sync(0xffffffffu, now, 2));
            // Before its first visible key a query has no largest score; all its weights are zero.
            float shift = now == -INFINITY ? 0.0f : now * factor;
            float shrink = power_of_two(most[half] * factor - shift);
            most[half] = now;
            total[half] *= shrink;
#pragma unroll
            for (int i = 0; i < D / 8; i++) {
                sum[i][half * 2] *= shrink;
                sum[i][half * 2 + 1] *= shrink;
            }
#pragma unroll
            for (int i = 0; i < KEYS / 8; i++)
#pragma unroll
                for (int e = half * 2; e < half * 2 + 2; e++) {
                    weights[i][e] = power_of_two(weights[i][e] * factor - shift);
                    total[half] += weights[i][e];
                }
        }

        copies_done();
        __syncthreads();  // the values have come, the keys are done with
        if (tile + KEYS < end)
            load_tile<KEYS, D>(key_tile, k, kv_width, tile + KEYS, sizes.keys, sizes.head_dim, vectors);
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++) {
            unsigned rounded[4];
            pack_left<T>(rounded, weights[step * 2], weights[step * 2 + 1]);
#pragma unroll
            for (int i = 0; i < D / 16; i++) {
                unsigned right[4];
                load_right<D>(right, value_tile, step * 16, i * 2);
                multiply_two<T>(sum[i * 2], sum[i * 2 + 1], rounded, right);
            }
        }
    }

    output += sizes.at_query(row, head);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        total[half] += __shfl_xor_sync(0xffffffffu, total[half], 1);
        total[half] += __shfl_xor_sync(0xffffffffu, total[half], 2);
        float share = 1.0f / total[half];
        unsigned query = first + own_row + half * 8;
        if (query >= sizes.queries) continue;
        if (lane % 4 == 0)
            log_sum_exp[sizes.at_sum(row, query, head)] = (most[half] * factor + log2f(total[half])) * LN_2;
#pragma unroll
        for (int i = 0; i < D / 8; i++) {
            unsigned column = i * 8 + lane % 4 * 2;
            if (column < sizes.head_dim)
                *(unsigned *)(output + query * sizes.width() + column) =
                    pack(sum[i][half * 2] * share, sum[i][half * 2 + 1] * share, T());
        }
    }
}

// Two numbers beside each other, read at once.
__device__ __forceinline__ float2 read_two(const float *from) { return *(const float2 *)from; }
__device__ __forceinline__ float2 read_two(const __half *from) { return __half22float2(*(const __half2 *)from); }
#if __CUDA_ARCH__ >= 800
__device__ __forceinline__ float2 read_two(const __nv_bfloat16 *from) {
    return __bfloat1622float2(*(const __nv_bfloat162 *)from);
}
#endif

// A block for one query of a head: for numbers that tensor cores do not multiply, and for the few queries
// of an answer in the making, of which a tile would be empty. Warps take turns, 32 keys at a time.
constexpr unsigned MOST_WARPS = 8;

template <typename T>
__device__ void forward_query(const T *__restrict__ q, const T *__restrict__ k, const T *__restrict__ v,
                              T *__restrict__ output, float *__restrict__ log_sum_exp, Sizes sizes) {
    __shared__ float query[WIDEST_HEAD];
    __shared__ float sums[MOST_WARPS][WIDEST_HEAD];
    __shared__ float largest[MOST_WARPS], totals[MOST_WARPS];
    unsigned lane = threadIdx.x & 31, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    unsigned row = blockIdx.z, head = blockIdx.y, head_dim = sizes.head_dim;
    q += sizes.at_query(row, head) + blockIdx.x * sizes.width();
    k += sizes.at_key(row, sizes.kv_head(head));
    v += sizes.at_key(row, sizes.kv_head(head));
    size_t kv_width = sizes.kv_width();
    for (unsigned i = threadIdx.x; i < head_dim; i += blockDim.x) query[i] = read(q[i]);
    __syncthreads();

    Scores scores(sizes);
    Seen keys = seen(sizes, row, blockIdx.x);
    float most = -INFINITY, total = 0.0f;
    // Of each 64 dimensions a thread has two beside each other.
    float2 sum[WIDEST_HEAD / 64] = {};
    for (unsigned first = keys.first + warp * 32; first <= keys.own; first += warps * 32) {
        unsigned count = min(keys.own - first + 1, 32u);
        // Eight threads read a key together, so that they read what lies together; then the thread of the
        // key's number has its score.
        float score = -INFINITY;
        for (unsigned round = 0; round * 4 < count; round++) {
            const T *key = k + (first + min(round * 4 + lane / 8, count - 1)) * kv_width;
            float product = 0.0f;
#pragma unroll 4
            for (unsigned i = lane % 8 * 2; i < head_dim; i += 16) {
                float2 numbers = read_two(key + i);
                product += numbers.x * query[i] + numbers.y * query[i + 1];
            }
            for (int offset = 4; offset > 0; offset /= 2)
                product += __shfl_xor_sync(0xffffffffu, product, offset);
            product = __shfl_sync(0xffffffffu, product, lane % 4 * 8) * scores.inner;
            if (lane / 4 == round && lane < count)
                score = scores.capped ? scores.outer * tanhf(product) : product;
        }
        float now = fmaxf(most, warp_max(score));
        float shrink = exp2f(most - now), weight = exp2f(score - now);
        most = now;
        total = total * shrink + weight;
#pragma unroll
        for (unsigned i = 0; i < WIDEST_HEAD / 64; i++) {
            sum[i].x *= shrink;
            sum[i].y *= shrink;
        }
#pragma unroll 4
        for (unsigned j = 0; j < count; j++) {
            float share = __shfl_sync(0xffffffffu, weight, j);
#pragma unroll
            for (unsigned i = 0; i < WIDEST_HEAD / 64; i++) {
                unsigned column = i * 64 + lane * 2;
                if (column < head_dim) {
                    float2 numbers = read_two(v + (first + j) * kv_width + column);
                    sum[i].x += share * numbers.x;
                    sum[i].y += share * numbers.y;
                }
            }
        }
    }

    // The warps' sums together. A warp without keys has weight zero.
    total = warp_sum(total);
    if (lane == 0) {
        largest[warp] = most;
        totals[warp] = total;
    }
#pragma unroll
    for (unsigned i = 0; i < WIDEST_HEAD / 64; i++) {
        sums[warp][i * 64 + lane * 2] = sum[i].x;
        sums[warp][i * 64 + lane * 2 + 1] = sum[i].y;
    }
    __syncthreads();
    most = largest[0];
    for (unsigned i = 1; i < warps; i++) most = fmaxf(most, largest[i]);
    total = 0.0f;
    for (unsigned i = 0; i < warps; i++) total += totals[i] * exp2f(largest[i] - most);
    output += sizes.at_query(row, head) + blockIdx.x * sizes.width();
    for (unsigned column = threadIdx.x; column < head_dim; column += blockDim.x) {
        float value = 0.0f;
        for (unsigned i = 0; i < warps; i++) value += sums[i][column] * exp2f(largest[i] - most);
        write(output[column], value / total);
    }
    if (threadIdx.x == 0)
        log_sum_exp[sizes.at_sum(row, blockIdx.x, head)] = (most + log2f(total)) * LN_2;
}

#define ARGUMENTS(T)                                                                                      \
    const T *q, const T *k, const T *v, const unsigned *first_visible, T *output, float *log_sum_exp,     \
        unsigned queries, unsigned keys, unsigned key_capacity, unsigned heads, unsigned kv_heads,        \
        unsigned head_dim, unsigned window, float scale, float soft_cap
#define SIZES                                                                                             \
    { queries, keys, key_capacity, heads, kv_heads, head_dim, window, scale, soft_cap, first_visible }

#define MAKE_QUERY(name, T)                                                                               \
    extern "C" __global__ void __launch_bounds__(256) attention_query_##name(ARGUMENTS(T)) {             \
        forward_query(q, k, v, output, log_sum_exp, SIZES);                                               \
    }
FOR_EACH_TYPE(MAKE_QUERY)

#define MAKE_TILES(name, T, D, KEYS)                                                                      \
    extern "C" __global__ void __launch_bounds__(128) attention_##name##_##D(ARGUMENTS(T)) {             \
        forward_tiles<D, KEYS>(q, k, v, output, log_sum_exp, SIZES);                                      \
    }
#define MAKE(name, T)           \
    MAKE_TILES(name, T, 32, 64) \
    MAKE_TILES(name, T, 64, 64) \
    MAKE_TILES(name, T, 96, 64) \
    MAKE_TILES(name, T, 128, 64) \
    MAKE_TILES(name, T, 256, 32)
FOR_EACH_16_BIT_TYPE(MAKE)
