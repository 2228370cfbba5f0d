/* SPDX-License-Identifier: MIT */
/* One prefill watched through the public hook, and how far two of them are apart: what the
 * fast path is held against the precise one with, by bench/paths and by a test. */
#ifndef SV_WATCH_H
#define SV_WATCH_H

#include <sparsevlm/sparsevlm.h>

enum { SV_WATCH_STAGES = 16 };

typedef struct sv_watched_stage {
    int layer;
    uint8_t *kept;                /* [n_visual] 1: this row of the picture goes on        */
    float *score;                 /* [n_visual] what it was judged by; 0 if not there any
                                     more, NULL if the method has none                    */
} sv_watched_stage;

typedef struct sv_watched {
    int n_layers, n_rows, n_embd, n_visual, n_vocab;
    float *rows;                  /* [n_layers + 1][n_rows][n_embd] entering layer 0, then
                                     leaving each layer; NULL when pruned                 */
    int n_judges;
    int32_t *judges;              /* [n_judges] text rows that judged the picture's       */
    int n_stages;
    sv_watched_stage stages[SV_WATCH_STAGES];
    float *logits;                /* [n_vocab] */
} sv_watched;

/* Asks one question about one picture. retain 0: without pruning; else by the default method
 * with this budget. *w is to be freed with sv_watched_free, also after an error. */
svlm_status sv_watch(sv_watched *w, svlm_model *model, svlm_features *picture,
                     const char *question, double retain, svlm_error *err);
void sv_watched_free(sv_watched *w);

/* Of b's rows from a's. */
typedef struct sv_rows_apart {
    double cosine_min, cosine_mean;
    double relative;              /* root of the summed squares of b - a, over a's */
} sv_rows_apart;

sv_rows_apart sv_rows_compare(const float *a, const float *b, int n_rows, int n_embd);

/* Rows in both over rows in either; 1 for two empty sets. */
double sv_overlap(const uint8_t *a, const uint8_t *b, int n);

/* The standard deviation of n values. */
double sv_deviation(const float *x, int n);

#endif
