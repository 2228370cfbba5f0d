/* SPDX-License-Identifier: MIT */
/* paths: the fast path held against the precise one over an evaluation pack: hidden rows layer
 * by layer, the rows of the picture that pruning keeps, and the logits of the first token. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/watch.h"
#include "tools/divergence.h"

static const char usage[] =
    "Usage: paths MODEL.gguf MMPROJ.gguf PACK STEP\n"
    "Asks every STEP-th question of PACK/questions.jsonl on the fast and on the precise path,\n"
    "without pruning and at 192, 128 and 64 of 576 visual rows, and prints how far apart the\n"
    "paths are. Each path encodes the picture its own way.\n";

enum { FAST, PRECISE, PATHS };
enum { MAX_LAYERS = 128 };

static const double settings[] = { 0, 192, 128, 64 };
enum { N_SETTINGS = sizeof settings / sizeof *settings };

/* Least, mean or largest over the questions. */
typedef struct layer_sum { double cosine_min, cosine_mean, relative; } layer_sum;
typedef struct stage_sum { int layer, n; double mean, min; } stage_sum;
typedef struct logit_sum { double max, mean, kl, kl_max; int same_top; } logit_sum;

typedef struct paths {
    svlm_model *model[PATHS];
    svlm_features *picture[PATHS];
    char image[256];              /* the one encoded */
    const char *pack;
    int n, n_layers;
    layer_sum layers[MAX_LAYERS + 1];
    stage_sum stages[N_SETTINGS][SV_WATCH_STAGES];
    stage_sum same_judges[N_SETTINGS][SV_WATCH_STAGES];   /* of questions that have them */
    logit_sum logits[N_SETTINGS];
} paths;

static svlm_error err;

static int fail(void)
{
    fprintf(stderr, "paths: %s\n", err.message);
    return 1;
}

/* ---- adding up ------------------------------------------------------------- */

static void add_layers(paths *p, const sv_watched w[PATHS])
{
    const size_t n = (size_t)w[PRECISE].n_rows * (size_t)w[PRECISE].n_embd;
    p->n_layers = w[PRECISE].n_layers < MAX_LAYERS ? w[PRECISE].n_layers : MAX_LAYERS;
    for (int i = 0; i <= p->n_layers; i++) {
        layer_sum *l = &p->layers[i];
        sv_rows_apart d = sv_rows_compare(w[PRECISE].rows + (size_t)i * n,
                                          w[FAST].rows + (size_t)i * n, w[PRECISE].n_rows,
                                          w[PRECISE].n_embd);
        l->cosine_min = p->n ? fmin(l->cosine_min, d.cosine_min) : d.cosine_min;
        l->cosine_mean += d.cosine_mean;
        l->relative += d.relative;
    }
}

static void add_stages(stage_sum *sums, const sv_watched w[PATHS])
{
    for (int i = 0; i < w[PRECISE].n_stages && i < w[FAST].n_stages; i++) {
        const sv_watched_stage *a = &w[PRECISE].stages[i], *b = &w[FAST].stages[i];
        double overlap = sv_overlap(a->kept, b->kept, w[PRECISE].n_visual);
        sums[i].layer = a->layer;
        sums[i].mean += overlap;
        sums[i].min = sums[i].n++ ? fmin(sums[i].min, overlap) : overlap;
    }
}

static int have_same_judges(const sv_watched w[PATHS])
{
    return w[FAST].n_judges == w[PRECISE].n_judges &&
           !memcmp(w[FAST].judges, w[PRECISE].judges,
                   (size_t)w[FAST].n_judges * sizeof *w[FAST].judges);
}

/* Differences are in units of the logits' standard deviation. */
static void add_logits(logit_sum *l, const sv_watched w[PATHS])
{
    sv_divergence d = sv_divergence_of(w[PRECISE].logits, w[FAST].logits, w[PRECISE].n_vocab);
    double spread = sv_deviation(w[PRECISE].logits, w[PRECISE].n_vocab);
    l->max = fmax(l->max, d.max / spread);
    l->mean += d.mean / spread;
    l->kl += d.kl;
    l->kl_max = fmax(l->kl_max, d.kl);
    l->same_top += d.same_top;
}

/* ---- asking ---------------------------------------------------------------- */

