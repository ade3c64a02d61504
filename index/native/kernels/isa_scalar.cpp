// Plain C++: what the others are measured against, and what runs where nothing better is known.
#include <algorithm>

#include "bodies.h"

namespace {

struct Scalar : Sixteen {
    struct Ints {
        int32_t lane[16];
    };
    struct Floats {
        float lane[16];
    };
    static constexpr int64_t ROW = 16;

    static Ints load(const int32_t* at) {
        Ints out;
        std::memcpy(out.lane, at, sizeof out.lane);
        return out;
    }
    static void store(int32_t* at, const Ints& x) { std::memcpy(at, x.lane, sizeof x.lane); }
    static Ints zero() { return {}; }
    static Ints smallest() {
        Ints out;
        std::fill_n(out.lane, 16, std::numeric_limits<int32_t>::min());
        return out;
    }
    static const int8_t* bytes(const int8_t* at) { return at; }
    static const int16_t* words(const int16_t* at) { return at; }

    static Ints dot8(Ints sum, const uint8_t* token, const int8_t* first, const int8_t* second) {
        for (int lane = 0; lane < 16; lane++)
            for (int i = 0; i < 4; i++)
                sum.lane[lane] += token[i] * first[4 * lane + i] + token[4 + i] * second[4 * lane + i];
        return sum;
    }
    static Ints dot2(Ints sum, const int16_t* token, const int16_t* pair) {
        for (int lane = 0; lane < 16; lane++) sum.lane[lane] += token[0] * pair[2 * lane] + token[1] * pair[2 * lane + 1];
        return sum;
    }
    static void keep_larger(Ints& best, Ints& where, const Ints& x, int32_t place) {
        for (int lane = 0; lane < 16; lane++)
            if (x.lane[lane] > best.lane[lane]) best.lane[lane] = x.lane[lane], where.lane[lane] = place;
    }
    static Floats lowest() {
        Floats out;
        std::fill_n(out.lane, 16, -std::numeric_limits<float>::infinity());
        return out;
    }
    static Floats affine(const Ints& x, float scale, float mean) {
        Floats out;
        for (int lane = 0; lane < 16; lane++) out.lane[lane] = std::fma(float(x.lane[lane]), scale, mean);
        return out;
    }
    static Floats max(Floats a, const Floats& b) {
        for (int lane = 0; lane < 16; lane++) a.lane[lane] = std::max(a.lane[lane], b.lane[lane]);
        return a;
    }
    static float sum_of(const Floats& x, int64_t n) {
        float total = 0;
        for (int64_t lane = 0; lane < std::min<int64_t>(n, 16); lane++) total += x.lane[lane];
        return total;
    }
    static void look_up(const uint8_t* codes, const uint8_t* levels, int64_t half, uint8_t* out) {
        for (int64_t i = 0; i < half; i++) out[i] = levels[codes[i] & 15], out[half + i] = levels[codes[i] >> 4];
    }

    static int16_t fine(int coarse, int refinement, const int16_t* bases, const int16_t* steps) {
        return int16_t(bases[coarse] + refinement * steps[coarse]);
    }
    static void look_up_fine(const uint8_t* codes, const uint8_t* refinement, const int16_t* bases, const int16_t* steps,
                             int64_t half, int16_t* out) {
        for (int64_t i = 0; i < half; i++) {
            out[i] = fine(codes[i] & 15, refinement[i] & 15, bases, steps);
            out[half + i] = fine(codes[i] >> 4, refinement[i] >> 4, bases, steps);
        }
    }

    struct Row {
        uint8_t lane[16];
    };
    static Row row_zero() { return {}; }
    static Row row_max(Row best, const uint8_t* at) {
        for (int lane = 0; lane < 16; lane++) best.lane[lane] = std::max(best.lane[lane], at[lane]);
        return best;
    }
    static int32_t row_sum(const Row& x) {
        int32_t total = 0;
        for (uint8_t value : x.lane) total += value;
        return total;
    }
};

}  // namespace

extern const Variant scalar_variant = variant_of<Scalar>("scalar");
