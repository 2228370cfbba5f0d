/* SPDX-License-Identifier: MIT */
/* What a hook made by svlm_prune_hook carries, and how its parts fit together:
 *
 *     methods.c   what each method is: a line of properties and functions
 *     schedule.c  after which layers, how many rows
 *     judges.c    begin: which text rows judge
 *     decide.c    drop: what becomes of each visual row
 *     edit.c      edit: merging, and the lists for the engine
 *     reduce.c    the same before layer 0
 *     prune_hook.c the callbacks and the report */
#ifndef SV_PRUNER_H
#define SV_PRUNER_H

#include <sparsevlm/prune.h>

#include "base/arena.h"
#include "base/status.h"
#include "prune/parts.h"

enum { SV_MAX_STAGES = 128, SV_FULL_PICTURE = 576, SV_TYPICAL_RATERS = 12 };

/* ---- memory that grows to the largest prefill so far ---------------------- */

typedef struct sv_block { void *p; size_t size; } sv_block;

/* Between the two passes of a layout: makes room for what the first measured and
 * points the arena at it. NOMEM leaves the block empty. */
svlm_status sv_block_fit(sv_block *b, sv_arena *a);

/* ---- schedules ------------------------------------------------------------ */

typedef struct sv_budget {
    const svlm_prune_options *opt;
    int n_layers, n_visual, n_raters;
    double retain;                /* out of SV_FULL_PICTURE                */
} sv_budget;

typedef struct sv_schedule {
    int n;
    int layer[SV_MAX_STAGES];     /* after which; -1: before layer 0       */
    int keep[SV_MAX_STAGES];      /* without the merged rows               */
    double average;               /* visual rows entering a layer          */
    double lambda;                /* paper                                 */
} sv_schedule;

typedef enum sv_judge { SV_JUDGE_NONE, SV_JUDGE_RATERS, SV_JUDGE_LAST_ROW } sv_judge;

struct sv_pruner;
struct sv_stage;

typedef struct sv_method {
    const char *name;
    sv_judge judge;
    uint8_t recycles, keeps_positions, needs_class_attention;
    uint8_t by_content;           /* how many stay depends on the attention */
    /* Fills layer[] and n. */
    void (*depths)(sv_schedule *s, const sv_budget *b);
    /* Fills keep[]; a larger t in [0, 1] keeps more. */
    void (*counts)(sv_schedule *s, const sv_budget *b, double t);
    /* Of v->n_rows rows marks k in s->kept, and merges if it does that. */
    svlm_status (*reduce)(struct sv_pruner *p, const svlm_reduce_view *v, int k,
                          struct sv_stage *s);
} sv_method;

const sv_method *sv_method_get(svlm_prune_method method);

/* What a listed count comes to when v rows enter; v: the stage is left out. */
int sv_list_keep(const svlm_prune_options *o, int k, int v);
/* Are merged rows made of n_pruned rows of one picture? */
int sv_recycles(const svlm_prune_options *o, int n_pruned);
/* The rows that leave a stage entered by v of which k are to be kept. */
int sv_rows_after(const svlm_prune_options *o, int v, int k);
/* Options that are wrong for every model. */
svlm_status sv_prune_check(const svlm_prune_options *o, svlm_error *err);
svlm_status sv_schedule_make(sv_schedule *s, const svlm_prune_options *o, int n_layers,
                             int n_visual, int n_raters, svlm_error *err);

/* depths and counts of the methods, in their files */
void sv_before_counts(sv_schedule *s, const sv_budget *b, double t);
void sv_sparsevlm_depths(sv_schedule *s, const sv_budget *b);
void sv_sparsevlm_counts(sv_schedule *s, const sv_budget *b, double t);
int sv_published_lists(sv_schedule *s, const sv_budget *b);
void sv_rank_depths(sv_schedule *s, const sv_budget *b);
void sv_rank_counts(sv_schedule *s, const sv_budget *b, double t);
void sv_paper_counts(sv_schedule *s, const sv_budget *b, double t);
void sv_energy_counts(sv_schedule *s, const sv_budget *b, double t);
void sv_fastv_depths(sv_schedule *s, const sv_budget *b);
void sv_fastv_counts(sv_schedule *s, const sv_budget *b, double t);
void sv_pdrop_depths(sv_schedule *s, const sv_budget *b);
void sv_pdrop_counts(sv_schedule *s, const sv_budget *b, double t);

