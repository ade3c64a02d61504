// From probed centroids to candidate passages: look-ups that every processor does one by one.
#include <algorithm>
#include <vector>

#include "kernels.h"

extern "C" {

int64_t collect_candidates(const CentroidProbe* probe, const PostingLists* lists, const uint8_t* live, int64_t limit,
                           int64_t* rows) {
    std::vector<int32_t> sums(lists->n_rows, 0);
    std::vector<uint16_t> seen_by(lists->n_rows, 0);  // the last query token that found the passage, from 1
    std::vector<uint32_t> touched;
    for (int64_t t = 0; t < probe->n_tokens; t++) {
        const uint32_t* ids = probe->ids + t * probe->n_probe;
        const auto product = [&](int64_t i) { return probe->products[int64_t(ids[i]) * probe->n_padded + t]; };
        // A passage that no probed list names is credited with the least product probed; only what is above it counts.
        const int32_t floor = product(probe->n_probe - 1);
        for (int64_t i = 0; i < probe->n_probe; i++) {  // best centroid first: the first list to name a passage is its best
            const int32_t gain = product(i) - floor;
            const int64_t first = lists->offsets[ids[i]], last = lists->offsets[ids[i] + 1];
            if (first < 0 || last > lists->n_entries) return -1;
            for (int64_t at = first; at < last; at++) {
                const uint32_t row = lists->rows[at];
                if (row >= uint64_t(lists->n_rows)) return -1;
                if (seen_by[row] == t + 1 || !live[row]) continue;
                if (seen_by[row] == 0) touched.push_back(row);
                seen_by[row] = uint16_t(t + 1);
                sums[row] += gain;
            }
        }
    }
    const auto better = [&](uint32_t a, uint32_t b) { return sums[a] != sums[b] ? sums[a] > sums[b] : a < b; };
    if (int64_t(touched.size()) > limit) {
        std::nth_element(touched.begin(), touched.begin() + limit, touched.end(), better);
        touched.resize(limit);
    }
    std::sort(touched.begin(), touched.end());
    std::copy(touched.begin(), touched.end(), rows);
    return int64_t(touched.size());
}
}
