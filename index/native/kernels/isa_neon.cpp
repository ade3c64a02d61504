// NEON with dot products: levels are at most 127, so unsigned bytes are signed ones and one instruction multiplies both.
#include <arm_neon.h>

#include <algorithm>

#include "bodies.h"

namespace {

struct Neon : Sixteen {
    struct Ints {
        int32x4_t part[4];
    };
    struct Floats {
        float32x4_t part[4];
    };
    using Row = uint8x16_t;
    static constexpr int64_t ROW = 16;

    static Ints load(const int32_t* at) { return {vld1q_s32(at), vld1q_s32(at + 4), vld1q_s32(at + 8), vld1q_s32(at + 12)}; }
    static void store(int32_t* at, const Ints& x) {
        for (int i = 0; i < 4; i++) vst1q_s32(at + 4 * i, x.part[i]);
    }
    static Ints all(int32x4_t x) { return {x, x, x, x}; }
    static Ints zero() { return all(vdupq_n_s32(0)); }
    static Ints smallest() { return all(vdupq_n_s32(std::numeric_limits<int32_t>::min())); }
    static int8x16x4_t bytes(const int8_t* at) { return vld1q_s8_x4(at); }
    static int16x8x4_t words(const int16_t* at) { return vld1q_s16_x4(at); }

    static int32x4_t broadcast(const void* at) {
        int32_t four;
        std::memcpy(&four, at, 4);
        return vdupq_n_s32(four);
    }
    static Ints dot8(Ints sum, const uint8_t* token, const int8x16x4_t& first, const int8x16x4_t& second) {
        const int8x16_t low = vreinterpretq_s8_s32(broadcast(token)), high = vreinterpretq_s8_s32(broadcast(token + 4));
        for (int i = 0; i < 4; i++) sum.part[i] = vdotq_s32(vdotq_s32(sum.part[i], low, first.val[i]), high, second.val[i]);
        return sum;
    }
    static Ints dot2(Ints sum, const int16_t* token, const int16x8x4_t& pair) {
        const int16x8_t two = vreinterpretq_s16_s32(broadcast(token));
        for (int i = 0; i < 4; i++) {
            const int32x4_t low = vmull_s16(vget_low_s16(two), vget_low_s16(pair.val[i]));
            sum.part[i] = vaddq_s32(sum.part[i], vpaddq_s32(low, vmull_high_s16(two, pair.val[i])));
        }
        return sum;
    }
    static void keep_larger(Ints& best, Ints& where, const Ints& x, int32_t place) {
        for (int i = 0; i < 4; i++) {
            const uint32x4_t larger = vcgtq_s32(x.part[i], best.part[i]);
            best.part[i] = vbslq_s32(larger, x.part[i], best.part[i]);
            where.part[i] = vbslq_s32(larger, vdupq_n_s32(place), where.part[i]);
        }
    }
    static Floats lowest() {
        const float32x4_t x = vdupq_n_f32(-std::numeric_limits<float>::infinity());
        return {x, x, x, x};
    }
    static Floats affine(const Ints& x, float scale, float mean) {
        Floats out;
        for (int i = 0; i < 4; i++) out.part[i] = vfmaq_n_f32(vdupq_n_f32(mean), vcvtq_f32_s32(x.part[i]), scale);
        return out;
    }
    static Floats max(Floats a, const Floats& b) {
        for (int i = 0; i < 4; i++) a.part[i] = vmaxq_f32(a.part[i], b.part[i]);
        return a;
    }
    static float sum_of(const Floats& x, int64_t n) {
        float lane[16], total = 0;
        for (int i = 0; i < 4; i++) vst1q_f32(lane + 4 * i, x.part[i]);
        for (int64_t i = 0; i < std::min<int64_t>(n, 16); i++) total += lane[i];
        return total;
    }
    static void look_up(const uint8_t* codes, const uint8_t* levels, int64_t half, uint8_t* out) {
        const uint8x16_t table = vld1q_u8(levels);
        for (int64_t i = 0; i < half; i += 8) {  // half is divisible by 8
            const uint8x8_t packed = vld1_u8(codes + i);
            vst1_u8(out + i, vqtbl1_u8(table, vand_u8(packed, vdup_n_u8(15))));
            vst1_u8(out + half + i, vqtbl1_u8(table, vshr_n_u8(packed, 4)));
        }
    }

    static uint8x16x2_t words_of(const int16_t* table) {  // 16 words as two tables of bytes, the low ones first
        return vld2q_u8(reinterpret_cast<const uint8_t*>(table));
    }
    static int16x8_t pick(const uint8x16x2_t& table, uint8x8_t eight) {
        const uint8x8x2_t words = vzip_u8(vqtbl1_u8(table.val[0], eight), vqtbl1_u8(table.val[1], eight));
        return vreinterpretq_s16_u8(vcombine_u8(words.val[0], words.val[1]));
    }
    static void look_up_fine(const uint8_t* codes, const uint8_t* refinement, const int16_t* bases, const int16_t* steps,
                             int64_t half, int16_t* out) {
        const uint8x16x2_t base = words_of(bases), step = words_of(steps);
        const auto put = [&](uint8x8_t coarse, uint8x8_t finer, int16_t* to) {
            vst1q_s16(to, vmlaq_s16(pick(base, coarse), vreinterpretq_s16_u16(vmovl_u8(finer)), pick(step, coarse)));
        };
        const uint8x8_t nibble = vdup_n_u8(15);
        for (int64_t i = 0; i < half; i += 8) {  // half is divisible by 8
            const uint8x8_t coarse = vld1_u8(codes + i), finer = vld1_u8(refinement + i);
            put(vand_u8(coarse, nibble), vand_u8(finer, nibble), out + i);
            put(vshr_n_u8(coarse, 4), vshr_n_u8(finer, 4), out + half + i);
        }
    }

    static Row row_zero() { return vdupq_n_u8(0); }
    static Row row_max(Row best, const uint8_t* at) { return vmaxq_u8(best, vld1q_u8(at)); }
    static int32_t row_sum(Row x) { return vaddlvq_u8(x); }
};

}  // namespace

extern const Variant neon_variant = variant_of<Neon>("neon");
