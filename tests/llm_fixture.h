/* SPDX-License-Identifier: MIT */
/* A tiny language model, two pictures, prompts spelt as letters, and a pruner to
 * play with: for the tests of lib/llm. */
#ifndef SV_LLM_FIXTURE_H
#define SV_LLM_FIXTURE_H

#include "check.h"

#include "llm/llm.h"
#include "tiny_model.h"
#include "vision/vision.h"

typedef struct llm_fixture {
    tiny_model files;
    sv_map map;
    sv_gguf gguf;
    sv_llm llm;
    svlm_features *picture[2];    /* 16 and 9 rows, the last of the second a separator */
} llm_fixture;

/* shape NULL: tiny_shape(). */
void fixture_open(llm_fixture *f, const sv_model_shape *shape);
void fixture_close(llm_fixture *f);

/* A precise session with float keys and values on one thread. */
sv_session *fixture_session(const llm_fixture *f, int n_ctx, size_t reuse_bytes);

/* 't': a token, 'q': one of the question, 'P': the next picture. Tokens depend on their
 * place after at and on the salt. sv_prompt_free it. */
sv_prompt fixture_prompt(const char *layout, int at, uint32_t salt);

/* One prefill, which has to succeed; pictures in order, starting with number first. */
void fixture_prefill(const llm_fixture *f, sv_session *s, const sv_prompt *p, int first,
                     const svlm_hook *hook);
void fixture_decode(sv_session *s, int32_t token);

/* The two sessions' logits differ by no more than the rounding of float sums taken in
 * another order: the bound is 100 roundings of the largest logit. */
void check_same_logits(const llm_fixture *f, const sv_session *a, const sv_session *b);
/* They are equal to the last bit. */
void check_equal_logits(const llm_fixture *f, const sv_session *a, const sv_session *b);

/* ---- a pruner --------------------------------------------------------------- */

enum { THIN_MAX = 64 };

/* At its layers keeps every n-th visual row, or the half that the last row looks at
 * most; a third of the others may be merged into one row. */
typedef struct thin {
    int layers[4], n_layers;
    int every;                    /* 0: by attention; 1: keeps all; THIN_MAX: none */
    int merge, drop, keep_positions;
    /* what it hands out */
    int32_t query, keep[THIN_MAX], unused[THIN_MAX], position;
    float merged[THIN_MAX];
    /* what was called, and the rows kept at each of its layers */
    int n_begin, n_end, n_edit;
    int32_t kept[4][THIN_MAX], n_kept[4];
} thin;

svlm_hook thin_hook(thin *t);

#endif
