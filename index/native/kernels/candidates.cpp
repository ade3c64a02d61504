// From centroid products to candidate passages: small integer loops that every processor runs the same way.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels.h"

extern "C" {

void quantise_table(const int32_t* products, int64_t n, int32_t low, int32_t high, uint8_t* table) {
    const float scale = 255.0f / float(std::max(high - low, 1));
    for (int64_t i = 0; i < n; i++) {
        const int32_t clamped = std::min(std::max(products[i], low), high);
        table[i] = uint8_t(float(clamped - low) * scale + 0.5f);
    }
}

void top_centroids(const int32_t* products, int64_t n_centroids, int64_t n_padded, int64_t n_tokens, int64_t n_probe,
                   uint32_t* ids) {
    // One pass over the table for all query tokens: a centroid enters a token's heap only above the heap's least.
    struct Entry {
        int32_t product;
        uint32_t id;
        bool operator<(const Entry& other) const {  // the heap's top is the least: larger products and smaller ids stay
            return product != other.product ? product > other.product : id < other.id;
        }
    };
    std::vector<std::vector<Entry>> heaps(n_tokens);
    std::vector<int32_t> least(n_tokens, INT32_MIN);
    for (int64_t c = 0; c < n_centroids; c++) {
        const int32_t* row = products + c * n_padded;
        bool any = c < n_probe;
        for (int64_t t = 0; t < n_tokens; t++) any |= row[t] > least[t];  // almost never: no branch inside
        if (!any) continue;
        for (int64_t t = 0; t < n_tokens; t++) {
            auto& heap = heaps[t];
            if (int64_t(heap.size()) == n_probe && row[t] <= least[t]) continue;
            if (int64_t(heap.size()) == n_probe) {
                std::pop_heap(heap.begin(), heap.end());
                heap.back() = {row[t], uint32_t(c)};
            } else {
                heap.push_back({row[t], uint32_t(c)});
            }
            std::push_heap(heap.begin(), heap.end());
            if (int64_t(heap.size()) == n_probe) least[t] = heap.front().product;
        }
    }
    for (int64_t t = 0; t < n_tokens; t++) {
        std::sort(heaps[t].begin(), heaps[t].end());
        for (int64_t i = 0; i < n_probe; i++) ids[t * n_probe + i] = heaps[t][i].id;
    }
}

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