/* How many of v rows these methods keep, once attention is known. */
int sv_rank_keep(const svlm_prune_options *o, int rank, int v);
int sv_paper_keep(double lambda, int rank, int v);
int sv_energy_keep(const svlm_prune_options *o, const int32_t *order, const float *score, int v);

svlm_status sv_random_reduce(struct sv_pruner *p, const svlm_reduce_view *v, int k,
                             struct sv_stage *s);
svlm_status sv_uniform_reduce(struct sv_pruner *p, const svlm_reduce_view *v, int k,
                              struct sv_stage *s);
svlm_status sv_divprune_reduce(struct sv_pruner *p, const svlm_reduce_view *v, int k,
                               struct sv_stage *s);
svlm_status sv_visionzip_reduce(struct sv_pruner *p, const svlm_reduce_view *v, int k,
                                struct sv_stage *s);

/* ---- one decision ---------------------------------------------------------- */

typedef struct sv_stage {
    sv_block memory;              /* of all arrays below                   */
    int layer, n_in;
    int32_t *row;                 /* [n_in] row of the view                */
    int32_t *in_image, *in_origin;    /* [n_in]                            */
    uint8_t *kept;                /* [n_in]                                */
    float *score;                 /* [n_in]                                */
    int has_score;
    int n_keep;
    int32_t *keep;                /* [n_in] those kept                     */
    int n_recycled, n_merged;
    int32_t *recycled, *assign;   /* [n_in]                                */
    float *density;               /* [n_in]                                */
    int32_t *centre;              /* [max_merged]                          */
    float *merged;                /* [max_merged][width]                   */
    int32_t *merged_image, *merged_position;     /* [max_merged]           */
    int32_t *pool_end, *cluster_end;  /* [n_images] into recycled, merged  */
    int32_t *rows_out;            /* [n_rows] a list for the engine        */
    int rank, n_singular, n_heads;
    float *singular;              /* [max_singular]                        */
    int32_t *heads;               /* [all_heads]                           */
    float *head_sums;             /* [all_heads]                           */
} sv_stage;

/* What decides how large a stage's arrays are. */
typedef struct sv_stage_size {
    int n_in, n_rows, n_images, max_merged, width, n_query, n_heads;
} sv_stage_size;

/* Clears the stage and makes its memory fit. */
svlm_status sv_stage_fit(sv_stage *s, const sv_stage_size *size);
/* Lists what is marked kept. */
void sv_stage_list_kept(sv_stage *s);
/* What the report shows of it. */
svlm_prune_stage sv_stage_report(const sv_stage *s, int by_attention);

typedef struct sv_pruner {
    svlm_prune_options opt;       /* layers and keep are our copies        */
    const sv_method *method;
    const sv_kernels *k;
    int compact;                  /* rows are renumbered                   */

    sv_schedule schedule;
    int next;                     /* of its stages                         */
    int decided;                  /* drop has run for it                   */

    /* Text rows that may judge, and those that do. */
    sv_block text_memory;
    int n_text, n_raters, fallback;
    int32_t *text_row, *text_token, *text_ordinal;      /* [n_text]        */
    float *rater_score;           /* [n_text]                              */
    int32_t *raters;              /* [n_text] indices below n_text         */
    int32_t *rater_order;         /* [n_text] by falling score             */
    int32_t *query;               /* [n_text] their rows in this layer     */
    int32_t *image_rows;          /* [n_images] visual rows at the start   */
    int n_visual;                 /* their sum                             */

    sv_block work;                /* of the step under way                 */
    sv_stage *stages;
    svlm_prune_stage *report;     /* [cap_stages]                          */
    int n_stages, cap_stages;
} sv_pruner;

/* Room for n stages; those that exist stay. */
svlm_status sv_stages_reserve(sv_pruner *p, int n);

/* decide.c: scores and selects. edit.c: merges what was pooled. reduce.c: all that
 * happens to a picture before layer 0. */
svlm_status sv_stage_decide(sv_pruner *p, const svlm_view *v);
svlm_status sv_stage_edit(sv_pruner *p, const svlm_view *v, svlm_edit *edit);
svlm_status sv_stage_reduce(sv_pruner *p, const svlm_reduce_view *v, svlm_reduction *r);
/* Visual rows of the view which the decision has no further use for, in rows_out. */
int sv_stage_unused(sv_stage *s);

/* judges.c */
svlm_status sv_judges_begin(sv_pruner *p, const svlm_view *v);
int sv_judges_find(sv_pruner *p, const svlm_view *v);   /* fills query, gives its length */

static inline int sv_is_visual(uint8_t kind)
{
    return kind != SVLM_ROW_TEXT;
}

#endif
