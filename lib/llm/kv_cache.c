/* SPDX-License-Identifier: MIT */
/* The ragged cache: layer, keys or values, head, row, value; innermost last. */
#include "llm/kv_cache.h"

#include <string.h>

#include "base/threads.h"

static size_t value_bytes(const sv_kv *kv)
{
    return kv->f16 ? sizeof(uint16_t) : sizeof(float);
}

/* One head's rows. */
static size_t head_bytes(const sv_kv *kv)
{
    return (size_t)kv->n_ctx * (size_t)kv->head_dim * value_bytes(kv);
}

static unsigned char *head_at(const sv_kv *kv, int layer, int is_value, int head)
{
    size_t i = ((size_t)layer * 2 + (size_t)is_value) * (size_t)kv->n_kv_heads + (size_t)head;
    return kv->data + i * head_bytes(kv);
}

void sv_kv_layout(sv_kv *kv, sv_arena *a)
{
    size_t n_heads = (size_t)kv->n_layers * 2 * (size_t)kv->n_kv_heads;
    kv->len = sv_take(a, (size_t)kv->n_layers, sizeof *kv->len);
    kv->data = sv_take(a, n_heads, head_bytes(kv));
}

size_t sv_kv_row_bytes(const sv_kv *kv)
{
    return 2 * (size_t)kv->n_kv_heads * (size_t)kv->head_dim * value_bytes(kv);
}

typedef struct put_job {
    const sv_kv *kv;
    const sv_kernels *k;
    int layer, at, n;
    const float *from[2];         /* keys, values */
} put_job;

/* One head's keys or values. */
static void put_head(void *arg, int task, int thread)
{
    const put_job *j = arg;
    const sv_kv *kv = j->kv;
    int is_value = task / kv->n_kv_heads, head = task % kv->n_kv_heads;
    size_t n = (size_t)kv->head_dim, stride = n * (size_t)kv->n_kv_heads;
    unsigned char *to = head_at(kv, j->layer, is_value, head) +
                        (size_t)j->at * n * value_bytes(kv);
    const float *from = j->from[is_value] + (size_t)head * n;
    (void)thread;
    for (int i = 0; i < j->n; i++, from += stride, to += n * value_bytes(kv)) {
        if (kv->f16)
            j->k->f32_to_f16((uint16_t *)to, from, n);
        else
            memcpy(to, from, n * sizeof(float));
    }
}

void sv_kv_put(const sv_kv *kv, const sv_mm *mm, int layer, int at, int n, const float *key,
               const float *value)
{
    put_job j = { kv, mm->k, layer, at, n, { key, value } };
    int n_threads = n < 16 ? 1 : mm->n_threads;    /* one row is not worth waking them */
    sv_parallel(n_threads, 2 * kv->n_kv_heads, put_head, &j);
}

static sv_kv_rows rows_at(const sv_kv *kv, int layer, int is_value)
{
    return (sv_kv_rows){ .data = head_at(kv, layer, is_value, 0), .f16 = kv->f16,
                         .row_stride = (size_t)kv->head_dim,
                         .head_stride = (size_t)kv->n_ctx * (size_t)kv->head_dim };
}

sv_kv_rows sv_kv_keys(const sv_kv *kv, int layer)
{
    return rows_at(kv, layer, 0);
}

sv_kv_rows sv_kv_values(const sv_kv *kv, int layer)
{
    return rows_at(kv, layer, 1);
}

/* Heads of one layer are head_bytes apart in the cache, and packed outside. */
static size_t packed_bytes(const sv_kv *kv, int n)
{
    return (size_t)n * (size_t)kv->head_dim * value_bytes(kv);
}

void sv_kv_save(const sv_kv *kv, int layer, int n, void *out)
{
    size_t n_bytes = packed_bytes(kv, n);
    for (int i = 0; i < 2 * kv->n_kv_heads; i++)
        memcpy((unsigned char *)out + (size_t)i * n_bytes, head_at(kv, layer, 0, i), n_bytes);
}

void sv_kv_load(const sv_kv *kv, int layer, int n, const void *in)
{
    size_t n_bytes = packed_bytes(kv, n);
    for (int i = 0; i < 2 * kv->n_kv_heads; i++)
        memcpy(head_at(kv, layer, 0, i), (const unsigned char *)in + (size_t)i * n_bytes, n_bytes);
}
