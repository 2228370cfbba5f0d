/* SPDX-License-Identifier: MIT */
/* Quantised matrices laid out once as packed panels (simd/panel.h), in private memory
 * with large pages: decoding then streams them without transposing. They take as much
 * room as the file's rows, which can be let go one by one as they are copied. */
#ifndef SV_REPACK_H
#define SV_REPACK_H

#include "base/mapfile.h"
#include "tensor/matmul.h"

typedef struct sv_repacked {
    void *block;
    size_t n_bytes;
} sv_repacked;

/* Bytes the panels of a matrix take; 0 if its type has no integer path. */
size_t sv_repack_bytes(const sv_kernels *k, const sv_weight *w);
/* Sets packed of every matrix that has an integer path; the rows in the file stay valid.
 * out is all zero after a failure. */
svlm_status sv_repack(sv_repacked *out, sv_weight *const *w, size_t n, const sv_kernels *k,
                      int n_threads, const sv_map *map, svlm_error *err);
void sv_repack_free(sv_repacked *r);      /* all zero is fine */

#endif
