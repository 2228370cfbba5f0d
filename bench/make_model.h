/* SPDX-License-Identifier: MIT */
/* Writes GGUF pairs of any shape with seeded random weights: tiny ones for tests
 * (tests/tiny_model.h), those of real models' shape for measurements
 * (bench/random_model). Activations stay finite; answers mean nothing. */
#ifndef SV_MAKE_MODEL_H
#define SV_MAKE_MODEL_H

#include "gguf/gguf_write.h"
#include "gguf/mix.h"

/* How a test breaks a model. */
typedef struct sv_model_patch {
    const char *omit;             /* a key or tensor to leave out, or NULL */
    /* Called before each key and tensor is put; non-zero: it has been dealt with,
     * that is put in another form or left out. NULL: none. */
    int (*put)(void *user, sv_gguf_writer *w, const char *name);
    /* May change bytes before they are written: all of a tensor if it has up to 1 MiB,
     * else a piece of it. NULL: none. */
    void (*data)(void *user, const sv_gguf_tensor *t, void *bytes, size_t n_bytes);
    void *user;
} sv_model_patch;

typedef struct sv_model_shape {
    const char *name;
    int n_vocab, n_embd, n_ff, n_layers, n_heads, n_kv_heads, n_ctx;
    float eps, theta;
    int tied;                     /* no output.weight: token_embd serves */
    const sv_mix *mix;
    /* vision tower: n_blocks are stored, all of which are run */
    int image_size, patch, v_embd, v_ff, v_blocks, v_heads;
    float v_eps;
    int gelu;                     /* exact GELU, else quick-GELU                  */
    int swapped_ffn;              /* the old converter's names                    */
    int tiles;                    /* LLaVA-1.6: pinpoints of up to 2 x 2, newline */
    const sv_mix *v_mix;
    uint64_t seed;
    sv_model_patch patch_with;
} sv_model_shape;

/* "llava-7b", "llava-13b", "llava-1b" (TinyLlama with LLaVA's tower), "tiny";
 * 0 when unknown. Weights Q4_0 and F16 ("tiny": F16). */
int sv_model_shape_by_name(sv_model_shape *s, const char *name);
/* What speaks against the shape (heads that do not divide the width, ...), or NULL. */
const char *sv_model_shape_fault(const sv_model_shape *s);

svlm_status sv_make_llm(const sv_model_shape *s, const char *path, svlm_error *err);
svlm_status sv_make_mmproj(const sv_model_shape *s, const char *path, svlm_error *err);

/* ---- parts ------------------------------------------------------------------ */

/* n values of a type (whole blocks), of about this standard deviation and mean 0.
 * Quantised blocks are drawn as such, with every field in its usual range. */
void sv_random_values(void *out, sv_type type, size_t n, float deviation, uint64_t seed);

/* A SentencePiece vocabulary of n >= 3 + 256 + 96 tokens: specials, bytes, ASCII, then
 * words of two and three letters, each reachable by merges. */
svlm_status sv_put_vocab(sv_gguf_writer *w, const sv_model_patch *patch, size_t n, svlm_error *err);
/* Whether a name is to be put as usual (sv_model_patch). */
int sv_patch_wants(const sv_model_patch *p, sv_gguf_writer *w, const char *name);

#endif
