/* SPDX-License-Identifier: MIT */
/* What the parts of check-goldens share: a verdict on one case, collected figure
 * by figure, so that one difference does not hide the others. */
#ifndef SV_CHECK_GOLDENS_H
#define SV_CHECK_GOLDENS_H

#include "golden.h"

#include "llm/llm.h"
#include "text/text.h"
#include "vision/vision.h"
#include <sparsevlm/prune.h>

typedef struct verdict {
    int failed;
    char why[400];                /* the first difference                        */
    double closest;               /* difference / bound of the worst figure      */
    char figure[80];              /* its name                                    */
} verdict;

/* Remembers the first sentence. */
void differ(verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* |got - want| <= bound, the figure coming closest to its bound is remembered. */
void near(verdict *v, const char *figure, double got, double want, double bound);
void near_all(verdict *v, const char *figure, const float *got, const float *want, size_t n,
              double bound);
/* Equal integers, want being a JSON array; sorted: as sets, got in any order. */
void same_ints(verdict *v, const char *figure, const int32_t *got, size_t n, const json_t *want);
void same_set(verdict *v, const char *figure, const int32_t *got, size_t n, const json_t *want);

int32_t *ints_of(const json_t *array, size_t *n);         /* free() it */
double number_of(const json_t *object, const char *key);

/* An opened language model. */
typedef struct llm_file {
    sv_map map;
    sv_gguf gguf;
    sv_llm llm;
    sv_vocab *vocab;
} llm_file;

int llm_file_open(llm_file *f, const char *path, verdict *v);
void llm_file_close(llm_file *f);

/* check_vision.c: the picture of a case through an mmproj file, compared with what lies
 * in dir. NULL if it cannot be read; svlm_features_close it. */
svlm_features *check_vision(verdict *v, const char *mmproj, const char *image_path,
                            const char *dir, const json_t *json);

/* check_prune.c: the pruner of a case with "sparse", watched. */
typedef struct prune_case {
    const json_t *json;
    const char *dir;
    verdict *v;
    svlm_hook inner;
} prune_case;

int prune_case_open(prune_case *p, const json_t *json, const char *dir, verdict *v);
void prune_case_close(prune_case *p);
/* What to give the engine: inner behind a spy that reports to v. */
svlm_hook prune_case_hook(prune_case *p, verdict *v);
/* The report of the last prefill. */
void check_prune(prune_case *p);
/* The rows leaving a layer. */
void check_merged(const prune_case *p, verdict *v, int layer, const float *rows, int n_rows,
                  int n_embd);

/* check_llm.c: one case with one file; dir holds case.json. features may be NULL. */
typedef struct llm_case {
    const char *dir;
    const json_t *json;
    const llm_file *file;
    svlm_features *features;
    prune_case *prune;            /* NULL: the case has none */
    int kv_f16;
} llm_case;

void check_llm(verdict *v, const llm_case *c);

#endif
