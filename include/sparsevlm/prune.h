/* SPDX-License-Identifier: MIT */
/* SparseVLM (arXiv 2410.04417) in its published variants, and other methods to
 * compare with, each as a hook. */
#ifndef SPARSEVLM_PRUNE_H
#define SPARSEVLM_PRUNE_H

#include <sparsevlm/hook.h>
#include <sparsevlm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum svlm_prune_method {
    SVLM_PRUNE_SPARSEVLM = 0,     /* published code v1.5: fixed lists, recycling, positions
                                     renumbered                                      */
    SVLM_PRUNE_SPARSEVLM_PLUS,    /* published code v2.0: gravity correction, priority
                                     heads, kept positions, no recycling             */
    SVLM_PRUNE_RANK,              /* published code v1.0: scale * rank + bias         */
    SVLM_PRUNE_PAPER,             /* the paper's rule: drop lambda * (visual - rank)  */
    SVLM_PRUNE_ENERGY,            /* ours: fewest rows that hold a share of the raters'
                                     attention                                       */
    SVLM_PRUNE_RANDOM, SVLM_PRUNE_UNIFORM,          /* before layer 0                 */
    SVLM_PRUNE_FASTV,             /* arXiv 2403.06764, once after layer 2             */
    SVLM_PRUNE_PDROP,             /* PyramidDrop, arXiv 2410.17247                    */
    SVLM_PRUNE_DIVPRUNE,          /* arXiv 2503.02175, before layer 0                 */
    SVLM_PRUNE_VISIONZIP,         /* arXiv 2412.04467, before layer 0, class attention */
    SVLM_PRUNE_METHODS
} svlm_prune_method;

typedef enum svlm_positions {
    SVLM_POSITIONS_AUTO = 0,      /* as the method was published                     */
    SVLM_POSITIONS_COMPACT,       /* renumber what is left                           */
    SVLM_POSITIONS_KEEP
} svlm_positions;

typedef struct svlm_prune_options {
    size_t size;
    svlm_prune_method method;
    double retain;                /* visual rows per layer on average, out of 576 of one
                                     picture; other counts in proportion. 0: 192.
                                     192, 128, 96, 64 are the published lists        */
    int n_layers_list;            /* exact control: 0, or how many of the next two   */
    const int *layers;            /* prune after these layers, ascending             */
    const int *keep;              /* kept after each (before merged rows join), never
                                     rising; NULL: what retain comes to. Methods that
                                     decide by content take the layers only          */
    svlm_positions positions;
    int no_recycle;               /* 1: pruned rows are dropped, none are merged      */
    int per_image;                /* 1: each picture has its own share of the budget;
                                     0: all compete for one                          */
    int raters_question_only;     /* 1: template words do not judge                   */
    int raters_between;           /* 1: text between pictures may judge as well       */
    int keep_separators;          /* 1: image_newline rows are never pruned           */
    int compat;                   /* 1: as the published code where ours differs: always
                                     drop at least one, recycle even one row, no
                                     guard in the gravity correction                 */
    int no_drop;                  /* 1: finish rows nobody will read (for tests)      */
    int n_heads;                  /* sparsevlm+: priority heads; 0: 14 of 32 in proportion */
    double scale, bias;           /* rank: 0, 0 means the published 13.5, 0           */
    double lambda;                /* paper: 0 means chosen to meet retain             */
    double energy;                /* energy: share in (0, 1]; 0: 0.9                  */
    int min_keep, max_keep;       /* energy: bounds; 0: none                          */
    uint64_t seed;                /* random                                          */
} svlm_prune_options;

/* Fills *hook (opt may be NULL). Give it to one chat, which then owns it, or
 * call hook->destroy(hook->user). Errors: ARG names the option. */
SVLM_API svlm_status svlm_prune_hook(svlm_hook *hook, const svlm_prune_options *opt,
                                     svlm_error *err);

/* "sparsevlm", "sparsevlm+", "rank", ... and back; NULL and -1 when unknown. */
SVLM_API const char *svlm_prune_name(svlm_prune_method method);
SVLM_API int svlm_prune_method_by_name(const char *name);

/* What the options amount to for n_visual rows in a model of n_layers: writes up
 * to cap layers and kept counts, their number to *n, and the average number of
 * visual rows entering a layer to *average (each may be NULL). No stages: nothing
 * is pruned, as when more rows are wanted than exist. Methods that decide by
 * content give what they do where 12 rows judge, energy the most it may keep.
 * Errors: ARG, with the sentence a user should see: numbers out of range, rising
 * lists, layers beyond the model. */
SVLM_API svlm_status svlm_prune_plan(const svlm_prune_options *opt, int n_layers, int n_visual,
                                     int *layers, int *keep, int cap, int *n, double *average,
                                     svlm_error *err);

/* What a hook made by svlm_prune_hook did in its last prefill; for explaining
 * and testing. Pointers stay valid until its next prefill. */
typedef struct svlm_prune_stage {
    int layer;                    /* after which; -1: before layer 0                  */
    int n_in;                     /* visual rows entering the decision                */
    const int32_t *in_image;      /* [n_in] picture of each                           */
    const int32_t *in_origin;     /* [n_in] feature row of each, -1: merged           */
    const float *score;           /* [n_in] or NULL if the method has none            */
    int n_keep;
    const int32_t *keep;          /* [n_keep] ascending, indices below n_in           */
    int n_recycled;
    const int32_t *recycled;      /* [n_recycled] indices below n_in, picture by picture,
                                     by falling score                                 */
    const int32_t *assign;        /* [n_recycled] merged row each went into           */
    const float *density;         /* [n_recycled]                                     */
    int n_merged;
    const int32_t *centre;        /* [n_merged] index below n_recycled                */
    int rank;                     /* rank, paper: numerical rank; else -1             */
    int n_singular;
    const float *singular;        /* [n_singular] descending                          */
    int n_heads;
    const int32_t *heads;         /* sparsevlm+: priority heads, ascending            */
    const float *head_sums;       /* sparsevlm+: [heads of the model]                 */
} svlm_prune_stage;

typedef struct svlm_prune_report {
    size_t size;
    int n_text;                   /* text rows that could have judged                 */
    const int32_t *text_row;      /* [n_text] row in the prompt                       */
    const int32_t *text_token;    /* [n_text] token id                                */
    const float *rater_score;     /* [n_text]                                         */
    int n_raters;
    const int32_t *raters;        /* [n_raters] ascending, indices below n_text       */
    int raters_fallback;          /* 1: none was above the mean, so all judge         */
    int n_stages;
    const svlm_prune_stage *stages;
} svlm_prune_report;

/* ARG unless the hook came from svlm_prune_hook. */
SVLM_API svlm_status svlm_prune_get_report(const svlm_hook *hook, svlm_prune_report *report);

/* Multiply-accumulates of one layer over n rows, 4nd^2 + 2n^2d + 3ndm (the
 * published accounting: no tower, projector or output matrix), for grouped
 * queries with the key and value terms scaled by n_kv_heads / n_heads. */
SVLM_API double svlm_layer_macs(double n_rows, double n_embd, double n_ff, double kv_share);

#ifdef __cplusplus
}
#endif
#endif
