/* SPDX-License-Identifier: MIT */
/* Best-first merging of neighbours: a heap of candidate pairs over a linked
 * list of symbols, so a text of n symbols takes n log n steps. A pair that has
 * changed since it was queued is told by its length: symbols only grow. */
#include "text/vocab.h"

#include "base/alloc.h"

enum { MERGED_AWAY = -2 };

svlm_status sv_merger_add(sv_merger *m, size_t start, int32_t id, svlm_error *err)
{
    if (m->n_sym + 2 > m->cap_sym) {             /* there is always room for the end mark */
        size_t cap = m->cap_sym ? m->cap_sym * 2 : 64;
        sv_symbol *sym = sv_realloc(SV_MEM_TEMP, m->sym, cap, sizeof *sym);
        if (!sym)
            return sv_fail(err, SVLM_ERR_NOMEM, "no memory to split a text into tokens");
        m->sym = sym;
        m->cap_sym = cap;
    }
    uint32_t i = (uint32_t)m->n_sym++;
    m->sym[i] = (sv_symbol){ .start = (uint32_t)start, .prev = i - 1, .next = i + 1, .id = id };
    return SVLM_OK;
}

static void sift_up(sv_pair *heap, size_t i)
{
    sv_pair p = heap[i];
    for (; i && heap[(i - 1) / 2].key > p.key; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = p;
}

static sv_pair pop(sv_merger *m)
{
    sv_pair *heap = m->heap, top = heap[0], last = heap[--m->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < m->n_heap; i = child) {
        if (child + 1 < m->n_heap && heap[child + 1].key < heap[child].key)
            child++;
        if (heap[child].key >= last.key)
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* Queues the symbol and its right neighbour, if they merge. The key orders by
 * rule first and leftmost next. */
static svlm_status push(sv_merger *m, uint32_t left, sv_pair_fn pair, const void *ctx,
                        svlm_error *err)
{
    const sv_symbol *a = &m->sym[left];
    if (a->next >= m->n_sym)
        return SVLM_OK;
    const sv_symbol *b = &m->sym[a->next];
    uint32_t order;
    int32_t id;
    if (!pair(ctx, m, a, b, &order, &id))
        return SVLM_OK;
    if (m->n_heap == m->cap_heap) {
        size_t cap = m->cap_heap ? m->cap_heap * 2 : 64;
        sv_pair *heap = sv_realloc(SV_MEM_TEMP, m->heap, cap, sizeof *heap);
        if (!heap)
            return sv_fail(err, SVLM_ERR_NOMEM, "no memory to split a text into tokens");
        m->heap = heap;
        m->cap_heap = cap;
    }
    m->heap[m->n_heap] = (sv_pair){ .key = (uint64_t)order << 32 | left,
                                    .n_bytes = m->sym[b->next].start - a->start, .id = id };
    sift_up(m->heap, m->n_heap++);
    return SVLM_OK;
}

/* The pair as it was queued: neither side has been merged since. */
static int is_current(const sv_merger *m, const sv_pair *p)
{
    const sv_symbol *a = &m->sym[(uint32_t)p->key];
    return a->id != MERGED_AWAY && a->next < m->n_sym &&
           m->sym[m->sym[a->next].next].start - a->start == p->n_bytes;
}

svlm_status sv_merge(sv_merger *m, size_t n, sv_pair_fn pair, const void *ctx, svlm_error *err)
{
    svlm_status st = SVLM_OK;
    m->n_heap = 0;
    m->sym[m->n_sym] = (sv_symbol){ .start = (uint32_t)n };
    for (uint32_t i = 0; !st && i < m->n_sym; i++)
        st = push(m, i, pair, ctx, err);
    while (!st && m->n_heap) {
        sv_pair p = pop(m);
        if (!is_current(m, &p))
            continue;
        uint32_t left = (uint32_t)p.key;
        sv_symbol *a = &m->sym[left], *b = &m->sym[a->next];
        a->id = p.id;
        a->next = b->next;
        b->id = MERGED_AWAY;
        m->sym[b->next].prev = left;
        st = push(m, left, pair, ctx, err);
        if (!st && left)
            st = push(m, a->prev, pair, ctx, err);
    }
    return st;
}

void sv_merger_free(sv_merger *m)
{
    sv_free(m->sym);
    sv_free(m->heap);
}
