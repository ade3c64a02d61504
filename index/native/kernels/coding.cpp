// From rotated vectors to codes: for each value the cell it falls in, and its sixteenth of that cell.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"

extern "C" void code_tokens(const float* values, int64_t n, int64_t dim, const CodingTables* tables, uint8_t* codes,
                            uint8_t* refinement, float* coarse_products, float* fine_products) {
    const int64_t half = dim / 2, bits = tables->bits, per_byte = 8 / bits, n_bytes = dim / per_byte;
    constexpr int shifts[] = {0, 4, 2, 6};  // of the dimensions in a byte
    std::vector<float> cells(dim), finer(dim);
    for (int64_t token = 0; token < n; token++) {
        const float* value = values + token * dim;
        for (int64_t d = 0; d < dim; d++) cells[d] = 0;
        for (int bound = 0; bound < (1 << bits) - 1; bound++) {  // comparisons of a whole row beat a search for each value
            const float at = tables->bounds[bound];
            for (int64_t d = 0; d < dim; d++) cells[d] += value[d] > at ? 1.0f : 0.0f;
        }
        float coarse = 0, fine = 0;
        for (int64_t d = 0; d < dim; d++) {
            const int cell = int(cells[d]);
            const float place = (value[d] / tables->fine_unit - tables->bases[cell]) / tables->steps[cell];
            finer[d] = std::min(std::max(std::nearbyintf(place), 0.0f), 15.0f);
            coarse += value[d] * (tables->levels[cell] * tables->level_unit);
            fine += value[d] * ((tables->bases[cell] + finer[d] * tables->steps[cell]) * tables->fine_unit);
        }
        for (int64_t i = 0; i < n_bytes; i++) {
            int byte = 0;
            for (int64_t j = 0; j < per_byte; j++) byte |= int(cells[j * n_bytes + i]) << shifts[j];
            codes[token * n_bytes + i] = uint8_t(byte);
        }
        for (int64_t i = 0; i < half; i++) {
            refinement[token * half + i] = uint8_t(int(finer[i]) | int(finer[half + i]) << 4);
        }
        coarse_products[token] = coarse;
        fine_products[token] = fine;
    }
}
