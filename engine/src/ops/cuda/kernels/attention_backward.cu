// Gradients of attention: weights are made anew from the log-sum-exp, tile by tile (Dao 2023, arXiv
// 2307.08691). With dp = d_output v and along = sum(d_output output) of a query and head, the gradient of
// a score is p (dp - along) (1 - tanh^2).
//
// Gradients of queries, and of keys and values, are two kernels: each block owns a tile of what it makes
// and goes through the others in a fixed order, so there is nothing to add up between blocks. Both are
// the same code with sides exchanged:
//
//                         own rows          other rows          results
//   gradients of queries  q, d_output       k, v                dq = scale ds k
//   gradients of keys     k, v              q, d_output         dk = scale ds q, dv = p d_output

#include "attention.cuh"
#include "tensor_cores.cuh"

// sum(d_output output) of each query and head: a warp for each.
template <typename T>
__device__ void along_output(const T *__restrict__ output, const T *__restrict__ d_output,
                             float *__restrict__ along, unsigned sums, unsigned head_dim) {
    unsigned index = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (index >= sums) return;
    output += (size_t)index * head_dim;
    d_output += (size_t)index * head_dim;
    float sum = 0.0f;
    for (unsigned i = threadIdx.x & 31; i < head_dim; i += 32) sum += read(output[i]) * read(d_output[i]);
    sum = warp_sum(sum);
    if ((threadIdx.x & 31) == 0) along[index] = sum;
}

// What is the same in all kernels below.
template <typename T> struct Inputs {
    const T *q, *k, *v, *d_output;
    const float *log_sum_exp, *along;
};

// What a thread knows of one query: it weighs `2^(score - log_sum)`.
struct Query {
    float log_sum, along;
    Seen keys;
};

template <typename T>
__device__ __forceinline__ Query query_of(const Inputs<T> &inputs, const Sizes &sizes, unsigned row,
                                          unsigned query, unsigned head) {
    Seen keys = seen(sizes, row, query);
    // Weights and gradients of queries after the last become zero.
    if (query >= sizes.queries) return {INFINITY, 0.0f, keys};
    size_t at = sizes.at_sum(row, query, head);
    return {inputs.log_sum_exp[at] * LOG2_E, inputs.along[at], keys};
}

// The queries that may see some keys: from the first that stands at one of them to the last in whose
// window they are.
struct Queries {
    unsigned first, end;
};

__device__ __forceinline__ Queries queries_of_keys(const Sizes &sizes, unsigned first, unsigned count) {
    if (first >= sizes.keys) return {0, 0};
    unsigned before = sizes.before(), last = min(first + count, sizes.keys) - 1;
    unsigned window = max(sizes.window, 1u);
    unsigned end = sizes.keys - last > window ? last + window : sizes.keys;
    return {first > before ? first - before : 0, end > before ? end - before : 0};
}

