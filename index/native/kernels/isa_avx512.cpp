// AVX-512 with VNNI: 64 products of bytes an instruction.
#include <immintrin.h>

#include <algorithm>

#include "bodies.h"

namespace {

struct Avx512 : Sixteen {
    using Ints = __m512i;
    using Floats = __m512;
    using Row = __m128i;
    static constexpr int64_t ROW = 16;

    static Ints load(const int32_t* at) { return _mm512_loadu_si512(at); }
    static void store(int32_t* at, Ints x) { _mm512_storeu_si512(at, x); }
    static Ints zero() { return _mm512_setzero_si512(); }
    static Ints smallest() { return _mm512_set1_epi32(std::numeric_limits<int32_t>::min()); }
    static __m512i bytes(const int8_t* at) { return _mm512_loadu_si512(at); }
    static __m512i words(const int16_t* at) { return _mm512_loadu_si512(at); }

    static __m512i broadcast(const void* at) {
        int32_t four;
        std::memcpy(&four, at, 4);
        return _mm512_set1_epi32(four);
    }
    static Ints dot8(Ints sum, const uint8_t* token, __m512i first, __m512i second) {
        sum = _mm512_dpbusd_epi32(sum, broadcast(token), first);
        return _mm512_dpbusd_epi32(sum, broadcast(token + 4), second);
    }
    static Ints dot2(Ints sum, const int16_t* token, __m512i pair) {
        return _mm512_dpwssd_epi32(sum, broadcast(token), pair);
    }
    static void keep_larger(Ints& best, Ints& where, Ints x, int32_t place) {
        const __mmask16 larger = _mm512_cmpgt_epi32_mask(x, best);
        best = _mm512_mask_mov_epi32(best, larger, x);
        where = _mm512_mask_mov_epi32(where, larger, _mm512_set1_epi32(place));
    }
    static Floats lowest() { return _mm512_set1_ps(-std::numeric_limits<float>::infinity()); }
    static Floats affine(Ints x, float scale, float mean) {
        return _mm512_fmadd_ps(_mm512_cvtepi32_ps(x), _mm512_set1_ps(scale), _mm512_set1_ps(mean));
    }
    static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
    static float sum_of(Floats x, int64_t n) {
        const __mmask16 real = n >= 16 ? 0xffff : __mmask16((1u << std::max<int64_t>(n, 0)) - 1);
        return _mm512_mask_reduce_add_ps(real, x);
    }
    static void look_up(const uint8_t* codes, const uint8_t* levels, int64_t half, uint8_t* out) {
        const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels));
        const __m512i wide = _mm512_broadcast_i32x4(table), nibble = _mm512_set1_epi8(15);
        int64_t i = 0;
        for (; i + 64 <= half; i += 64) {
            const __m512i packed = _mm512_loadu_si512(codes + i);
            _mm512_storeu_si512(out + i, _mm512_shuffle_epi8(wide, _mm512_and_si512(packed, nibble)));
            const __m512i high = _mm512_and_si512(_mm512_srli_epi16(packed, 4), nibble);
            _mm512_storeu_si512(out + half + i, _mm512_shuffle_epi8(wide, high));
        }
        for (; i + 32 <= half; i += 32) {
            const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i));
            const __m256i low = _mm256_and_si256(packed, _mm256_set1_epi8(15));
            const __m256i high = _mm256_and_si256(_mm256_srli_epi16(packed, 4), _mm256_set1_epi8(15));
            const __m256i both = _mm256_broadcastsi128_si256(table);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_shuffle_epi8(both, low));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + half + i), _mm256_shuffle_epi8(both, high));
        }
        for (; i < half; i += 8) {  // half is divisible by 8
            const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i));
            const __m128i low = _mm_and_si128(packed, _mm_set1_epi8(15));
            const __m128i high = _mm_and_si128(_mm_srli_epi16(packed, 4), _mm_set1_epi8(15));
            _mm_storel_epi64(reinterpret_cast<__m128i*>(out + i), _mm_shuffle_epi8(table, low));
            _mm_storel_epi64(reinterpret_cast<__m128i*>(out + half + i), _mm_shuffle_epi8(table, high));
        }
    }

    static __m512i widen(__m256i bytes) { return _mm512_cvtepu8_epi16(bytes); }
    static __m512i fine(__m512i coarse, __m512i refinement, __m512i bases, __m512i steps) {
        const __m512i added = _mm512_mullo_epi16(refinement, _mm512_permutexvar_epi16(coarse, steps));
        return _mm512_add_epi16(_mm512_permutexvar_epi16(coarse, bases), added);
    }
    static void look_up_fine(const uint8_t* codes, const uint8_t* refinement, const int16_t* bases, const int16_t* steps,
                             int64_t half, int16_t* out) {
        const __m512i base = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bases)));
        const __m512i step = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(steps)));
        const __m512i nibble = _mm512_set1_epi16(15);
        for (int64_t i = 0; i < half; i += 32) {
            const __mmask32 there = half - i >= 32 ? ~0u : (1u << (half - i)) - 1;
            const __m512i coarse = widen(_mm256_maskz_loadu_epi8(there, codes + i));
            const __m512i finer = widen(_mm256_maskz_loadu_epi8(there, refinement + i));
            const __m512i low = fine(_mm512_and_si512(coarse, nibble), _mm512_and_si512(finer, nibble), base, step);
            const __m512i high = fine(_mm512_srli_epi16(coarse, 4), _mm512_srli_epi16(finer, 4), base, step);
            _mm512_mask_storeu_epi16(out + i, there, low);
            _mm512_mask_storeu_epi16(out + half + i, there, high);
        }
    }

    static Row row_zero() { return _mm_setzero_si128(); }
    static Row row_max(Row best, const uint8_t* at) {
        return _mm_max_epu8(best, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    }
    static int32_t row_sum(Row x) {
        const __m128i sums = _mm_sad_epu8(x, _mm_setzero_si128());
        return _mm_cvtsi128_si32(sums) + _mm_extract_epi32(sums, 2);
    }
};

}  // namespace

extern const Variant avx512_variant = variant_of<Avx512>("avx512");
