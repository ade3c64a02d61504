// The C interface of the kernels; index/native/library.py declares the same structures for ctypes.
//
// Integers decide everything: a variant (scalar, AVX2, AVX-512, NEON) differs from another only in the order of a few
// float additions. Query arrays are padded to a multiple of 16 tokens with zeros; documents are read where they lie.
#pragma once

#include <cstdint>

struct Variant;  // one instruction set's kernels

extern "C" {

// The variant of that name ("avx512", "avx2", "neon", "scalar"), or the best for an empty one; null where it does not run.
const Variant* find_variant(const char* name);
const char* variant_name(const Variant*);

// Passages to score: row r owns the tokens offsets[r] .. offsets[r + 1] of every token array.
struct Passages {
    const int64_t* offsets;
    const int64_t* rows;  // which passages, n_rows of them
    int64_t n_rows;
    int64_t n_passages;  // offsets has one more
    int64_t n_tokens;    // that there are
};

constexpr int64_t DAMAGED = -1;  // what a call gives for passages that reach beyond their tokens: nothing was read then

// Rotated codes. At 4 bits byte i of a token holds dimension i (low nibble) and dimension dim / 2 + i (high nibble); at 2
// bits the lower halves of its nibbles hold dimensions i and dim / 4 + i, the upper halves those dim / 2 further on.
struct CoarseTokens {
    const uint8_t* codes;       // (n_tokens, dim * bits / 8)
    const uint8_t* refinement;  // (n_tokens, dim / 2), the next 4 bits of 4-bit codes; not read by the coarse kernel
    const uint16_t* scales;     // (n_tokens,) binary16
    const uint16_t* means;      // (n_tokens,) binary16, the exact product of token and mean vector
    int64_t dim;                // divisible by 16, at 2 bits by 32
    int64_t bits;               // 4 or 2
};

// A query against coarse codes: signed 7-bit values in groups of 4 dimensions, (dim / 4, n_padded, 4).
struct CoarseQuery {
    const int8_t* values;
    const int32_t* bias;    // (n_padded,) what the accumulators start with: it undoes the offset of the levels
    const uint8_t* levels;  // what the 16 nibbles stand for plus an offset, 1 .. 127; at 2 bits a table for each half
    float unit;             // of value times level
    int64_t n_tokens;
    int64_t n_padded;
};

// A query against refined codes: 16-bit values in pairs of dimensions, (dim / 2, n_padded, 2).
struct FineQuery {
    const int16_t* values;
    const int16_t* bases;  // 16 values: where the cell of a coarse code begins
    const int16_t* steps;  // 16 values: what each unit of the refinement adds there
    float unit;
    int64_t n_tokens;
    int64_t n_padded;
};

// For each passage: the sum over query tokens of the largest token score; -infinity for a passage without tokens.
int64_t maxsim_coarse(const Variant*, const CoarseQuery*, const CoarseTokens*, const Passages*, float* scores);
int64_t maxsim_fine(const Variant*, const FineQuery*, const CoarseTokens*, const Passages*, float* scores);

// A query against what codes stand for, in floats: (dim, n_padded). Codes with a refinement are read as by FineQuery, others
// as by CoarseQuery, in units of `unit`.
struct FloatQuery {
    const float* values;
    const int16_t* bases;
    const int16_t* steps;
    const uint8_t* levels;
    float unit;
    int64_t n_tokens;
    int64_t n_padded;
};

// Products of n tokens with the vectors of a query, (n_tokens, n); scales are taken, means are not. Sums are in the order of
// the dimensions, so that a product is the same wherever its token stands, and in every variant.
void token_products(const Variant*, const FloatQuery*, const CoarseTokens*, int64_t n, float* products);

// For each passage: the sum over query tokens of the largest table entry among the passage's centroids.
// table is (n_centroids, width) of u8, width a multiple of 16; codes of 2 or 4 bytes, to which the passages' offsets lead,
// are checked against n_centroids (then -1).
int64_t interact(const Variant*, const uint8_t* table, int64_t n_centroids, int64_t width, const void* codes, int64_t code_bytes,
              const Passages*, int32_t* scores);

// Integer products of centroids (u8 levels with the offset that bias undoes) and query: (n_centroids, n_padded).
void centroid_products(const Variant*, const CoarseQuery*, const uint8_t* centroids, int64_t n_centroids, int64_t dim, int32_t* products);

// For each of n tokens, values (n, dim) of -63 .. 63: the centroid with the largest product, the first of equals, and that.
void nearest_centroids(const Variant*, const int8_t* values, int64_t n, const uint8_t* centroids, int64_t n_centroids, int64_t dim,
                       uint32_t* nearest, int32_t* products);

// Products brought into 0 .. 255 between low and high.
void quantise_table(const Variant*, const int32_t* products, int64_t n, int32_t low, int32_t high, uint8_t* table);

// For each query token its n_probe best centroids, best first, the first of equals first: ids is (n_tokens, n_probe).
void top_centroids(const Variant*, const int32_t* products, int64_t n_centroids, int64_t n_padded, int64_t n_tokens,
                   int64_t n_probe, uint32_t* ids);

struct CentroidProbe {
    const uint32_t* ids;      // (n_tokens, n_probe)
    const int32_t* products;  // (n_centroids, n_padded)
    int64_t n_tokens, n_probe, n_padded;
};

// Centroid c is in the passages rows[offsets[c]] .. rows[offsets[c + 1]] of n_entries, each below n_rows.
struct PostingLists {
    const int64_t* offsets;
    const uint32_t* rows;
    int64_t n_entries, n_rows;
};

// The `limit` live passages whose probed centroids add up to most, ascending; gives their number, -1 for damaged lists.
int64_t collect_candidates(const CentroidProbe*, const PostingLists*, const uint8_t* live, int64_t limit, int64_t* rows);

// Word w stands frequencies[i] times in the passage rows[i], for i of offsets[w] .. offsets[w + 1], below n_entries.
struct WordPostings {
    const int64_t* offsets;       // (n_words + 1,)
    const uint32_t* rows;         // each below n_rows
    const uint8_t* frequencies;
    const uint32_t* lengths;      // (n_rows,) words of each passage
    const uint32_t* groups;       // (n_rows,) which document a passage is of, each below n_groups; passages of one stand together
    const uint32_t* group_lengths;  // (n_groups,) words of each document
    int64_t n_words, n_entries, n_rows, n_groups;
};

// The words of a query, what each is worth, and how lengths weigh: base + slope * length of a passage, or of a document.
struct WordQuery {
    const int64_t* words;
    const float* weights;
    int64_t n_words;
    float base, slope, group_slope;
};

// For each passage with one of the words: half of what BM25 gives itself, and half of what it gives its document; 0 for
// others. DAMAGED for postings that reach beyond their file.
int64_t score_words(const WordPostings*, const WordQuery*, float* scores);

// The cells of a scalar code: bounds between 2^bits levels, and what the refinement of each cell stands for.
struct CodingTables {
    const float* bounds;
    const float* levels;
    const float* bases;
    const float* steps;
    float level_unit, fine_unit;
    int64_t bits;
};

// Codes of n rotated vectors, and each vector's product with what its coarse and its refined code stand for.
void code_tokens(const float* values, int64_t n, int64_t dim, const CodingTables*, uint8_t* codes, uint8_t* refinement,
                 float* coarse_products, float* fine_products);

// Clusters of n tokens by Ward's criterion, from distances (n, n), squared, symmetric, infinite on the diagonal and nowhere
// else: the two nearest are joined, of equal distances the pair of earlier tokens, until n_clusters (1 .. n) are left.
// first_members is (n,): for each token the first of its cluster. Doubles in one order, equal to NumPy's to the bit.
void ward_clusters(const double* distances, int64_t n, int64_t n_clusters, int64_t* first_members);
}
