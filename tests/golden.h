/* SPDX-License-Identifier: MIT */
/* Reading the golden data: JSON files, and .npy arrays of float32 or uint8. */
#ifndef SV_GOLDEN_H
#define SV_GOLDEN_H

#include "check.h"

#include <jansson.h>

typedef struct npy {
    char type;                    /* 'f': float32, 'u': uint8 */
    int n_dims;
    size_t dim[4];
    size_t n;                     /* elements */
    void *owned;
    const float *f;               /* [n] of type 'f', else NULL */
    const uint8_t *u;             /* [n] of type 'u', else NULL */
} npy;

/* A path below tests/data; static text, good for one more call. */
const char *golden_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* All of these fail the test when something is wrong. */
void *golden_read(const char *path, size_t *n_bytes);     /* free() it */
json_t *golden_json(const char *path);                    /* json_decref() it */
npy golden_npy(const char *path);
void npy_free(npy *a);

#endif
