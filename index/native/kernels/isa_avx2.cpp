// AVX2 without VNNI: products of bytes are summed in 16 bits first, which 7-bit operands never overflow.
#include <immintrin.h>

#include <algorithm>

#include "bodies.h"

namespace {

struct Avx2 {
    // There are sixteen registers, and what is multiplied takes some of them.
    static constexpr int64_t GROUP = 8;
    static constexpr int GROUPS = 4;
    static constexpr int tile(int groups) { return groups == 1 ? 8 : groups == 3 ? 3 : 4; }

    using Ints = __m256i;
    using Floats = __m256;
    using Row = __m128i;
    static constexpr int64_t ROW = 16;

    static Ints load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
    static void store(int32_t* at, Ints x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), x); }
    static Ints zero() { return _mm256_setzero_si256(); }
    static Ints smallest() { return _mm256_set1_epi32(std::numeric_limits<int32_t>::min()); }
    static __m256i bytes(const int8_t* at) { return load(at); }
    static __m256i words(const int16_t* at) { return load(at); }

    static __m256i broadcast(const void* at) {
        int32_t four;
        std::memcpy(&four, at, 4);
        return _mm256_set1_epi32(four);
    }
    static Ints dot8(Ints sum, const uint8_t* token, __m256i first, __m256i second) {
        const __m256i low = _mm256_maddubs_epi16(broadcast(token), first);
        // 127 * 63 * 2 * 2 = 32,004 fits 16 bits.
        const __m256i sixteen = _mm256_add_epi16(low, _mm256_maddubs_epi16(broadcast(token + 4), second));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(sixteen, _mm256_set1_epi16(1)));
    }
    static Ints dot2(Ints sum, const int16_t* token, __m256i pair) {
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(broadcast(token), pair));
        asm("" : "+x"(sum));  // GCC 12 would multiply first and add later, for which registers do not suffice
        return sum;
    }
    static void keep_larger(Ints& best, Ints& where, Ints x, int32_t place) {
        const __m256i larger = _mm256_cmpgt_epi32(x, best);
        best = _mm256_blendv_epi8(best, x, larger);
        where = _mm256_blendv_epi8(where, _mm256_set1_epi32(place), larger);
    }
    static Floats lowest() { return _mm256_set1_ps(-std::numeric_limits<float>::infinity()); }
    static Floats affine(Ints x, float scale, float mean) {
        return _mm256_fmadd_ps(_mm256_cvtepi32_ps(x), _mm256_set1_ps(scale), _mm256_set1_ps(mean));
    }
    static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
    static float sum_of(Floats x, int64_t n) {
        float lane[GROUP], total = 0;
        _mm256_storeu_ps(lane, x);
        for (int64_t i = 0; i < std::min(n, GROUP); i++) total += lane[i];
        return total;
    }
    static void look_up(const uint8_t* codes, const uint8_t* levels, int64_t half, uint8_t* out) {
        const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels));
        const __m256i both = _mm256_broadcastsi128_si256(table), nibble = _mm256_set1_epi8(15);
        int64_t i = 0;
        for (; i + 32 <= half; i += 32) {
            const __m256i packed = load(codes + i), high = _mm256_and_si256(_mm256_srli_epi16(packed, 4), nibble);
            const __m256i low = _mm256_shuffle_epi8(both, _mm256_and_si256(packed, nibble));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), low);
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

    struct Words {  // a table of 16 words as two tables of bytes, the low ones in even places and the high ones in odd
        __m256i low, high;
    };
    static Words words_of(const int16_t* table) {
        const __m128i* at = reinterpret_cast<const __m128i*>(table);
        const __m128i a = _mm_loadu_si128(at), b = _mm_loadu_si128(at + 1), byte = _mm_set1_epi16(255);
        const __m128i low = _mm_packus_epi16(_mm_and_si128(a, byte), _mm_and_si128(b, byte));
        const __m128i high = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
        return {_mm256_broadcastsi128_si256(low), _mm256_broadcastsi128_si256(high)};
    }
    // Bytes whose highest bit is set are looked up as 0.
    static __m256i pick(Words table, __m256i even, __m256i odd) {
        return _mm256_or_si256(_mm256_shuffle_epi8(table.low, even), _mm256_shuffle_epi8(table.high, odd));
    }
    static __m256i fine(__m256i coarse, __m256i refinement, Words bases, Words steps) {
        const __m256i even = _mm256_or_si256(coarse, _mm256_set1_epi16(int16_t(0x8000)));
        const __m256i odd = _mm256_or_si256(_mm256_slli_epi16(coarse, 8), _mm256_set1_epi16(0x80));
        return _mm256_add_epi16(pick(bases, even, odd), _mm256_mullo_epi16(refinement, pick(steps, even, odd)));
    }
    static void look_up_fine(const uint8_t* codes, const uint8_t* refinement, const int16_t* bases, const int16_t* steps,
                             int64_t half, int16_t* out) {
        const Words base = words_of(bases), step = words_of(steps);
        const __m256i nibble = _mm256_set1_epi16(15);
        const auto low = [&](__m256i coarse, __m256i finer) {
            return fine(_mm256_and_si256(coarse, nibble), _mm256_and_si256(finer, nibble), base, step);
        };
        const auto high = [&](__m256i coarse, __m256i finer) {
            return fine(_mm256_srli_epi16(coarse, 4), _mm256_srli_epi16(finer, 4), base, step);
        };
        int64_t i = 0;
        for (; i + 16 <= half; i += 16) {
            const __m256i coarse = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i)));
            const __m256i finer = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(refinement + i)));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), low(coarse, finer));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + half + i), high(coarse, finer));
        }
        for (; i < half; i += 8) {  // half is divisible by 8
            const __m256i coarse = _mm256_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i)));
            const __m256i finer = _mm256_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(refinement + i)));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm256_castsi256_si128(low(coarse, finer)));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + half + i), _mm256_castsi256_si128(high(coarse, finer)));
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
