// Runs the kernels of one variant on a case read from standard input, and writes their results to standard output.
// For processors that Python does not run on here: test_neon_kernels.py writes the case and knows the results.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels.h"

namespace {

constexpr int64_t LANES = 16, LEVEL_OFFSET = 64;

template <class T>
std::vector<T> read(int64_t n) {
    std::vector<T> values(n);
    if (std::fread(values.data(), sizeof(T), n, stdin) != size_t(n)) std::exit(3);
    return values;
}

template <class T>
void write(const std::vector<T>& values) {
    std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

// (n, dim) as (dim / group, n_padded, group).
template <class T>
std::vector<T> packed(const std::vector<T>& values, int64_t n, int64_t dim, int64_t group) {
    const int64_t n_padded = (n + LANES - 1) / LANES * LANES;
    std::vector<T> out(n_padded * dim, 0);
    for (int64_t i = 0; i < n; i++)
        for (int64_t d = 0; d < dim; d++) out[(d / group * n_padded + i) * group + d % group] = values[i * dim + d];
    return out;
}

}  // namespace

int main(int, char** arguments) {
    const Variant* variant = find_variant(arguments[1]);
    if (!variant) return 2;
    std::fprintf(stderr, "%s", variant_name(variant));
    const auto sizes = read<int64_t>(6);
    const int64_t dim = sizes[0], n_query = sizes[1], n_tokens = sizes[2], n_passages = sizes[3], n_rows = sizes[4];
    const int64_t n_centroids = sizes[5], n_padded = (n_query + LANES - 1) / LANES * LANES;
    const auto units = read<float>(2);
    const auto offsets = read<int64_t>(n_passages + 1), rows = read<int64_t>(n_rows);
    const auto codes = read<uint8_t>(n_tokens * dim / 2), refinement = read<uint8_t>(n_tokens * dim / 2);
    const auto scales = read<uint16_t>(n_tokens), means = read<uint16_t>(n_tokens);
    const auto coarse = read<int8_t>(n_query * dim);
    const auto levels = read<uint8_t>(16);
    const auto fine = read<int16_t>(n_query * dim), bases = read<int16_t>(16), steps = read<int16_t>(16);
    const auto centroids = read<uint8_t>(n_centroids * dim), table = read<uint8_t>(n_centroids * n_padded);
    const auto centroid_of = read<uint32_t>(n_tokens);

    std::vector<int32_t> bias(n_padded, 0);
    for (int64_t i = 0; i < n_query * dim; i++) bias[i / dim] -= LEVEL_OFFSET * coarse[i];
    const auto coarse_packed = packed(coarse, n_query, dim, 4);
    const auto fine_packed = packed(fine, n_query, dim, 2);
    const CoarseQuery coarse_query{coarse_packed.data(), bias.data(), levels.data(), units[0], n_query, n_padded};
    const FineQuery fine_query{fine_packed.data(), bases.data(), steps.data(), units[1], n_query, n_padded};
    const CoarseTokens tokens{codes.data(), refinement.data(), scales.data(), means.data(), dim, 4};
    const Passages passages{offsets.data(), rows.data(), n_rows, n_passages, n_tokens};

    std::vector<float> scores(n_rows);
    maxsim_coarse(variant, &coarse_query, &tokens, &passages, scores.data());
    write(scores);
    maxsim_fine(variant, &fine_query, &tokens, &passages, scores.data());
    write(scores);
    std::vector<int32_t> interactions(n_rows), products(n_centroids * n_padded);
    interact(variant, table.data(), n_centroids, n_padded, centroid_of.data(), 4, &passages, interactions.data());
    write(interactions);
    centroid_products(variant, &coarse_query, centroids.data(), n_centroids, dim, products.data());
    write(products);
    std::vector<uint32_t> nearest(n_query);
    std::vector<int32_t> nearest_products(n_query);
    nearest_centroids(variant, coarse.data(), n_query, centroids.data(), n_centroids, dim, nearest.data(),
                      nearest_products.data());
    write(nearest);
    write(nearest_products);
}
