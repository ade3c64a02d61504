// From the words of a query to what each passage is worth by BM25: one pass over the postings of each word.
#include "kernels.h"

extern "C" int64_t score_words(const WordPostings* words, const WordQuery* query, float* scores) {
    for (int64_t w = 0; w < query->n_words; w++) {
        const int64_t word = query->words[w];
        if (word < 0 || word >= words->n_words) return DAMAGED;
        const int64_t first = words->offsets[word], last = words->offsets[word + 1];
        if (first < 0 || last > words->n_entries) return DAMAGED;
        for (int64_t at = first; at < last; at++) {
            const uint32_t row = words->rows[at];
            if (row >= uint64_t(words->n_rows)) return DAMAGED;
            const float often = float(words->frequencies[at]);
            const float expected = query->base + query->slope * float(words->lengths[row]);
            scores[row] += query->weights[w] * (often / (often + expected));
        }
    }
    return 0;
}
