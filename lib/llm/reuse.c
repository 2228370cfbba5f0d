/* SPDX-License-Identifier: MIT */
/* States hang on features, which threads share. A state is immutable once it hangs
 * there; the lock is held for pointers and counts only, never while rows are copied. */
#include "llm/reuse.h"

#include <pthread.h>

#include "base/alloc.h"

#define IS_PICTURE (UINT64_C(1) << 63)

/* Everything the rows depend on. */
typedef struct key {
    uint64_t model;
    const sv_kernels *kernels;
    int kv_f32, precise, first_layer, n_rows;
    size_t n_items;
    uint64_t *item;               /* [n_items] token ids, and pictures by number */
} key;

typedef struct state {
    int n_refs;
    key key;
    size_t n_bytes;
    unsigned char *data;          /* keys and values per layer, then hidden rows */
} state;

/* What svlm_features.reuse points to. */
typedef struct holder {
    uint64_t number;              /* of the picture: addresses come again, numbers do not */
    state *kept;
} holder;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t n_holders;        /* under the lock, as are all holders */

static void state_free(state *st)
{
    if (!st)
        return;
    sv_free(st->key.item);
    sv_free(st->data);
    sv_free(st);
}

/* Under the lock: 1 if the caller is to free it, after unlocking. */
static int let_go(state *st)
{
    return st && --st->n_refs == 0;
}

static void holder_free(void *reuse)
{
    holder *h = reuse;
    pthread_mutex_lock(&lock);
    state *st = h->kept;
    int last = let_go(st);
    pthread_mutex_unlock(&lock);
    if (last)
        state_free(st);
    sv_free(h);
}

/* Under the lock; NULL when there is no memory for one. */
static holder *holder_of(svlm_features *f)
{
    if (!f->reuse) {
        holder *h = sv_calloc(SV_MEM_FEATURES, 1, sizeof *h);
        if (!h)
            return NULL;
        h->number = ++n_holders;
        f->reuse = h;
        f->reuse_free = holder_free;
    }
    return f->reuse;
}

static void key_free(key *k)
{
    sv_free(k->item);
    k->item = NULL;
}

/* 0 when the turn's first rows cannot be kept or found, or there is no memory. */
static int make_key(key *k, const sv_session *s, const sv_turn *t)
{
    const sv_prompt *p = t->prompt;
    size_t n = p->n;
    int image = 0, ok = 1;
    if (!s->o.reuse_bytes || s->trace || t->first_layer < 1 || t->n_prefix < 1 ||
        t->n_prefix >= s->rows.n || t->room < s->o.n_ctx)
        return 0;
    while (!p->item[n - 1].is_image)
        n--;
    *k = (key){ .model = s->m->id, .kernels = s->k, .kv_f32 = s->o.kv_f32,
                .precise = s->o.precise, .first_layer = t->first_layer, .n_rows = t->n_prefix,
                .n_items = n };
    k->item = sv_malloc(SV_MEM_FEATURES, n, sizeof *k->item);
    if (!k->item)
        return 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n && ok; i++) {
        holder *h = p->item[i].is_image ? holder_of(t->images[image++]) : NULL;
        ok = h || !p->item[i].is_image;
        k->item[i] = h ? IS_PICTURE | h->number : (uint64_t)p->item[i].id;
    }
    pthread_mutex_unlock(&lock);
    if (!ok)
        key_free(k);
    return ok;
}

static int same_key(const key *a, const key *b)
{
    return a->model == b->model && a->kernels == b->kernels && a->kv_f32 == b->kv_f32 &&
           a->precise == b->precise && a->first_layer == b->first_layer &&
           a->n_rows == b->n_rows && a->n_items == b->n_items &&
           !memcmp(a->item, b->item, a->n_items * sizeof *a->item);
}

static svlm_features *last_picture(const sv_turn *t)
{
    return t->images[t->n_images - 1];
}

/* Bytes of one layer's keys and values, and of the hidden rows; after the last layer
 * nobody needs those. */
static size_t layer_bytes(const sv_session *s, int n_rows)
{
    return (size_t)n_rows * sv_kv_row_bytes(&s->kv);
}

static size_t hidden_bytes(const sv_session *s, const key *k)
{
    return k->first_layer < s->m->n_layers
               ? (size_t)k->n_rows * (size_t)s->m->n_embd * sizeof(float) : 0;
}

static state *find(const sv_turn *t, const key *k)
{
    pthread_mutex_lock(&lock);
    holder *h = holder_of(last_picture(t));
    state *st = h && h->kept && same_key(&h->kept->key, k) ? h->kept : NULL;
    if (st)
        st->n_refs++;
    pthread_mutex_unlock(&lock);
    return st;
}

int sv_reuse_restore(sv_session *s, const sv_turn *t)
{
    key k;
    if (!make_key(&k, s, t))
        return 0;
    state *st = find(t, &k);
    if (st) {
        size_t n = layer_bytes(s, k.n_rows);
        for (int l = 0; l < k.first_layer; l++)
            sv_kv_load(&s->kv, l, k.n_rows, st->data + (size_t)l * n);
        memcpy(s->rows.hidden, st->data + (size_t)k.first_layer * n, hidden_bytes(s, &k));
        s->reuse_bytes = st->n_bytes;
        pthread_mutex_lock(&lock);
        int last = let_go(st);
        pthread_mutex_unlock(&lock);
        if (last)
            state_free(st);
    }
    key_free(&k);
    return st ? k.n_rows : 0;
}

/* A copy of the rows, which takes the key's items over; NULL: too large, or no memory. */
static state *copy_rows(const sv_session *s, key *k)
{
    size_t n = layer_bytes(s, k->n_rows), n_hidden = hidden_bytes(s, k);
    size_t n_bytes = (size_t)k->first_layer * n + n_hidden;
    state *st = n_bytes <= s->o.reuse_bytes ? sv_calloc(SV_MEM_FEATURES, 1, sizeof *st) : NULL;
    if (!st || !(st->data = sv_malloc(SV_MEM_FEATURES, n_bytes, 1))) {
        state_free(st);
        return NULL;
    }
    for (int l = 0; l < k->first_layer; l++)
        sv_kv_save(&s->kv, l, k->n_rows, st->data + (size_t)l * n);
    memcpy(st->data + (size_t)k->first_layer * n, s->rows.hidden, n_hidden);
    st->n_refs = 1;
    st->n_bytes = n_bytes;
    st->key = *k;
    k->item = NULL;
    return st;
}

void sv_reuse_keep(sv_session *s, const sv_turn *t)
{
    key k;
    if (!make_key(&k, s, t))
        return;
    state *st = copy_rows(s, &k), *old = NULL;
    if (st) {
        pthread_mutex_lock(&lock);
        holder *h = holder_of(last_picture(t));    /* make_key saw to it that there is one */
        old = h->kept;
        h->kept = st;
        int last = let_go(old);
        pthread_mutex_unlock(&lock);
        if (last)
            state_free(old);
        s->reuse_bytes = st->n_bytes;
    }
    key_free(&k);
}