// Tiles on tensor cores. A block of four warps owns OWN rows; warps that own the same 16 rows share out
// the columns of what they make, and each makes all of the weights.
template <int D, int OWN, int OTHER, bool OF_KEYS, typename T>
__device__ void backward_tiles(Inputs<T> inputs, T *__restrict__ gradient_1, T *__restrict__ gradient_2,
                               Sizes sizes) {
    constexpr int GROUPS = OWN / 16, COLUMNS = D * GROUPS / (TILE_THREADS / 32);
    static_assert(OTHER <= 32, "a lane for each query of a tile");
    __shared__ __align__(16) T room[2 * (OWN + OTHER) * D];
    T *own_1 = room, *own_2 = own_1 + OWN * D, *other_1 = own_2 + OWN * D, *other_2 = other_1 + OTHER * D;

    unsigned lane = threadIdx.x & 31, group_row = threadIdx.x / 32 % GROUPS * 16;
    unsigned first_chunk = threadIdx.x / 32 / GROUPS * (COLUMNS / 8);
    unsigned row = blockIdx.z, group = sizes.heads / sizes.kv_heads;
    unsigned kv_head = OF_KEYS ? blockIdx.y : blockIdx.y / group;
    unsigned head = OF_KEYS ? blockIdx.y * group : blockIdx.y;
    unsigned last_head = OF_KEYS ? head + group - 1 : head;
    // The tiles with the most to do come first: of keys the first, of queries the last.
    unsigned first = (OF_KEYS ? blockIdx.x : gridDim.x - 1 - blockIdx.x) * OWN;
    size_t width = sizes.width(), kv_width = sizes.kv_width();
    bool vectors = aligned(sizes.head_dim, inputs.q, inputs.k, inputs.v, inputs.d_output);
    const T *k = inputs.k + sizes.at_key(row, kv_head), *v = inputs.v + sizes.at_key(row, kv_head);

    if (OF_KEYS) {
        load_tile<OWN, D>(own_1, k, kv_width, first, sizes.keys, sizes.head_dim, vectors);
        load_tile<OWN, D>(own_2, v, kv_width, first, sizes.keys, sizes.head_dim, vectors);
    } else {
        size_t at = sizes.at_query(row, head);
        load_tile<OWN, D>(own_1, inputs.q + at, width, first, sizes.queries, sizes.head_dim, vectors);
        load_tile<OWN, D>(own_2, inputs.d_output + at, width, first, sizes.queries, sizes.head_dim, vectors);
    }

    // Of the thread's own two rows, or of the lane's query among the others.
    Query query[2];
    unsigned start, end;
    if (OF_KEYS) {
        Queries queries = queries_of_keys(sizes, first, OWN);
        start = queries.first;
        end = queries.end;
    } else {
        for (int half = 0; half < 2; half++)
            query[half] = query_of(inputs, sizes, row, first + group_row + lane / 4 + half * 8, head);
        start = seen(sizes, row, first + lane % OWN).first;
        if (OWN > 32) start = min(start, seen(sizes, row, first + lane + 32).first);
        start = warp_min(start) / OTHER * OTHER;
        end = seen(sizes, row, first + OWN - 1).own + 1;
    }

    // What the thread has of scores: rows `own_row` and 8 further on, as many columns as others.
    unsigned own_row = first + group_row + lane / 4;
    auto for_each_score = [&](auto step) {
#pragma unroll
        for (int i = 0; i < OTHER / 8; i++)
#pragma unroll
            for (int e = 0; e < 4; e++) step(i, e, OF_KEYS ? 0 : e / 2, i * 8 + lane % 4 * 2 + e % 2);
    };
    // What is of a query: the thread's own, or that of the lane whose query stands in this column.
    auto of_query = [](auto value, unsigned column) {
        return OF_KEYS ? __shfl_sync(0xffffffffu, value, column) : value;
    };

    Scores scores(sizes);
    float sum_1[COLUMNS / 8][4] = {}, sum_2[OF_KEYS ? COLUMNS / 8 : 1][4] = {};
    for (; head <= last_head; head++) {
        const T *q = inputs.q + sizes.at_query(row, head);
        const T *d_output = inputs.d_output + sizes.at_query(row, head);
        for (unsigned tile = start; tile < end; tile += OTHER) {
            bool all_seen;
            if (OF_KEYS) {
                query[0] = query_of(inputs, sizes, row, tile + lane % OTHER, head);
                if (warp_min(query[0].keys.first) >= first + OWN) continue;
                all_seen = query[0].keys.has_all(first, OWN);
            } else {
                all_seen = query[0].keys.has_all(tile, OTHER) && query[1].keys.has_all(tile, OTHER);
            }
            all_seen = __all_sync(0xffffffffu, all_seen);

            __syncthreads();  // the last tile is done with
            if (OF_KEYS) {
                load_tile<OTHER, D>(other_1, q, width, tile, sizes.queries, sizes.head_dim, vectors);
                load_tile<OTHER, D>(other_2, d_output, width, tile, sizes.queries, sizes.head_dim, vectors);
            } else {
                load_tile<OTHER, D>(other_1, k, kv_width, tile, sizes.keys, sizes.head_dim, vectors);
                load_tile<OTHER, D>(other_2, v, kv_width, tile, sizes.keys, sizes.head_dim, vectors);
            }
            copies_done();
            __syncthreads();

            // Products of queries and keys, which become weights; products of values and the gradient of
            // the output, which become gradients of scores.
            float p[OTHER / 8][4] = {}, ds[OTHER / 8][4] = {};
#pragma unroll 2
            for (int step = 0; step < D / 16; step++) {
                unsigned left_1[4], left_2[4];
                load_left<D>(left_1, own_1, group_row, step * 2);
                load_left<D>(left_2, own_2, group_row, step * 2);
#pragma unroll
                for (int i = 0; i < OTHER / 16; i++) {
                    unsigned right[4];
                    load_right_of_rows<D>(right, other_1, i * 16, step * 2);
                    multiply_two<T>(p[i * 2], p[i * 2 + 1], left_1, right);
                    load_right_of_rows<D>(right, other_2, i * 16, step * 2);
                    multiply_two<T>(ds[i * 2], ds[i * 2 + 1], left_2, right);
                }
            }

            // Step by step over all numbers, so that none waits for its own last step.
            for_each_score([&](int i, int e, int half, unsigned column) {
                ds[i][e] -= of_query(query[half].along, column);
            });
            if (scores.capped) {
                for_each_score([&](int i, int e, int, unsigned) {
                    float bent = bend(p[i][e] * scores.inner);
                    p[i][e] = bent * scores.outer;
                    ds[i][e] *= 1.0f - bent * bent;
                });
            } else {
                for_each_score([&](int i, int e, int, unsigned) { p[i][e] *= scores.inner; });
            }
            for_each_score([&](int i, int e, int half, unsigned column) {
                p[i][e] = power_of_two(p[i][e] - of_query(query[half].log_sum, column));
            });
            if (!all_seen) {
                for_each_score([&](int i, int e, int half, unsigned column) {
                    unsigned first_key = of_query(query[half].keys.first, column);
                    Seen keys = {first_key, OF_KEYS ? tile + column + sizes.before() : query[half].keys.own};
                    if (!keys.has(OF_KEYS ? own_row + e / 2 * 8 : tile + column)) p[i][e] = 0.0f;
                });
            }
            for_each_score([&](int i, int e, int, unsigned) { ds[i][e] *= p[i][e]; });

#pragma unroll
            for (int step = 0; step < OTHER / 16; step++) {
                unsigned left_1[4], left_2[4], right[4];
                pack_left<T>(left_1, ds[step * 2], ds[step * 2 + 1]);
                if (OF_KEYS) pack_left<T>(left_2, p[step * 2], p[step * 2 + 1]);
#pragma unroll
                for (int i = 0; i < COLUMNS / 16; i++) {
                    load_right<D>(right, other_1, step * 16, first_chunk + i * 2);
                    multiply_two<T>(sum_1[i * 2], sum_1[i * 2 + 1], left_1, right);
                    if (OF_KEYS) {
                        load_right<D>(right, other_2, step * 16, first_chunk + i * 2);
                        multiply_two<T>(sum_2[i * 2], sum_2[i * 2 + 1], left_2, right);
                    }
                }
            }
        }
    }

    copies_done();  // of own rows that were not needed

    // Keys that are none yet have a gradient of zero.
    unsigned rows = OF_KEYS ? sizes.key_capacity : sizes.queries;
    size_t stride = OF_KEYS ? kv_width : width;
    size_t at = OF_KEYS ? sizes.at_key(row, kv_head) : sizes.at_query(row, last_head);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        unsigned to_row = own_row + half * 8;
        if (to_row >= rows) continue;
#pragma unroll
        for (int i = 0; i < COLUMNS / 8; i++) {
            unsigned column = first_chunk * 8 + i * 8 + lane % 4 * 2;
            if (column >= sizes.head_dim) continue;
            size_t to = at + to_row * stride + column;
            *(unsigned *)(gradient_1 + to) =
                pack(sum_1[i][half * 2] * sizes.scale, sum_1[i][half * 2 + 1] * sizes.scale, T());
            if (OF_KEYS)
                *(unsigned *)(gradient_2 + to) = pack(sum_2[i][half * 2], sum_2[i][half * 2 + 1], T());
        }
    }
}

