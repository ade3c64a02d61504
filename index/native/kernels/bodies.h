// The kernels once, over what an instruction set offers (see isa_*.cpp). Included by each variant, compiled with its flags.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels.h"
#include "variant.h"

namespace {

constexpr int64_t LANES = 16;      // queries are filled up to a multiple of so many tokens
constexpr int64_t MAX_DIM = 4096;  // of the expansion buffers on the stack

// How many query tokens a group of sums has, how many groups are summed at once, and how many document tokens with them:
// eight sums hide the latency of an instruction. Of an instruction set whose registers hold 16 sums, or which has many.
struct Sixteen {
    static constexpr int64_t GROUP = 16;
    static constexpr int GROUPS = 2;
    static constexpr int tile(int groups) { return groups == 1 ? 8 : 4; }
};

inline float half_to_float(uint16_t half) {
    const uint32_t sign = uint32_t(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 31, fraction = half & 1023;
    float value;
    uint32_t bits;
    if (exponent == 0) {  // zero and subnormal numbers are multiples of 2^-24
        value = float(fraction) * 5.9604644775390625e-8f;
        std::memcpy(&bits, &value, 4);
        bits |= sign;
    } else {
        bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | (fraction << 13);
    }
    std::memcpy(&value, &bits, 4);
    return value;
}

// One tile of document tokens against H groups of query tokens: integer products into sums[T][H].
template <class Isa, int H, int T>
inline void products(const uint8_t* const* tokens, const int8_t* query, const int32_t* bias, int64_t dim, int64_t n_padded,
                     typename Isa::Ints (&sums)[T][H]) {
    for (int t = 0; t < T; t++)
        for (int h = 0; h < H; h++) sums[t][h] = Isa::load(bias + h * Isa::GROUP);
    const int64_t stride = n_padded * 4;
    for (int64_t g = 0; g < dim / 8; g++) {
        const int8_t* at = query + 2 * g * stride;
        for (int h = 0; h < H; h++) {
            const auto first = Isa::bytes(at + h * Isa::GROUP * 4), second = Isa::bytes(at + stride + h * Isa::GROUP * 4);
            for (int t = 0; t < T; t++) sums[t][h] = Isa::dot8(sums[t][h], tokens[t] + 8 * g, first, second);
        }
    }
}

template <class Isa, int H, int T>
inline void products_wide(const int16_t* const* tokens, const int16_t* query, int64_t dim, int64_t n_padded,
                          typename Isa::Ints (&sums)[T][H]) {
    for (int t = 0; t < T; t++)
        for (int h = 0; h < H; h++) sums[t][h] = Isa::zero();
    const int64_t stride = n_padded * 2;
    for (int64_t g = 0; g < dim / 2; g++) {
        const int16_t* at = query + g * stride;
        for (int h = 0; h < H; h++) {
            const auto pair = Isa::words(at + h * Isa::GROUP * 2);
            for (int t = 0; t < T; t++) sums[t][h] = Isa::dot2(sums[t][h], tokens[t] + 2 * g, pair);
        }
    }
}

struct Affine {  // what turns an integer product into a token's score
    float scale, mean;
};

inline Affine affine(const CoarseTokens& tokens, int64_t token, float unit) {
    return {half_to_float(tokens.scales[token]) * unit, half_to_float(tokens.means[token])};
}

template <class Isa>
inline void expand_coarse(const CoarseTokens& tokens, int64_t token, const uint8_t* levels, uint8_t* out) {
    const int64_t n = tokens.dim * tokens.bits / 8;
    const uint8_t* codes = tokens.codes + token * n;
    Isa::look_up(codes, levels, n, out);
    if (tokens.bits == 2) Isa::look_up(codes, levels + 16, n, out + 2 * n);
}

template <class Isa>
inline void expand_fine(const CoarseTokens& tokens, int64_t token, const FineQuery& query, int16_t* out) {
    const int64_t half = tokens.dim / 2;
    Isa::look_up_fine(tokens.codes + token * half, tokens.refinement + token * half, query.bases, query.steps, half, out);
}

template <class Isa, int H, int T>
inline void raise(const typename Isa::Ints (&sums)[T][H], const Affine* by, typename Isa::Floats (&best)[H]) {
    for (int t = 0; t < T; t++)
        for (int h = 0; h < H; h++) best[h] = Isa::max(best[h], Isa::affine(sums[t][h], by[t].scale, by[t].mean));
}

// Scores of one passage for H groups of query tokens, with at most `valid` of them real.
template <class Isa, int H>
float passage_coarse(const CoarseQuery& query, const CoarseTokens& tokens, int64_t first, int64_t last, int64_t group) {
    constexpr int TILE = Isa::tile(H);
    alignas(64) static thread_local uint8_t expanded[TILE][MAX_DIM];
    const int8_t* values = query.values + group * Isa::GROUP * 4;
    const int32_t* bias = query.bias + group * Isa::GROUP;
    typename Isa::Floats best[H];
    for (int h = 0; h < H; h++) best[h] = Isa::lowest();
    const uint8_t* at[TILE];
    for (int t = 0; t < TILE; t++) at[t] = expanded[t];
    int64_t token = first;
    for (; token + TILE <= last; token += TILE) {
        Affine by[TILE];
        for (int t = 0; t < TILE; t++) {
            expand_coarse<Isa>(tokens, token + t, query.levels, expanded[t]);
            by[t] = affine(tokens, token + t, query.unit);
        }
        typename Isa::Ints sums[TILE][H];
        products<Isa, H, TILE>(at, values, bias, tokens.dim, query.n_padded, sums);
        raise<Isa, H, TILE>(sums, by, best);
    }
    for (; token < last; token++) {
        expand_coarse<Isa>(tokens, token, query.levels, expanded[0]);
        const Affine by[1] = {affine(tokens, token, query.unit)};
        typename Isa::Ints sums[1][H];
        products<Isa, H, 1>(at, values, bias, tokens.dim, query.n_padded, sums);
        raise<Isa, H, 1>(sums, by, best);
    }
    float total = 0;
    for (int h = 0; h < H; h++) total += Isa::sum_of(best[h], query.n_tokens - (group + h) * Isa::GROUP);
    return total;
}

template <class Isa, int H>
float passage_fine(const FineQuery& query, const CoarseTokens& tokens, int64_t first, int64_t last, int64_t group) {
    constexpr int TILE = Isa::tile(H);
    alignas(64) static thread_local int16_t expanded[TILE][MAX_DIM];
    const int16_t* values = query.values + group * Isa::GROUP * 2;
    typename Isa::Floats best[H];
    for (int h = 0; h < H; h++) best[h] = Isa::lowest();
    const int16_t* at[TILE];
    for (int t = 0; t < TILE; t++) at[t] = expanded[t];
    int64_t token = first;
    for (; token + TILE <= last; token += TILE) {
        Affine by[TILE];
        for (int t = 0; t < TILE; t++) {
            expand_fine<Isa>(tokens, token + t, query, expanded[t]);
            by[t] = affine(tokens, token + t, query.unit);
        }
        typename Isa::Ints sums[TILE][H];
        products_wide<Isa, H, TILE>(at, values, tokens.dim, query.n_padded, sums);
        raise<Isa, H, TILE>(sums, by, best);
    }
    for (; token < last; token++) {
        expand_fine<Isa>(tokens, token, query, expanded[0]);
        const Affine by[1] = {affine(tokens, token, query.unit)};
        typename Isa::Ints sums[1][H];
        products_wide<Isa, H, 1>(at, values, tokens.dim, query.n_padded, sums);
        raise<Isa, H, 1>(sums, by, best);
    }
    float total = 0;
    for (int h = 0; h < H; h++) total += Isa::sum_of(best[h], query.n_tokens - (group + h) * Isa::GROUP);
    return total;
}

// Candidates lie far apart, so what a passage needs is asked for while the one before it is scored.
template <class T>
inline void fetch_ahead(const T* items, int64_t first, int64_t last, int64_t stride = 1) {
    const char* end = reinterpret_cast<const char*>(items + last * stride);
    for (const char* at = reinterpret_cast<const char*>(items + first * stride); at < end; at += 64) __builtin_prefetch(at);
}

inline void fetch_codes(const CoarseTokens& tokens, int64_t first, int64_t last) {
    fetch_ahead(tokens.codes, first, last, tokens.dim * tokens.bits / 8);
    fetch_ahead(tokens.scales, first, last);
    fetch_ahead(tokens.means, first, last);
}

// Calls `use` with how many groups come at once, in its argument's type.
template <int Most, class Use>
auto with_groups(int64_t n, Use&& use) {
    if constexpr (Most > 1)
        if (n < Most) return with_groups<Most - 1>(n, use);
    return use(std::integral_constant<int, Most>());
}

// Scores passages one by one, as many groups of query tokens at a time as an instruction set likes.
template <class Isa, class Fetch, class Score>
void maxsim_rows(int64_t n_tokens, const Passages& passages, float* scores, Fetch fetch, Score score) {
    const int64_t groups = (n_tokens + Isa::GROUP - 1) / Isa::GROUP;
    for (int64_t i = 0; i < passages.n_rows; i++) {
        if (i + 1 < passages.n_rows)
            fetch(passages.offsets[passages.rows[i + 1]], passages.offsets[passages.rows[i + 1] + 1]);
        const int64_t first = passages.offsets[passages.rows[i]], last = passages.offsets[passages.rows[i] + 1];
        float total = first < last ? 0.0f : -std::numeric_limits<float>::infinity();
        for (int64_t group = 0; group < groups && first < last; group += Isa::GROUPS)
            total += with_groups<Isa::GROUPS>(groups - group, [&](auto n) { return score(n, first, last, group); });
        scores[i] = total;
    }
}

template <class Isa>
void maxsim_coarse_body(const CoarseQuery& query, const CoarseTokens& tokens, const Passages& passages, float* scores) {
    const auto fetch = [&](int64_t first, int64_t last) { fetch_codes(tokens, first, last); };
    maxsim_rows<Isa>(query.n_tokens, passages, scores, fetch, [&](auto n, int64_t first, int64_t last, int64_t group) {
        return passage_coarse<Isa, decltype(n)::value>(query, tokens, first, last, group);
    });
}

template <class Isa>
void maxsim_fine_body(const FineQuery& query, const CoarseTokens& tokens, const Passages& passages, float* scores) {
    const auto fetch = [&](int64_t first, int64_t last) {
        fetch_codes(tokens, first, last);
        fetch_ahead(tokens.refinement, first, last, tokens.dim / 2);
    };
    maxsim_rows<Isa>(query.n_tokens, passages, scores, fetch, [&](auto n, int64_t first, int64_t last, int64_t group) {
        return passage_fine<Isa, decltype(n)::value>(query, tokens, first, last, group);
    });
}

constexpr int32_t LEVEL_OFFSET = 64;  // levels are unsigned; what is added up undoes that

// What the codes of a token stand for, scaled.
template <class Isa>
inline void expand_floats(const FloatQuery& query, const CoarseTokens& tokens, int64_t token, float* out) {
    alignas(64) static thread_local int16_t fine[MAX_DIM];
    alignas(64) static thread_local uint8_t coarse[MAX_DIM];
    const float unit = half_to_float(tokens.scales[token]) * query.unit;
    if (tokens.refinement) {
        const int64_t half = tokens.dim / 2;
        Isa::look_up_fine(tokens.codes + token * half, tokens.refinement + token * half, query.bases, query.steps, half, fine);
        for (int64_t d = 0; d < tokens.dim; d++) out[d] = float(fine[d]) * unit;
    } else {
        expand_coarse<Isa>(tokens, token, query.levels, coarse);
        for (int64_t d = 0; d < tokens.dim; d++) out[d] = float(int32_t(coarse[d]) - LEVEL_OFFSET) * unit;
    }
}

// Products of T expanded tokens with 16 vectors of a query, dimension by dimension.
template <int T>
inline void float_products(const float (*tokens)[MAX_DIM], const float* query, int64_t dim, int64_t n_padded,
                           float (&sums)[T][LANES]) {
    for (int t = 0; t < T; t++)
        for (int lane = 0; lane < LANES; lane++) sums[t][lane] = 0;
    for (int64_t d = 0; d < dim; d++)
        for (int t = 0; t < T; t++)
            for (int lane = 0; lane < LANES; lane++) sums[t][lane] += tokens[t][d] * query[d * n_padded + lane];
}

template <class Isa>
void token_products_body(const FloatQuery& query, const CoarseTokens& tokens, int64_t n, float* products) {
    constexpr int TILE = 4;
    alignas(64) static thread_local float expanded[TILE][MAX_DIM];
    for (int64_t first = 0; first < n; first += TILE) {
        const int64_t own = std::min<int64_t>(n - first, TILE);
        for (int64_t t = 0; t < own; t++) expand_floats<Isa>(query, tokens, first + t, expanded[t]);
        for (int64_t block = 0; block < query.n_tokens; block += LANES) {
            float sums[TILE][LANES];
            float_products<TILE>(expanded, query.values + block, tokens.dim, query.n_padded, sums);
            for (int64_t lane = 0; lane < std::min(query.n_tokens - block, LANES); lane++)
                for (int64_t t = 0; t < own; t++) products[(block + lane) * n + first + t] = sums[t][lane];
        }
    }
}

// The sum over N groups of columns of the largest entry among a passage's centroids.
template <class Isa, int N, class Code>
int32_t passage_interaction(const uint8_t* table, int64_t n_centroids, int64_t width, const Code* codes, int64_t n) {
    typename Isa::Row best[N];
    for (int i = 0; i < N; i++) best[i] = Isa::row_zero();
    for (int64_t j = 0; j < n; j++) {
        if (int64_t(codes[j]) >= n_centroids) return -1;
        const uint8_t* at = table + int64_t(codes[j]) * width;
        for (int i = 0; i < N; i++) best[i] = Isa::row_max(best[i], at + i * Isa::ROW);
    }
    int32_t total = 0;
    for (int i = 0; i < N; i++) total += Isa::row_sum(best[i]);
    return total;
}

constexpr int64_t AHEAD = 4;  // an interaction takes less time than a line needs to come

template <class Isa, class Code>
void interact_rows(const uint8_t* table, int64_t n_centroids, int64_t width, const Code* codes, const Passages& passages,
                   int32_t* scores) {
    for (int64_t i = 0; i < passages.n_rows; i++) {
        if (i + AHEAD < passages.n_rows) {
            const int64_t next = passages.rows[i + AHEAD];
            fetch_ahead(codes, passages.offsets[next], passages.offsets[next + 1]);
        }
        const int64_t first = passages.offsets[passages.rows[i]], last = passages.offsets[passages.rows[i] + 1];
        int32_t total = 0;
        for (int64_t column = 0; column < width && total >= 0; column += 2 * Isa::ROW) {
            const int32_t own =
                width - column > Isa::ROW
                    ? passage_interaction<Isa, 2>(table + column, n_centroids, width, codes + first, last - first)
                    : passage_interaction<Isa, 1>(table + column, n_centroids, width, codes + first, last - first);
            total = own < 0 ? -1 : total + own;
        }
        scores[i] = total;
    }
}

template <class Isa>
void interact_body(const uint8_t* table, int64_t n_centroids, int64_t width, const void* codes, int64_t code_bytes,
                   const Passages& passages, int32_t* scores) {
    if (code_bytes == 2)
        interact_rows<Isa>(table, n_centroids, width, static_cast<const uint16_t*>(codes), passages, scores);
    else
        interact_rows<Isa>(table, n_centroids, width, static_cast<const uint32_t*>(codes), passages, scores);
}

template <class Isa>
void quantise_table_body(const int32_t* products, int64_t n, int32_t low, int32_t high, uint8_t* table) {
    const float scale = 255.0f / float(std::max(high - low, 1));
    for (int64_t i = 0; i < n; i++) {
        const int32_t clamped = std::min(std::max(products[i], low), high);
        table[i] = uint8_t(int32_t(float(clamped - low) * scale + 0.5f));
    }
}

struct Ranked {
    int32_t product;
    uint32_t id;
    bool operator<(const Ranked& other) const {  // better first: larger products, then smaller ids
        return product != other.product ? product > other.product : id < other.id;
    }
};

// The best of one query token so far, and some that may turn out not to be among them: sorting out is put off.
struct Best {
    std::vector<Ranked> found;
    int64_t n_wanted;

    // Takes an entry, and gives the least product that others have to exceed.
    int32_t take(Ranked entry, int32_t least) {
        found.push_back(entry);
        if (int64_t(found.size()) < 3 * n_wanted) return least;
        std::nth_element(found.begin(), found.begin() + n_wanted - 1, found.end());
        found.resize(n_wanted);
        return found.back().product;
    }
};

inline bool any_larger(const int32_t* values, const int32_t* bounds, int64_t n_padded) {
    int32_t any = 0;
    for (int64_t first = 0; first < n_padded; first += LANES)
        for (int64_t i = first; i < first + LANES; i++) any |= values[i] > bounds[i];
    return any;
}

// One pass over the products for all query tokens; few centroids are among the best of any.
template <class Isa>
void top_centroids_body(const int32_t* products, int64_t n_centroids, int64_t n_padded, int64_t n_tokens, int64_t n_probe,
                        uint32_t* ids) {
    std::vector<Best> best(n_tokens, Best{{}, n_probe});
    std::vector<int32_t> least(n_padded, std::numeric_limits<int32_t>::max());  // columns without a token take nothing
    std::fill(least.begin(), least.begin() + n_tokens, std::numeric_limits<int32_t>::min());
    for (int64_t c = 0; c < n_centroids; c++) {
        const int32_t* row = products + c * n_padded;
        if (!any_larger(row, least.data(), n_padded)) continue;
        for (int64_t t = 0; t < n_tokens; t++)
            if (row[t] > least[t]) least[t] = best[t].take({row[t], uint32_t(c)}, least[t]);
    }
    for (int64_t t = 0; t < n_tokens; t++) {
        auto& found = best[t].found;
        std::partial_sort(found.begin(), found.begin() + n_probe, found.end());
        for (int64_t i = 0; i < n_probe; i++) ids[t * n_probe + i] = found[i].id;
    }
}

// Products of T centroids with H groups of query tokens, handed to `use(centroid, group, products)`.
template <class Isa, int H, class Use>
void each_centroid(const CoarseQuery& query, const uint8_t* centroids, int64_t n_centroids, int64_t dim, int64_t group,
                   Use&& use) {
    constexpr int TILE = Isa::tile(H);
    const int8_t* values = query.values + group * Isa::GROUP * 4;
    const int32_t* bias = query.bias + group * Isa::GROUP;
    int64_t c = 0;
    for (; c + TILE <= n_centroids; c += TILE) {
        const uint8_t* at[TILE];
        for (int t = 0; t < TILE; t++) at[t] = centroids + (c + t) * dim;
        typename Isa::Ints sums[TILE][H];
        products<Isa, H, TILE>(at, values, bias, dim, query.n_padded, sums);
        for (int t = 0; t < TILE; t++)
            for (int h = 0; h < H; h++) use(c + t, h, sums[t][h]);
    }
    for (; c < n_centroids; c++) {
        const uint8_t* at[1] = {centroids + c * dim};
        typename Isa::Ints sums[1][H];
        products<Isa, H, 1>(at, values, bias, dim, query.n_padded, sums);
        for (int h = 0; h < H; h++) use(c, h, sums[0][h]);
    }
}

template <class Isa>
void centroid_products_body(const CoarseQuery& query, const uint8_t* centroids, int64_t n_centroids, int64_t dim,
                            int32_t* out) {
    const int64_t n_padded = query.n_padded, groups = n_padded / Isa::GROUP;
    for (int64_t group = 0; group < groups; group += Isa::GROUPS) {
        const auto store = [&](int64_t c, int h, typename Isa::Ints sums) {
            Isa::store(out + c * n_padded + (group + h) * Isa::GROUP, sums);
        };
        with_groups<Isa::GROUPS>(groups - group, [&](auto n) {
            each_centroid<Isa, decltype(n)::value>(query, centroids, n_centroids, dim, group, store);
        });
    }
}

template <class Isa>
void nearest_centroids_body(const int8_t* values, int64_t n, const uint8_t* centroids, int64_t n_centroids, int64_t dim,
                            uint32_t* nearest, int32_t* products) {
    constexpr int H = Isa::GROUPS;
    constexpr int64_t BLOCK = H * Isa::GROUP;
    std::vector<int8_t> packed(dim * BLOCK);
    int32_t bias[BLOCK], found[BLOCK];
    const CoarseQuery query{packed.data(), bias, nullptr, 1.0f, BLOCK, BLOCK};
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t own = n - first < BLOCK ? n - first : BLOCK;
        std::memset(packed.data(), 0, packed.size());
        for (int64_t i = 0; i < BLOCK; i++) bias[i] = 0;
        for (int64_t i = 0; i < own; i++)
            for (int64_t d = 0; d < dim; d++) {
                const int8_t value = values[(first + i) * dim + d];
                packed[(d / 4) * BLOCK * 4 + i * 4 + d % 4] = value;
                bias[i] -= LEVEL_OFFSET * value;
            }
        typename Isa::Ints best[H], where[H];
        for (int h = 0; h < H; h++) best[h] = Isa::smallest(), where[h] = Isa::zero();
        each_centroid<Isa, H>(query, centroids, n_centroids, dim, 0, [&](int64_t c, int h, typename Isa::Ints sums) {
            Isa::keep_larger(best[h], where[h], sums, int32_t(c));
        });
        for (int h = 0; h < H; h++) Isa::store(found + h * Isa::GROUP, where[h]);
        std::memcpy(nearest + first, found, own * sizeof(int32_t));
        for (int h = 0; h < H; h++) Isa::store(found + h * Isa::GROUP, best[h]);
        std::memcpy(products + first, found, own * sizeof(int32_t));
    }
}

template <class Isa>
constexpr Variant variant_of(const char* name) {
    return {name,
            maxsim_coarse_body<Isa>,
            maxsim_fine_body<Isa>,
            token_products_body<Isa>,
            interact_body<Isa>,
            quantise_table_body<Isa>,
            top_centroids_body<Isa>,
            centroid_products_body<Isa>,
            nearest_centroids_body<Isa>};
}

}  // namespace
