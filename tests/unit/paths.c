/* SPDX-License-Identifier: MIT */
/* The fast path of the language model against the precise one, over whole prompts of quantised
 * models, through the public interface. Both get the same rows for the picture, so all that
 * differs is what rounding activations to 8 bits does.
 *
 * How much that may be. A block of 32 activations is rounded to whole multiples of s, its
 * largest over 127, which moves each value by s / sqrt(12) on average (root of the mean
 * square). Of 32 normal values of deviation 1 the largest squared is 5.71 on average, so a
 * vector, and a product with it, is off by
 *
 *     EPS = sqrt(5.71 / 12) / 127 = 0.0054   of its own length.
 *
 * A layer adds two things to its rows. Attention's is made of q, k, v and the output product,
 * the feed-forward's of gate, up and down: four and three products one behind or beside the
 * other, whose errors know nothing of each other and add up in squares: off by 2 EPS at most,
 * as long as none of them is stretched on its way (the slopes of softmax and SiLU are near one
 * here). SLACK of two is for that, and turns all averages below into bounds:
 *
 * - What the first layer adds is off by 2 EPS of itself. Rounding goes up as often as down, so
 *   the part of the error along what is added is 2 EPS over the root of as many numbers as err
 *   independently, and that is one row's even if all rows erred alike. A wrong scale is not
 *   noise: one per cent of it is two to three in what a layer adds, all along, far outside.
 * - Rows hold what all layers before have added. If each left its rows off by 2 EPS, and errors
 *   of different layers are independent, they are off by 2 EPS sqrt(layers).
 * - An error of length e turns a row by the angle e: its cosine is 1 - e^2 / 2. One row of some
 *   hundred may be off by three times the average.
 * - The output product makes logits of the last row, each with an error of that share of their
 *   deviation (and a rounding more): of n of them, 0.8 of it on average, the largest
 *   sqrt(2 log n) of it; the KL divergence is half the variance.
 * - A pruning score is an average of probabilities e^s. s comes of q and k, both off by EPS:
 *   sqrt(2) EPS of its deviation, which is near 1.4 here, so scores are off by 2 EPS of
 *   themselves. Where the paths keep different rows, these lie that close to the last one kept.
 */
#include "check.h"

#include <math.h>

#include "bench/watch.h"
#include "tools/divergence.h"

static const double EPS = 0.0054, SLACK = 2;

enum { FAST, PRECISE, PATHS };

typedef struct pair {
    svlm_model *model[PATHS];
    svlm_features *picture[PATHS];
} pair;

static svlm_error err;

static void must(svlm_status st)
{
    if (st)
        fail_msg("%s", err.message);
}

static const char *data(const char *folder, const char *name)
{
    static char path[3][1024];
    static int turn;
    char *p = path[turn++ % 3];
    const char *root = getenv("SVLM_TEST_DATA");
    snprintf(p, sizeof path[0], "%s/%s/%s", root ? root : "tests/data", folder, name);
    return p;
}

/* The precise tower's rows for both. */
static void open_pair(pair *p, const char *model, const char *mmproj)
{
    svlm_model_options mo;
    svlm_image *image;
    SVLM_INIT(&mo);
    mo.model_path = data("models", model);
    mo.mmproj_path = data("models", mmproj);
    for (int i = 0; i < PATHS; i++) {
        mo.precise = i == PRECISE;
        must(svlm_model_open(&p->model[i], &mo, &err));
    }
    must(svlm_image_open(&image, data("images", "square336.png"), NULL, &err));
    must(svlm_features_encode(&p->picture[PRECISE], p->model[PRECISE], image, NULL, &err));
    must(svlm_features_from_rows(&p->picture[FAST], p->model[FAST],
                                 svlm_features_rows(p->picture[PRECISE]),
                                 svlm_features_n_rows(p->picture[PRECISE]), &err));
    svlm_image_close(image);
}

static void close_pair(pair *p)
{
    for (int i = 0; i < PATHS; i++) {
        svlm_features_close(p->picture[i]);
        svlm_model_close(p->model[i]);
    }
}

static void ask(sv_watched w[PATHS], const pair *p, double retain)
{
    for (int i = 0; i < PATHS; i++)
        must(sv_watch(&w[i], p->model[i], p->picture[i], "What is it?", retain, &err));
}

static void below(const char *what, int layer, double got, double bound)
{
    if (!(got <= bound))
        fail_msg("%s, layer %d: %g is above %g", what, layer, got, bound);
}