// A warp for each own row, without tensor cores: for f32.
constexpr unsigned ROWS_OF_BLOCK = 4;

template <bool OF_KEYS, typename T>
__device__ void backward_rows(Inputs<T> inputs, T *__restrict__ gradient_1, T *__restrict__ gradient_2,
                              Sizes sizes) {
    __shared__ float own_1[ROWS_OF_BLOCK][WIDEST_HEAD], own_2[ROWS_OF_BLOCK][WIDEST_HEAD];
    unsigned lane = threadIdx.x & 31, warp = threadIdx.x / 32, head_dim = sizes.head_dim;
    unsigned row = blockIdx.z, group = sizes.heads / sizes.kv_heads;
    unsigned kv_head = OF_KEYS ? blockIdx.y : blockIdx.y / group;
    unsigned head = OF_KEYS ? blockIdx.y * group : blockIdx.y;
    unsigned last_head = OF_KEYS ? head + group - 1 : head;
    unsigned own_row = blockIdx.x * ROWS_OF_BLOCK + warp;
    size_t width = sizes.width(), kv_width = sizes.kv_width();
    const T *k = inputs.k + sizes.at_key(row, kv_head), *v = inputs.v + sizes.at_key(row, kv_head);
    // From here on a warp is by itself.
    if (own_row >= (OF_KEYS ? sizes.key_capacity : sizes.queries)) return;

    Query query;
    unsigned start, end;
    if (OF_KEYS) {
        Queries queries = queries_of_keys(sizes, own_row, 1);
        start = queries.first;
        end = queries.end;
    } else {
        query = query_of(inputs, sizes, row, own_row, head);
        start = query.keys.first;
        end = query.keys.own + 1;
    }
    for (unsigned i = lane; i < head_dim; i += 32) {
        size_t at = OF_KEYS ? own_row * kv_width + i : sizes.at_query(row, head) + own_row * width + i;
        own_1[warp][i] = read(OF_KEYS ? k[at] : inputs.q[at]);
        own_2[warp][i] = read(OF_KEYS ? v[at] : inputs.d_output[at]);
    }
    __syncwarp();

    Scores scores(sizes);
    float sum_1[WIDEST_HEAD / 32] = {}, sum_2[WIDEST_HEAD / 32] = {};
    for (; head <= last_head; head++) {
        size_t stride = OF_KEYS ? width : kv_width;
        const T *others_1 = OF_KEYS ? inputs.q + sizes.at_query(row, head) : k;
        const T *others_2 = OF_KEYS ? inputs.d_output + sizes.at_query(row, head) : v;
        for (unsigned first = start; first < end; first += 32) {
            unsigned count = min(end - first, 32u);
            float p = 0.0f, ds = 0.0f;
            if (OF_KEYS) query = query_of(inputs, sizes, row, first + lane, head);
            if (lane < count && query.keys.has(OF_KEYS ? own_row : first + lane)) {
                const T *other_1 = others_1 + (first + lane) * stride, *other_2 = others_2 + (first + lane) * stride;
                float score = 0.0f, slope = 1.0f;
                for (unsigned i = 0; i < head_dim; i++) {
                    score += own_1[warp][i] * read(other_1[i]);
                    ds += own_2[warp][i] * read(other_2[i]);
                }
                score *= scores.inner;
                if (scores.capped) {
                    float bent = tanhf(score);
                    score = bent * scores.outer;
                    slope = 1.0f - bent * bent;
                }
                p = exp2f(score - query.log_sum);
                ds = p * (ds - query.along) * slope;
            }
            for (unsigned j = 0; j < count; j++) {
                float p_j = __shfl_sync(0xffffffffu, p, j), ds_j = __shfl_sync(0xffffffffu, ds, j);
                const T *other_1 = others_1 + (first + j) * stride, *other_2 = others_2 + (first + j) * stride;
#pragma unroll
                for (unsigned i = 0; i < WIDEST_HEAD / 32; i++) {
                    unsigned column = i * 32 + lane;
                    if (column >= head_dim) break;
                    sum_1[i] += ds_j * read(other_1[column]);
                    if (OF_KEYS) sum_2[i] += p_j * read(other_2[column]);
                }
            }
        }
    }

    size_t at = OF_KEYS ? sizes.at_key(row, kv_head) + own_row * kv_width
                        : sizes.at_query(row, last_head) + own_row * width;
#pragma unroll
    for (unsigned i = 0; i < WIDEST_HEAD / 32; i++) {
        unsigned column = i * 32 + lane;
        if (column >= head_dim) break;
        write(gradient_1[at + column], sum_1[i] * sizes.scale);
        if (OF_KEYS) write(gradient_2[at + column], sum_2[i]);
    }
}

