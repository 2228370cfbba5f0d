/* SPDX-License-Identifier: MIT */
/* What explain draws: the pictures as grids of patches, and what became of each. */
#ifndef TOOLS_EXPLAIN_H
#define TOOLS_EXPLAIN_H

#include "cli.h"
#include "draw.h"

typedef struct word {
    const char *text;             /* of one token; n bytes */
    size_t n;
    double weight;                /* its score, 1 for the highest */
    int is_rater;
} word;

/* A grid of patches over one picture: all of it, or its enlarged detail. */
typedef struct view {
    const svlm_image *image;
    const svlm_cell *cells;
    int picture, tile;
    int x0, y0, cols, rows;       /* the cells there are */
    int on_square;                /* the grid covers the picture padded to a square */
} view;

typedef enum fate { GONE, DROPPED, MERGED, KEPT } fate;

/* What became of one picture's rows in a stage; GONE before it. */
typedef struct fates {
    int n_rows;
    fate *fate;                   /* [n_rows] */
    int *merged;                  /* [n_rows] into which new row, where MERGED */
    double *score;                /* [n_rows] 0 for the lowest to 1; negative: none */
} fates;

typedef struct explain {
    cli_options o;
    svlm_model *model;
    svlm_image **images;          /* [n_images] */
    int n_images;
    cli_pictures pictures;        /* their features */
    svlm_hook hook;               /* the chat's, for its report */
    svlm_chat *chat;
    svlm_prune_report report;
    view *views;
    int n_views;
    fates *fates;                 /* [n_images] */
    word *words;                  /* [report.n_text] */
    char *text;                   /* theirs */
} explain;

/* Views and words, once the prompt has been evaluated. CLI_OK, or an exit code after a
 * message. */
int explain_prepare(explain *e);
/* Brings the fates to what they are after stage k; stages in order. */
void explain_stage(explain *e, int k);
/* "after layer 2", "before the first layer" */
const char *explain_when(const svlm_prune_stage *s, char *text, size_t cap);

/* A page about stage k. */
sheet explain_page(const explain *e, int k);
/* All stages side by side, drawn while going through them. */
sheet explain_overview(explain *e);

#endif
