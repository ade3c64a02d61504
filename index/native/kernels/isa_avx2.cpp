// AVX2 without VNNI: products of bytes are summed in 16 bits first, which 7-bit operands never overflow.
#include <immintrin.h>

#include <algorithm>

#include "bodies.h"

namespace {

struct Pair {
    __m256i a, b;
};

struct Avx2 {
    using Ints = Pair;
    struct Floats {
        __m256 a, b;
    };
    using Row = __m128i;
    static constexpr int64_t ROW = 16;

    static __m256i read(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
    static Ints load(const int32_t* at) { return {read(at), read(at + 8)}; }
    static void store(int32_t* at, Ints x) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), x.a);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at + 8), x.b);
    }
    static Ints zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    static Ints smallest() {
        const __m256i x = _mm256_set1_epi32(std::numeric_limits<int32_t>::min());
        return {x, x};
    }
    static Pair bytes(const int8_t* at) { return {read(at), read(at + 32)}; }
    static Pair words(const int16_t* at) { return {read(at), read(at + 16)}; }

    static __m256i broadcast(const void* at) {
        int32_t four;
        std::memcpy(&four, at, 4);
        return _mm256_set1_epi32(four);
    }
    static __m256i dot(__m256i sum, __m256i low, __m256i high, __m256i first, __m256i second) {
        // 127 * 63 * 2 * 2 = 32,004 fits 16 bits.
        const __m256i sixteen = _mm256_add_epi16(_mm256_maddubs_epi16(low, first), _mm256_maddubs_epi16(high, second));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(sixteen, _mm256_set1_epi16(1)));
    }
    static Ints dot8(Ints sum, const uint8_t* token, Pair first, Pair second) {
        const __m256i low = broadcast(token), high = broadcast(token + 4);
        return {dot(sum.a, low, high, first.a, second.a), dot(sum.b, low, high, first.b, second.b)};
    }
    static Ints dot2(Ints sum, const int16_t* token, Pair pair) {
        const __m256i two = broadcast(token);
        return {_mm256_add_epi32(sum.a, _mm256_madd_epi16(two, pair.a)), _mm256_add_epi32(sum.b, _mm256_madd_epi16(two, pair.b))};
    }
    static void keep(__m256i& best, __m256i& where, __m256i x, __m256i place) {
        const __m256i larger = _mm256_cmpgt_epi32(x, best);
        best = _mm256_blendv_epi8(best, x, larger);
        where = _mm256_blendv_epi8(where, place, larger);
    }
    static void keep_larger(Ints& best, Ints& where, Ints x, int32_t place) {
        const __m256i at = _mm256_set1_epi32(place);
        keep(best.a, where.a, x.a, at);
        keep(best.b, where.b, x.b, at);
    }
    static Floats lowest() {
        const __m256 x = _mm256_set1_ps(-std::numeric_limits<float>::infinity());
        return {x, x};
    }
    static Floats affine(Ints x, float scale, float mean) {
        const __m256 by = _mm256_set1_ps(scale), plus = _mm256_set1_ps(mean);
        return {_mm256_fmadd_ps(_mm256_cvtepi32_ps(x.a), by, plus), _mm256_fmadd_ps(_mm256_cvtepi32_ps(x.b), by, plus)};
    }
    static Floats max(Floats a, Floats b) { return {_mm256_max_ps(a.a, b.a), _mm256_max_ps(a.b, b.b)}; }
    static float sum_of(Floats x, int64_t n) {
        float lane[16], total = 0;
        _mm256_storeu_ps(lane, x.a);
        _mm256_storeu_ps(lane + 8, x.b);
        for (int64_t i = 0; i < std::min<int64_t>(n, 16); i++) total += lane[i];
        return total;
    }
    static void look_up(const uint8_t* codes, const uint8_t* levels, int64_t half, uint8_t* out) {
        const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels)), nibble = _mm_set1_epi8(15);
        for (int64_t i = 0; i < half; i += 8) {  // half is divisible by 8
            const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i));
            const __m128i high = _mm_and_si128(_mm_srli_epi16(packed, 4), nibble);
            _mm_storel_epi64(reinterpret_cast<__m128i*>(out + i), _mm_shuffle_epi8(table, _mm_and_si128(packed, nibble)));
            _mm_storel_epi64(reinterpret_cast<__m128i*>(out + half + i), _mm_shuffle_epi8(table, high));
        }
    }

    struct Words {  // a table of 16 words as two tables of bytes
        __m128i low, high;
    };
    static Words words_of(const int16_t* table) {
        const __m128i* at = reinterpret_cast<const __m128i*>(table);
        const __m128i a = _mm_loadu_si128(at), b = _mm_loadu_si128(at + 1), byte = _mm_set1_epi16(255);
        return {_mm_packus_epi16(_mm_and_si128(a, byte), _mm_and_si128(b, byte)),
                _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8))};
    }
    static __m128i pick(Words table, __m128i eight) {
        return _mm_unpacklo_epi8(_mm_shuffle_epi8(table.low, eight), _mm_shuffle_epi8(table.high, eight));
    }
    static void look_up_fine(const uint8_t* codes, const uint8_t* refinement, const int16_t* bases, const int16_t* steps,
                             int64_t half, int16_t* out) {
        const Words base = words_of(bases), step = words_of(steps);
        const __m128i nibble = _mm_set1_epi8(15), zero = _mm_setzero_si128();
        const auto put = [&](__m128i coarse, __m128i finer, int16_t* to) {
            const __m128i added = _mm_mullo_epi16(_mm_unpacklo_epi8(finer, zero), pick(step, coarse));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_add_epi16(pick(base, coarse), added));
        };
        for (int64_t i = 0; i < half; i += 8) {  // half is divisible by 8
            const __m128i coarse = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i));
            const __m128i finer = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(refinement + i));
            put(_mm_and_si128(coarse, nibble), _mm_and_si128(finer, nibble), out + i);
            put(_mm_and_si128(_mm_srli_epi16(coarse, 4), nibble), _mm_and_si128(_mm_srli_epi16(finer, 4), nibble),
                out + half + i);
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

extern const Variant avx2_variant = variant_of<Avx2>("avx2");