/* What layer 0 adds to its rows, x on the precise path and y on the fast one. */
static void check_first_layer(const sv_watched w[PATHS])
{
    const size_t n = (size_t)w[PRECISE].n_rows * (size_t)w[PRECISE].n_embd;
    const float *a = w[PRECISE].rows, *b = w[FAST].rows;
    double xx = 0, xy = 0, apart = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[n + i] - a[i], y = (double)b[n + i] - b[i];
        CHECK(a[i] == b[i]);
        xx += x * x;
        xy += x * y;
        apart += (y - x) * (y - x);
    }
    below("error of what is added", 0, sqrt(apart / xx), SLACK * 2 * EPS);
    below("error along what is added", 0, fabs(xy / xx - 1), 2 * EPS / sqrt(w[PRECISE].n_embd));
}

static double rows_bound(int n_layers)
{
    return SLACK * 2 * EPS * sqrt(n_layers);
}

static void check_layers(const sv_watched w[PATHS])
{
    const int n_rows = w[PRECISE].n_rows, n_embd = w[PRECISE].n_embd;
    const size_t n = (size_t)n_rows * (size_t)n_embd;
    for (int i = 1; i <= w[PRECISE].n_layers; i++) {
        sv_rows_apart d = sv_rows_compare(w[PRECISE].rows + (size_t)i * n,
                                          w[FAST].rows + (size_t)i * n, n_rows, n_embd);
        double bound = rows_bound(i);
        below("error of rows", i - 1, d.relative, bound);
        below("1 - mean cosine", i - 1, 1 - d.cosine_mean, bound * bound / 2);
        below("1 - least cosine", i - 1, 1 - d.cosine_min, 9 * bound * bound / 2);
    }
}

static void check_logits(const sv_watched w[PATHS])
{
    const int n = w[PRECISE].n_vocab, n_layers = w[PRECISE].n_layers;
    sv_divergence d = sv_divergence_of(w[PRECISE].logits, w[FAST].logits, n);
    double error = rows_bound(n_layers + 1) * sv_deviation(w[PRECISE].logits, n);
    below("mean error of logits", n_layers, d.mean, 0.8 * error);
    below("largest error of logits", n_layers, d.max, sqrt(2 * log(n)) * error);
    below("divergence", n_layers, d.kl, error * error / 2);
}

/* The first stage: later ones see other rows where the first one kept others. */
static void check_survivors(const sv_watched w[PATHS])
{
    const sv_watched_stage *p = &w[PRECISE].stages[0], *f = &w[FAST].stages[0];
    const int n = w[PRECISE].n_visual;
    double cut = INFINITY, square = 0;
    CHECK(w[PRECISE].n_stages > 0 && w[FAST].n_stages > 0 && p->score && f->score);
    for (int i = 0; i < n; i++) {
        double off = log((double)f->score[i] / p->score[i]);
        below("error of a score", p->layer, fabs(off), 6 * 2 * EPS);
        square += off * off / n;
        if (p->kept[i])
            cut = fmin(cut, p->score[i]);
    }
    below("error of scores", p->layer, sqrt(square), SLACK * 2 * EPS);
    for (int i = 0; i < n; i++)
        if (p->kept[i] != f->kept[i])
            below("distance from the cut", p->layer, fabs(log(p->score[i] / cut)),
                  2 * 6 * 2 * EPS);
}

static void check_model(const char *model, const char *mmproj)
{
    pair p;
    sv_watched w[PATHS];
    open_pair(&p, model, mmproj);
    ask(w, &p, 0);
    check_first_layer(w);
    check_layers(w);
    check_logits(w);
    for (int i = 0; i < PATHS; i++)
        sv_watched_free(&w[i]);
    ask(w, &p, 192);
    check_survivors(w);
    for (int i = 0; i < PATHS; i++)
        sv_watched_free(&w[i]);
    close_pair(&p);
}

static void test_q4_0(void **state)
{
    (void)state;
    check_model("t2/t2-q4_0.gguf", "t2/mmproj-t2-f16.gguf");
}

static void test_q8_0(void **state)
{
    (void)state;
    check_model("t2/t2-q8_0.gguf", "t2/mmproj-t2-f16.gguf");
}

static void test_q4_k_m(void **state)
{
    (void)state;
    check_model("t4/t4-q4_k_m.gguf", "t4/mmproj-t4-f16.gguf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_q4_0), cmocka_unit_test(test_q8_0), cmocka_unit_test(test_q4_k_m),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
