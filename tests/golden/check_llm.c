/* SPDX-License-Identifier: MIT */
/* One case of the language model: token ids, rows per layer, hidden rows, logits and
 * 16 greedy tokens. */
#include "golden/check_goldens.h"

#include <math.h>

enum { N_GREEDY = 16, MARGIN = 8 };

/* What a prefill is watched for. */
typedef struct watch {
    verdict *v;
    const json_t *stats;          /* layer_stats */
    npy hidden_last;
    double tolerance;
    int n_embd;
    const prune_case *prune;      /* or NULL */
} watch;

int llm_file_open(llm_file *f, const char *path, verdict *v)
{
    svlm_error err = { 0 };
    memset(f, 0, sizeof *f);
    if (sv_map_file(&f->map, path, 0, &err) || sv_gguf_parse(&f->gguf, &f->map, &err) ||
        sv_llm_load(&f->llm, &f->gguf, NULL, &err) ||
        sv_vocab_load(&f->vocab, &f->gguf, NULL, &err)) {
        differ(v, "%s", err.message);
        llm_file_close(f);
        return 0;
    }
    return 1;
}

void llm_file_close(llm_file *f)
{
    sv_vocab_free(f->vocab);
    sv_llm_free(&f->llm);
    sv_gguf_free(&f->gguf);
    sv_map_close(&f->map);
    memset(f, 0, sizeof *f);
}

/* Mean, deviation, largest magnitude and norm over all rows. Each value may be off
 * by the tolerance, so the first three may too, and the norm of n values by
 * sqrt(n) times it. */
static void check_stats(const watch *w, int layer, const float *x, size_t n)
{
    const json_t *want = json_array_get(w->stats, (size_t)layer);
    double sum = 0, square = 0, most = 0, off = 0;
    char figure[64];
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        square += (double)x[i] * x[i];
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    }
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        off += (x[i] - mean) * (x[i] - mean);
    const double got[4] = { mean, sqrt(off / (double)(n - 1)), most, sqrt(square) };
    for (size_t i = 0; i < 4; i++) {
        snprintf(figure, sizeof figure, "layer_stats[%d][%zu]", layer, i);
        near(w->v, figure, got[i], json_number_value(json_array_get(want, i)),
             i < 3 ? w->tolerance : w->tolerance * sqrt((double)n));
    }
}

static void see_layer(void *user, int layer, const float *rows, int n_rows)
{
    const watch *w = user;
    size_t n = (size_t)w->n_embd;
    char figure[64];
    snprintf(figure, sizeof figure, "hidden_last[%d]", layer + 1);
    if ((size_t)(layer + 2) * n > w->hidden_last.n)
        differ(w->v, "hidden_last has no row %d", layer + 1);
    else
        near_all(w->v, figure, rows + (size_t)(n_rows - 1) * n,
                 w->hidden_last.f + (size_t)(layer + 1) * n, n, w->tolerance);
    if (layer >= 0)
        check_stats(w, layer, rows, (size_t)n_rows * n);
    if (w->prune)
        check_merged(w->prune, w->v, layer, rows, n_rows, w->n_embd);
}

static void add_text(verdict *v, const llm_case *c, const char *which, int bos, sv_prompt *p)
{
    const json_t *text = json_object_get(c->json, which);
    char ids_key[32];
    sv_ids ids = { 0 };
    svlm_error err;
    snprintf(ids_key, sizeof ids_key, "ids%s", which + 4);
    if (!json_is_string(text))
        return;
    if (bos)
        sv_ids_add(&ids, sv_vocab_bos(c->file->vocab), NULL);
    if (sv_tokenize(c->file->vocab, json_string_value(text), json_string_length(text), 0, &ids,
                    &err))
        differ(v, "%s: %s", which, err.message);
    same_ints(v, ids_key, ids.id, ids.n, json_object_get(c->json, ids_key));
    for (size_t i = 0; i < ids.n && p->n < p->cap; i++)
        p->item[p->n++] = (sv_prompt_item){ .id = ids.id[i], .question = 1 };
    sv_ids_free(&ids);
}

