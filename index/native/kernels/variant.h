// One instruction set's kernels as a table of functions.
#pragma once

#include "kernels.h"

struct Variant {
    const char* name;
    void (*maxsim_coarse)(const CoarseQuery&, const CoarseTokens&, const Passages&, float*);
    void (*maxsim_fine)(const FineQuery&, const CoarseTokens&, const Passages&, float*);
    void (*token_products)(const FloatQuery&, const CoarseTokens&, int64_t, float*);
    void (*interact)(const uint8_t*, int64_t, int64_t, const void*, int64_t, const Passages&, int32_t*);
    void (*quantise_table)(const int32_t*, int64_t, int32_t, int32_t, uint8_t*);
    void (*top_centroids)(const int32_t*, int64_t, int64_t, int64_t, int64_t, uint32_t*);
    void (*centroid_products)(const CoarseQuery&, const uint8_t*, int64_t, int64_t, int32_t*);
    void (*nearest_centroids)(const int8_t*, int64_t, const uint8_t*, int64_t, int64_t, uint32_t*, int32_t*);
};

extern const Variant scalar_variant;
#if defined(__x86_64__)
extern const Variant avx2_variant, avx512_variant;
#elif defined(__aarch64__)
extern const Variant neon_variant;
#endif
