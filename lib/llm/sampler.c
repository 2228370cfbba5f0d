/* SPDX-License-Identifier: MIT */
/* Choosing the next token. Without a temperature the most likely one; else one
 * drawn from what top-k, then top-p, then min-p leave of the model's own
 * distribution, with the temperature applied last. Every filter keeps a
 * beginning of the list from the most to the least likely token, and the
 * lowest id first among equals, so a seed gives one text on every machine
 * with the same logits. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "llm/llm.h"

enum { N_RECENT = 64 };           /* tokens the repeat penalty looks back */

typedef struct candidate { float logit; int32_t id; } candidate;

struct sv_sampler {
    sv_sampler_options opt;
    const sv_vocab *v;
    sv_rng rng;
    int n_vocab;
    candidate *cand;              /* [n_vocab] */
    uint8_t *n_seen;              /* [n_vocab] times among the recent ones */
    int32_t recent[N_RECENT];
    int n_recent, next;           /* a ring */
};

/* ---- life ----------------------------------------------------------------- */

static svlm_status check(const sv_sampler_options *o, svlm_error *err)
{
    const struct { const char *name; float value; } all[] = {
        { "temperature", o->temperature }, { "top_p", o->top_p }, { "min_p", o->min_p },
        { "repeat_penalty", o->repeat_penalty },
    };
    for (int i = 0; i < 4; i++)
        if (!(all[i].value >= 0))
            return sv_fail(err, SVLM_ERR_ARG, "%s is %g; it must be 0 or more", all[i].name,
                           all[i].value);
    if (isinf(o->repeat_penalty))
        return sv_fail(err, SVLM_ERR_ARG, "repeat_penalty is infinite");
    if (o->top_k < 0)
        return sv_fail(err, SVLM_ERR_ARG, "top_k is %d; it must be 0 or more", o->top_k);
    return SVLM_OK;
}

/* Lays out a sampler in one block; without a block, its size. */
static size_t layout(char *block, int n_vocab)
{
    size_t n = (size_t)n_vocab, at = sizeof(sv_sampler);
    sv_sampler *s = (sv_sampler *)block;
    if (s)
        s->cand = (candidate *)(block + at);
    at += n * sizeof(candidate);
    if (s)
        s->n_seen = (uint8_t *)(block + at);
    return at + n;
}

size_t sv_sampler_cost(const sv_vocab *v)
{
    return layout(NULL, sv_vocab_size(v));
}

svlm_status sv_sampler_new(sv_sampler **out, const sv_sampler_options *o, const sv_vocab *v,
                           svlm_error *err)
{
    *out = NULL;
    svlm_status st = check(o, err);
    if (st)
        return st;
    sv_sampler *s = sv_calloc(SV_MEM_CHAT, 1, sv_sampler_cost(v));
    if (!s)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a choice among %d tokens",
                       sv_vocab_size(v));
    layout((char *)s, sv_vocab_size(v));
    s->opt = *o;
    s->v = v;
    s->n_vocab = sv_vocab_size(v);
    sv_sampler_reset(s);
    *out = s;
    return SVLM_OK;
}

void sv_sampler_free(sv_sampler *s)
{
    sv_free(s);
}

void sv_sampler_reset(sv_sampler *s)
{
    s->rng.state = s->opt.seed;
    s->n_recent = s->next = 0;
    memset(s->n_seen, 0, (size_t)s->n_vocab);
}

void sv_sampler_accept(sv_sampler *s, int32_t token)
{
    if (token < 0 || token >= s->n_vocab)
        return;
    if (s->n_recent == N_RECENT)
        s->n_seen[s->recent[s->next]]--;
    else
        s->n_recent++;
    s->recent[s->next] = token;
    s->n_seen[token]++;
    s->next = (s->next + 1) % N_RECENT;
}

/* ---- order ---------------------------------------------------------------- */

static int is_better(candidate a, candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void sift_down(candidate *heap, int n, int i)
{
    candidate c = heap[i];
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_better(heap[child + 1], heap[child]))
            child++;
        if (!is_better(heap[child], c))
            break;
        heap[i] = heap[child];
    }
    heap[i] = c;
}

/* Moves the best of the first n to place n - 1, so that taking one after the
 * other leaves them in order from the end. */
static candidate take_best(candidate *heap, int n)
{
    candidate best = heap[0];
    heap[0] = heap[n - 1];
    heap[n - 1] = best;
    sift_down(heap, n - 1, 0);
    return best;
}

/* ---- choice --------------------------------------------------------------- */

/* What may be chosen, with penalties applied. Logits that are no numbers, or
 * infinite, are never chosen. */
static int collect(sv_sampler *s, const float *logits)
{
    float penalty = s->opt.repeat_penalty;
    int n = 0;
    for (int32_t id = 0; id < s->n_vocab; id++) {
        float x = logits[id];
        if (penalty > 0 && s->n_seen[id])
            x = x > 0 ? x / penalty : x * penalty;
        if (isfinite(x) && sv_vocab_may_sample(s->v, id))
            s->cand[n++] = (candidate){ x, id };
    }
    return n;
}

static int32_t best_of(const candidate *c, int n)
{
    candidate best = c[0];
    for (int i = 1; i < n; i++)
        if (is_better(c[i], best))
            best = c[i];
    return best.id;
}

/* Relative to the most likely one, so never above 1. */
static double weight(candidate c, float best, double temperature)
{
    return exp(((double)c.logit - best) / temperature);
}

/* Leaves what the filters let pass at the end of the n candidates, the best one
 * last, and returns how many those are: at least one. */
static int filter(const sv_sampler *s, int n)
{
    const sv_sampler_options *o = &s->opt;
    int limit = o->top_k && o->top_k < n ? o->top_k : n, n_sorted = 0, kept = 0;
    int by_sum = o->top_p > 0 && o->top_p < 1;
    double sum = 0, before = 0;
    if (limit == n && !by_sum && !(o->min_p > 0))
        return n;
    for (int i = n / 2; i-- > 0;)
        sift_down(s->cand, n, i);
    float best = s->cand[0].logit;
    while (limit < n && n_sorted < limit)
        take_best(s->cand, n - n_sorted++);
    for (int i = n - limit; i < n; i++)
        sum += weight(s->cand[i], best, 1);
    double enough = by_sum ? o->top_p * sum : INFINITY;
    for (; kept < limit; kept++) {
        candidate c = kept < n_sorted ? s->cand[n - 1 - kept] : take_best(s->cand, n - kept);
        double w = weight(c, best, 1);
        if (kept && (before >= enough || w < o->min_p))
            break;
        before += w;
    }
    return kept;
}

/* Draws by weight, from the last candidate on. */
static int32_t draw(sv_sampler *s, const candidate *c, int n)
{
    double sum = 0;
    float best = c[n - 1].logit;
    for (int i = 0; i < n; i++)
        best = c[i].logit > best ? c[i].logit : best;
    for (int i = 0; i < n; i++)
        sum += weight(c[i], best, s->opt.temperature);
    double left = sv_rng_uniform(&s->rng) * sum;
    for (int i = n - 1; i > 0; i--)
        if ((left -= weight(c[i], best, s->opt.temperature)) < 0)
            return c[i].id;
    return c[0].id;
}

int32_t sv_sampler_pick(sv_sampler *s, const float *logits)
{
    int n = collect(s, logits);
    if (!n)
        return -1;
    if (s->opt.temperature == 0)
        return best_of(s->cand, n);
    int kept = filter(s, n);
    return draw(s, s->cand + n - kept, kept);
}