static int look(paths *p, const char *name)
{
    char path[4096];
    svlm_image *image;
    svlm_status st = SVLM_OK;
    if (!strcmp(p->image, name))
        return 0;
    snprintf(p->image, sizeof p->image, "%s", name);
    snprintf(path, sizeof path, "%s/%s", p->pack, name);
    if (svlm_image_open(&image, path, NULL, &err))
        return fail();
    for (int i = 0; i < PATHS && !st; i++) {
        svlm_features_close(p->picture[i]);
        st = svlm_features_encode(&p->picture[i], p->model[i], image, NULL, &err);
    }
    svlm_image_close(image);
    return st ? fail() : 0;
}

static int ask(paths *p, const char *image, const char *question)
{
    int rc = look(p, image);
    for (int k = 0; k < N_SETTINGS && !rc; k++) {
        sv_watched w[PATHS] = { { 0 } };
        for (int i = 0; i < PATHS && !rc; i++)
            if (sv_watch(&w[i], p->model[i], p->picture[i], question, settings[k], &err))
                rc = fail();
        if (!rc) {
            if (w[PRECISE].rows)
                add_layers(p, w);
            else if (have_same_judges(w))
                add_stages(p->same_judges[k], w);
            add_stages(p->stages[k], w);
            add_logits(&p->logits[k], w);
        }
        for (int i = 0; i < PATHS; i++)
            sv_watched_free(&w[i]);
    }
    p->n++;
    return rc;
}

static int ask_all(paths *p, int step)
{
    char path[4096], *line = NULL;
    const char *image, *question;
    size_t cap = 0;
    int rc = 0;
    snprintf(path, sizeof path, "%s/questions.jsonl", p->pack);
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        return 1;
    }
    for (int n = 0; !rc && getline(&line, &cap, f) > 0; n++) {
        json_t *j = n % step ? NULL : json_loads(line, 0, NULL);
        if (n % step == 0 && json_unpack(j, "{s:s, s:s}", "image", &image, "question", &question))
            rc = fprintf(stderr, "%s: line %d is not a question\n", path, n + 1) != 0;
        else if (n % step == 0)
            rc = ask(p, image, question);
        json_decref(j);
    }
    free(line);
    fclose(f);
    return rc;
}

/* ---- reporting ------------------------------------------------------------- */

static void print_stages(const stage_sum *s)
{
    printf("%4d", s->n);
    for (int i = 0; i < SV_WATCH_STAGES && s[i].n; i++)
        printf("   after layer %d: %.3f, %.3f", s[i].layer, s[i].mean / s[i].n, s[i].min);
    puts("");
}

static void print(const paths *p)
{
    printf("%d questions, %s\n\nhidden rows: cosine (least, mean), relative error\n", p->n,
           svlm_isa());
    for (int i = 0; i <= p->n_layers; i++) {
        const layer_sum *l = &p->layers[i];
        printf(i ? "after layer %2d" : "embeddings    ", i - 1);
        printf("  %.6f  %.6f  %.4f\n", l->cosine_min, l->cosine_mean / p->n, l->relative / p->n);
    }
    puts("\nvisual rows that both keep, of those that either keeps: mean, least; all questions, "
         "and\nthose where the same words judge");
    for (int k = 1; k < N_SETTINGS; k++) {
        printf("%4.0f ", settings[k]);
        print_stages(p->stages[k]);
        printf("     ");
        print_stages(p->same_judges[k]);
    }
    puts("\nlogits, differences over their standard deviation: largest, mean; KL divergence in "
         "nats:\nmean, largest; questions with the same likeliest token");
    for (int k = 0; k < N_SETTINGS; k++) {
        const logit_sum *l = &p->logits[k];
        char name[16] = "none";
        if (settings[k] > 0)
            snprintf(name, sizeof name, "%.0f", settings[k]);
        printf("%4s  %.4f  %.4f   %.2e  %.2e   %d\n", name, l->max, l->mean / p->n, l->kl / p->n,
               l->kl_max, l->same_top);
    }
}

int main(int argc, char **argv)
{
    static paths p;
    svlm_model_options mo;
    int step = argc == 5 ? atoi(argv[4]) : 0, rc = 0;
    if (step < 1) {
        fputs(usage, stderr);
        return 2;
    }
    SVLM_INIT(&mo);
    mo.model_path = argv[1];
    mo.mmproj_path = argv[2];
    p.pack = argv[3];
    for (int i = 0; i < PATHS && !rc; i++) {
        mo.precise = i == PRECISE;
        if (svlm_model_open(&p.model[i], &mo, &err))
            rc = fail();
    }
    if (!rc && !(rc = ask_all(&p, step)) && p.n)
        print(&p);
    for (int i = 0; i < PATHS; i++) {
        svlm_features_close(p.picture[i]);
        svlm_model_close(p.model[i]);
    }
    return rc;
}
