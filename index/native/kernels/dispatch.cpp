// The C interface: every call names the variant it wants, so nothing is global.
#include <cstring>

#include "variant.h"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace {

#if defined(__x86_64__)
bool runs(const Variant& variant) {
    __builtin_cpu_init();
    if (&variant == &avx512_variant)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vnni");
    if (&variant == &avx2_variant) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return true;
}
const Variant* const known[] = {&avx512_variant, &avx2_variant, &scalar_variant};
#elif defined(__aarch64__)
bool has_dot_products() {
#if defined(__linux__)
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;  // not there before Armv8.2
#else
    return true;
#endif
}
bool runs(const Variant& variant) { return &variant != &neon_variant || has_dot_products(); }
const Variant* const known[] = {&neon_variant, &scalar_variant};
#else
bool runs(const Variant&) { return true; }
const Variant* const known[] = {&scalar_variant};
#endif

const Variant* best() {
    for (const Variant* variant : known)
        if (runs(*variant)) return variant;
    return &scalar_variant;
}

// Files may be damaged, and a kernel reads wherever it is sent.
bool sound(const Passages& passages) {
    for (int64_t i = 0; i < passages.n_rows; i++) {
        const int64_t row = passages.rows[i];
        if (row < 0 || row >= passages.n_passages) return false;
        if (passages.offsets[row] < 0 || passages.offsets[row + 1] > passages.n_tokens) return false;
    }
    return true;
}

}  // namespace

extern "C" {

const Variant* find_variant(const char* name) {
    if (!*name) return best();
    for (const Variant* variant : known)
        if (std::strcmp(variant->name, name) == 0) return runs(*variant) ? variant : nullptr;
    return nullptr;
}

const char* variant_name(const Variant* variant) { return variant->name; }

int64_t maxsim_coarse(const Variant* variant, const CoarseQuery* query, const CoarseTokens* tokens, const Passages* passages, float* scores) {
    if (!sound(*passages)) return DAMAGED;
    variant->maxsim_coarse(*query, *tokens, *passages, scores);
    return 0;
}

int64_t maxsim_fine(const Variant* variant, const FineQuery* query, const CoarseTokens* tokens, const Passages* passages, float* scores) {
    if (!sound(*passages)) return DAMAGED;
    variant->maxsim_fine(*query, *tokens, *passages, scores);
    return 0;
}

void token_products(const Variant* variant, const FloatQuery* query, const CoarseTokens* tokens, int64_t n, float* products) {
    variant->token_products(*query, *tokens, n, products);
}

int64_t interact(const Variant* variant, const uint8_t* table, int64_t n_centroids, int64_t width, const void* codes, int64_t code_bytes,
              const Passages* passages, int32_t* scores) {
    if (!sound(*passages)) return DAMAGED;
    variant->interact(table, n_centroids, width, codes, code_bytes, *passages, scores);
    return 0;
}

void quantise_table(const Variant* variant, const int32_t* products, int64_t n, int32_t low, int32_t high, uint8_t* table) {
    variant->quantise_table(products, n, low, high, table);
}

void top_centroids(const Variant* variant, const int32_t* products, int64_t n_centroids, int64_t n_padded, int64_t n_tokens,
                   int64_t n_probe, uint32_t* ids) {
    variant->top_centroids(products, n_centroids, n_padded, n_tokens, n_probe, ids);
}

void centroid_products(const Variant* variant, const CoarseQuery* query, const uint8_t* centroids, int64_t n_centroids, int64_t dim,
                       int32_t* products) {
    variant->centroid_products(*query, centroids, n_centroids, dim, products);
}

void nearest_centroids(const Variant* variant, const int8_t* values, int64_t n, const uint8_t* centroids, int64_t n_centroids, int64_t dim,
                       uint32_t* nearest, int32_t* products) {
    variant->nearest_centroids(values, n, centroids, n_centroids, dim, nearest, products);
}
}
