/* SPDX-License-Identifier: MIT */
/* Weights, and what the vision half makes of a picture. */
#ifndef SPARSEVLM_MODEL_H
#define SPARSEVLM_MODEL_H

#include <sparsevlm/image.h>
#include <sparsevlm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0", and the instruction set the kernels of this process use: "c",
 * "avx2", "avx512", "neon", "neon_dotprod". SPARSEVLM_ISA caps it. */
SVLM_API const char *svlm_version(void);
SVLM_API const char *svlm_isa(void);

/* A language model with its vision tower and projector. Immutable after open,
 * shared by threads, reference counted: chats and features hold a reference. */
typedef struct svlm_model svlm_model;

typedef enum svlm_load {
    SVLM_LOAD_MAP = 0,            /* map the files read-only; pages come as needed */
    SVLM_LOAD_READ,               /* read them into memory: safe if a file shrinks */
    SVLM_LOAD_REPACK              /* map, and lay quantised matrices out for the
                                     kernels: faster answers, slower opening, and
                                     those matrices in private memory; precise
                                     models are only mapped                        */
} svlm_load;

typedef struct svlm_model_options {
    size_t size;
    const char *model_path;       /* GGUF, architecture llama              */
    const char *mmproj_path;      /* GGUF, architecture clip; NULL: text only */
    svlm_load load;
    int precise;                  /* 1: float32 activations throughout     */
    int n_threads;                /* 0: every core this process may use    */
    svlm_log_fn log;              /* NULL: silent                          */
    svlm_progress_fn progress;
    void *user;                   /* handed to both                        */
} svlm_model_options;

SVLM_API svlm_status svlm_model_open(svlm_model **out, const svlm_model_options *opt,
                                     svlm_error *err);
SVLM_API svlm_model *svlm_model_ref(svlm_model *model);
SVLM_API void svlm_model_close(svlm_model *model);      /* NULL is fine */

typedef struct svlm_model_info {
    size_t size;
    const char *name, *description;    /* "LLaVA v1.5", "llama 6.7 B Q4_0"       */
    const char *template_name;         /* the chat template that will be used    */
    int n_layers, n_embd, n_heads, n_kv_heads, n_ff, n_vocab, n_ctx;
    int has_vision, image_size, patch_size, n_vit_layers, n_vit_embd;
    int n_image_tokens;                /* rows of one picture without tiles      */
    int is_anyres;                     /* LLaVA-1.6 tiles                        */
    uint64_t n_params, n_file_bytes;   /* of both files                          */
} svlm_model_info;

SVLM_API svlm_status svlm_model_get_info(const svlm_model *model, svlm_model_info *info);

/* Token ids of a text, without template or BOS; text that looks like a special
 * token is plain text. Writes at most cap ids and sets *n to how many there
 * are (call with cap 0 to learn it). n_bytes may count NUL bytes. */
SVLM_API svlm_status svlm_tokenize(const svlm_model *model, const char *text, size_t n_bytes,
                                   int32_t *ids, size_t cap, size_t *n, svlm_error *err);

/* The other direction: the text n ids stand for, as an answer would show it (no space in
 * front, valid UTF-8, no NUL at the end). Writes at most cap bytes and sets *n_bytes to
 * how many there are. */
SVLM_API svlm_status svlm_detokenize(const svlm_model *model, const int32_t *ids, size_t n,
                                     char *text, size_t cap, size_t *n_bytes, svlm_error *err);

/* ------------------------------------------------------------------------- */

/* The projected rows of one picture. They depend on the model and the picture
 * only, never on a question, so they may be kept and asked about many times,
 * from several threads at once. Immutable, reference counted. */
typedef struct svlm_features svlm_features;

typedef enum svlm_preproc {
    SVLM_PREPROC_AUTO = 0,        /* tiles where the model has pinpoints, else pad */
    SVLM_PREPROC_PAD,             /* LLaVA-1.5: pad to a square, resize            */
    SVLM_PREPROC_CROP,            /* resize the shorter edge, centre crop          */
    SVLM_PREPROC_TILES            /* LLaVA-1.6 anyres                              */
} svlm_preproc;

typedef struct svlm_features_options {
    size_t size;
    svlm_preproc preproc;
    int class_attention;          /* 1: also keep the class row's attention (a pre-hook
                                     such as visionzip asks for it)                  */
    svlm_progress_fn progress;
    void *user;
} svlm_features_options;

/* Runs the vision tower and the projector (opt may be NULL). Errors: ARG (no
 * vision half), NOMEM, CANCELLED, NUMERIC. */
SVLM_API svlm_status svlm_features_encode(svlm_features **out, svlm_model *model,
                                          const svlm_image *image,
                                          const svlm_features_options *opt, svlm_error *err);

/* Rows computed elsewhere (copied): [n_rows][n_embd of the model]. */
SVLM_API svlm_status svlm_features_from_rows(svlm_features **out, svlm_model *model,
                                             const float *rows, int n_rows, svlm_error *err);

/* Where each row lies in the picture. Tile 0 is the whole picture; LLaVA-1.6
 * detail tiles form one grid, which is tile 1. */
typedef struct svlm_cell {
    int16_t tile;
    int16_t x, y;                 /* patch column and row inside the tile's grid; x is
                                     -1 for a separator (image_newline)              */
    int16_t reserved;
} svlm_cell;

SVLM_API int svlm_features_n_rows(const svlm_features *features);
SVLM_API int svlm_features_width(const svlm_features *features);
SVLM_API const float *svlm_features_rows(const svlm_features *features);   /* [n_rows][width] */
SVLM_API const svlm_cell *svlm_features_cells(const svlm_features *features); /* [n_rows] */
/* Mean over heads of the class row's attention in the tower's last run layer,
 * [n_rows] (0 for separators), and the mean-over-heads key rows of that layer,
 * [n_rows][*key_width]; NULL unless class_attention was asked for. */
SVLM_API const float *svlm_features_class_attention(const svlm_features *features);
SVLM_API const float *svlm_features_keys(const svlm_features *features, int *key_width);
SVLM_API svlm_features *svlm_features_ref(svlm_features *features);
SVLM_API void svlm_features_close(svlm_features *features);

#ifdef __cplusplus
}
#endif
#endif