/* The prompt as tokenised here, which has to be the one in the case. */
static sv_prompt prompt_of(verdict *v, const llm_case *c)
{
    sv_prompt p = { .cap = 4096 };
    p.item = calloc(p.cap, sizeof *p.item);
    CHECK(p.item != NULL);
    add_text(v, c, "text_before", 1, &p);
    if (c->features)
        p.item[p.n++] = (sv_prompt_item){ .is_image = 1 };
    add_text(v, c, "text_after", 0, &p);
    return p;
}

static int32_t best(const float *logits, int n)
{
    int top = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[top])
            top = i;
    return top;
}

/* Row k of logits follows k greedy tokens. */
static void check_greedy(verdict *v, const llm_case *c, sv_session *s, const npy *logits,
                         double tolerance)
{
    int32_t tokens[N_GREEDY];
    int n_vocab = c->file->llm.n_vocab, n = 0;
    svlm_error err;
    char figure[64];
    while (n < N_GREEDY) {
        snprintf(figure, sizeof figure, "logits[%d]", n);
        near_all(v, figure, sv_session_logits(s), logits->f + (size_t)n * (size_t)n_vocab,
                 (size_t)n_vocab, tolerance);
        tokens[n] = best(sv_session_logits(s), n_vocab);
        if (++n < N_GREEDY && sv_decode(s, tokens[n - 1], &err)) {
            differ(v, "token %d: %s", n, err.message);
            break;
        }
    }
    same_ints(v, "greedy", tokens, (size_t)n, json_object_get(c->json, "greedy"));
}

static void check_lengths(verdict *v, const llm_case *c, const sv_session *s)
{
    svlm_chat_stats st = { .size = sizeof st };
    sv_session_stats(s, &st);
    same_ints(v, "seq_len", st.rows_in, (size_t)st.n_layers, json_object_get(c->json, "seq_len"));
    same_ints(v, "kv_len", st.cached, (size_t)st.n_layers, json_object_get(c->json, "kv_len"));
}

/* Twice: watched, with the last layer complete, and as it is used. */
static void run(verdict *v, const llm_case *c, sv_session *s, const sv_prompt *p)
{
    const json_t *tolerance = json_object_get(c->json, "tolerance");
    double bound = number_of(tolerance, "logits");
    char path[1024];
    snprintf(path, sizeof path, "%s/logits.npy", c->dir);
    npy logits = golden_npy(path);
    snprintf(path, sizeof path, "%s/hidden_last.npy", c->dir);
    watch w = { v, json_object_get(c->json, "layer_stats"), golden_npy(path),
                number_of(tolerance, "hidden_last"), c->file->llm.n_embd, c->prune };
    svlm_hook hook = { 0 };
    svlm_error err;
    int n_images = c->features != NULL;
    if (logits.n != (size_t)N_GREEDY * (size_t)c->file->llm.n_vocab)
        fail_msg("%s/logits.npy: not %d rows of %d", c->dir, N_GREEDY, c->file->llm.n_vocab);
    if (c->prune)
        hook = prune_case_hook(c->prune, v);
    for (int watched = 1; watched >= 0; watched--) {
        sv_session_reset(s);
        sv_session_trace(s, watched ? see_layer : NULL, &w);
        if (sv_prefill(s, p, &c->features, n_images, c->prune ? &hook : NULL, NULL,
                       &err)) {
            differ(v, "%s", err.message);
            break;
        }
        check_lengths(v, c, s);
        if (c->prune)
            check_prune(c->prune);
        near_all(v, "logits[0]", sv_session_logits(s), logits.f, (size_t)c->file->llm.n_vocab,
                 bound);
    }
    if (!v->failed)
        check_greedy(v, c, s, &logits, bound);
    npy_free(&logits);
    npy_free(&w.hidden_last);
}

void check_llm(verdict *v, const llm_case *c)
{
    svlm_error err;
    sv_session *s;
    sv_prompt p = prompt_of(v, c);
    int n_rows = c->features ? c->features->n_rows : 0;
    /* One thread: the result does not depend on it, and cores are shared. */
    sv_session_options o = { .n_ctx = (int)p.n + n_rows + N_GREEDY + MARGIN, .precise = 1,
                             .kv_f32 = !c->kv_f16, .n_threads = 1 };
    if (sv_session_new(&s, &c->file->llm, sv_kernels_get(), &o, &err))
        differ(v, "%s", err.message);
    else
        run(v, c, s, &p);
    sv_session_free(s);
    free(p.item);
}
