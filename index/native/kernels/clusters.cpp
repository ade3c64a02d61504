// From the distances between a passage's tokens to its clusters. Each row knows its nearest, so that a join looks at two
// rows and at those that lose theirs, not at all n * n distances. Operations are in NumPy's order: equal to the bit.
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels.h"

namespace {

constexpr double FAR = std::numeric_limits<double>::infinity();

// A cluster is known by its first member; other members are infinitely far from everything.
struct Clusters {
    int64_t n;
    std::vector<double> distances, sizes;  // (n, n), symmetric; (n,)
    std::vector<double> least;             // of each row right of the diagonal
    std::vector<int64_t> nearest;          // where that stands first; the row itself where nothing is left
    std::vector<int64_t> joined_to;        // an earlier member of the same cluster, or the token itself

    Clusters(const double* given, int64_t n)
        : n(n), distances(given, given + n * n), sizes(n, 1), least(n), nearest(n), joined_to(n) {
        std::iota(joined_to.begin(), joined_to.end(), 0);
        for (int64_t row = 0; row < n; row++) find_nearest(row);
    }

    void find_nearest(int64_t row) {
        const double* to = &distances[row * n];
        double smallest = FAR;
        int64_t first = row;
        for (int64_t i = row + 1; i < n; i++)
            if (to[i] < smallest) smallest = to[i], first = i;
        least[row] = smallest, nearest[row] = first;
    }

    // Lance and Williams' update for Ward's criterion; the row of what is joined is never read again.
    void update_distances(int64_t kept, int64_t joined) {
        double* to_kept = &distances[kept * n];
        const double* to_joined = &distances[joined * n];
        const double size_kept = sizes[kept], size_joined = sizes[joined], merged = size_kept + size_joined;
        const double apart = to_kept[joined];
        for (int64_t i = 0; i < n; i++) {
            to_kept[i] = ((size_kept + sizes[i]) * to_kept[i] + (size_joined + sizes[i]) * to_joined[i] - sizes[i] * apart) /
                         (merged + sizes[i]);
        }
        to_kept[kept] = FAR;
        for (int64_t i = 0; i < n; i++) distances[i * n + kept] = to_kept[i], distances[i * n + joined] = FAR;
        sizes[kept] = merged;
    }

    void update_nearest(int64_t kept, int64_t joined) {
        for (int64_t row = 0; row < kept; row++) {
            const double now = distances[row * n + kept];
            if (now < least[row] || (now == least[row] && kept <= nearest[row]))
                least[row] = now, nearest[row] = kept;
            else if (nearest[row] == kept || nearest[row] == joined)
                find_nearest(row);
        }
        find_nearest(kept);
        for (int64_t row = kept + 1; row < joined; row++)
            if (nearest[row] == joined) find_nearest(row);
        least[joined] = FAR, nearest[joined] = joined;
    }

    void join_nearest() {
        const int64_t kept = std::min_element(least.begin(), least.end()) - least.begin();  // the first of equals
        const int64_t joined = nearest[kept];
        update_distances(kept, joined);
        update_nearest(kept, joined);
        joined_to[joined] = kept;
    }
};

}  // namespace

extern "C" void ward_clusters(const double* distances, int64_t n, int64_t n_clusters, int64_t* first_members) {
    Clusters clusters(distances, n);
    for (int64_t left = n; left > std::max<int64_t>(n_clusters, 1); left--) clusters.join_nearest();
    for (int64_t i = 0; i < n; i++) {  // what a token was joined to comes before it
        const int64_t earlier = clusters.joined_to[i];
        first_members[i] = earlier == i ? i : first_members[earlier];
    }
}
