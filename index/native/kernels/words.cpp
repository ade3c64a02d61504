// From the words of a query to what each passage is worth by BM25: one pass over the postings of each word.
#include <vector>

#include "kernels.h"

static float worth(float weight, float often, float base, float slope, uint32_t length) {
    return weight * (often / (often + (base + slope * float(length))));
}

extern "C" int64_t score_words(const WordPostings* words, const WordQuery* query, float* scores) {
    std::vector<float> by_group(words->n_groups, 0.0f);
    for (int64_t row = 0; row < words->n_rows; row++) scores[row] = 0;
    for (int64_t w = 0; w < query->n_words; w++) {
        const int64_t word = query->words[w];
        const float weight = query->weights[w];
        if (word < 0 || word >= words->n_words) return DAMAGED;
        const int64_t first = words->offsets[word], last = words->offsets[word + 1];
        if (first < 0 || last > words->n_entries) return DAMAGED;
        for (int64_t at = first; at < last;) {  // a document at a time
            if (words->rows[at] >= uint64_t(words->n_rows)) return DAMAGED;
            const uint32_t group = words->groups[words->rows[at]];
            if (group >= uint64_t(words->n_groups)) return DAMAGED;
            float in_group = 0;
            for (; at < last; at++) {
                const uint32_t row = words->rows[at];
                if (row >= uint64_t(words->n_rows)) return DAMAGED;
                if (words->groups[row] != group) break;
                const float often = float(words->frequencies[at]);
                in_group += often;
                scores[row] += worth(weight, often, query->base, query->slope, words->lengths[row]);
            }
            by_group[group] += worth(weight, in_group, query->base, query->group_slope, words->group_lengths[group]);
        }
    }
    for (int64_t row = 0; row < words->n_rows; row++) {
        if (scores[row] > 0) scores[row] = (scores[row] + by_group[words->groups[row]]) * 0.5f;
    }
    return 0;
}