#define MAKE_ALONG(name, T)                                                                                     \
    extern "C" __global__ void attention_along_##name(const T *output, const T *d_output, float *along,         \
                                                      unsigned sums, unsigned head_dim) {                       \
        along_output(output, d_output, along, sums, head_dim);                                                  \
    }
FOR_EACH_TYPE(MAKE_ALONG)

// A kernel that makes the gradients of queries, and one for those of keys and values.
#define MAKE_BACKWARD(name, T, threads, of_queries, of_keys)                                                     \
    extern "C" __global__ void __launch_bounds__(threads) attention_queries_##name(                             \
        const T *q, const T *k, const T *v, const unsigned *first_visible, const T *d_output,                   \
        const float *log_sum_exp, const float *along, T *d_queries, unsigned queries, unsigned keys,            \
        unsigned key_capacity, unsigned heads, unsigned kv_heads, unsigned head_dim, unsigned window,           \
        float scale, float soft_cap) {                                                                          \
        of_queries(Inputs<T>{q, k, v, d_output, log_sum_exp, along}, d_queries, (T *)nullptr,                   \
                   Sizes{queries, keys, key_capacity, heads, kv_heads, head_dim, window, scale, soft_cap,       \
                         first_visible});                                                                       \
    }                                                                                                           \
    extern "C" __global__ void __launch_bounds__(threads) attention_keys_##name(                                \
        const T *q, const T *k, const T *v, const unsigned *first_visible, const T *d_output,                   \
        const float *log_sum_exp, const float *along, T *d_keys, T *d_values, unsigned queries, unsigned keys,  \
        unsigned key_capacity, unsigned heads, unsigned kv_heads, unsigned head_dim, unsigned window,           \
        float scale, float soft_cap) {                                                                          \
        of_keys(Inputs<T>{q, k, v, d_output, log_sum_exp, along}, d_keys, d_values,                             \
                Sizes{queries, keys, key_capacity, heads, kv_heads, head_dim, window, scale, soft_cap,          \
                      first_visible});                                                                          \
    }
MAKE_BACKWARD(f32, float, 128, backward_rows<false>, backward_rows<true>)

#define MAKE_TILES(name, T, D, OWN, OTHER)                                                                       \
    MAKE_BACKWARD(name##_##D, T, 128, (backward_tiles<D, OWN, OTHER, false>), (backward_tiles<D, OWN, OTHER, true>))
// Tiles that fit 48 KiB of shared memory.
#define MAKE(name, T)                \
    MAKE_TILES(name, T, 32, 64, 32)  \
    MAKE_TILES(name, T, 64, 64, 32)  \
    MAKE_TILES(name, T, 128, 64, 32) \
    MAKE_TILES(name, T, 256, 32, 16)
FOR_EACH_16_BIT_TYPE(MAKE)
