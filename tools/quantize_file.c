/* SPDX-License-Identifier: MIT */
/* Reads what kind of model a file holds, chooses a type for each tensor, copies the
 * keys and recodes the tensors in their order. */
#include "quantize_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/alloc.h"

typedef struct quantizing {
    const sv_quantize_job *job;
    sv_map map;
    sv_gguf g;
    int vision;
    sv_mix_model model;
    sv_gguf_writer *w;
} quantizing;

static svlm_status refuse_same_file(const sv_quantize_job *job, svlm_error *err)
{
    struct stat in, out;
    if (stat(job->in, &in) || stat(job->out, &out) || in.st_dev != out.st_dev ||
        in.st_ino != out.st_ino)
        return SVLM_OK;
    return sv_fail(err, SVLM_ERR_ARG, "%s would replace its own source", job->out);
}

/* The first of a number per layer, where it is not the same for all. */
static svlm_status read_count(const quantizing *q, sv_span arch, const char *what, uint32_t *out,
                              svlm_error *err)
{
    char key[200];
    sv_gguf_array a = { 0 };
    snprintf(key, sizeof key, "%.*s.%s", arch.n < 100 ? (int)arch.n : 100, arch.p, what);
    if (!sv_gguf_opt_array(&q->g, key, &a, NULL) && a.n > 0) {
        double v = sv_gguf_number(&a, 0);
        *out = v >= 1 && v <= INT32_MAX ? (uint32_t)v : 0;
        return SVLM_OK;
    }
    return sv_gguf_opt_u32(&q->g, key, out, err);
}

static svlm_status read_model(quantizing *q, svlm_error *err)
{
    sv_span arch;
    svlm_status st = sv_gguf_get_str(&q->g, "general.architecture", &arch, err);
    if (st)
        return st;
    q->vision = arch.n == 4 && !memcmp(arch.p, "clip", 4);
    if (q->vision)
        return SVLM_OK;
    uint32_t layers = 0, heads = 0, kv = 0;
    if ((st = read_count(q, arch, "block_count", &layers, err)) ||
        (st = read_count(q, arch, "attention.head_count", &heads, err)))
        return st;
    kv = heads;
    if ((st = read_count(q, arch, "attention.head_count_kv", &kv, err)))
        return st;
    if (!layers || !heads || !kv || layers > INT32_MAX || heads > INT32_MAX || kv > heads)
        return sv_fail(err, SVLM_ERR_FORMAT,
                       "%s: %" PRIu32 " layers with %" PRIu32 " heads and %" PRIu32
                       " key heads make no model",
                       q->job->in, layers, heads, kv);
    q->model =
        (sv_mix_model){(int)layers, (int)heads, (int)kv, !sv_gguf_find(&q->g, "output.weight")};
    return SVLM_OK;
}

static int is_float(sv_type t)
{
    return t == SV_F32 || t == SV_F16 || t == SV_BF16;
}

static sv_type type_of(const quantizing *q, const sv_gguf_tensor *t)
{
    const sv_mix *m = q->job->mix;
    return q->vision ? sv_mix_vision_type(m, t->name, t->n_dims, t->dim[0])
                     : sv_mix_type(m, &q->model, t->name, t->n_dims, t->dim[0]);
}

static int is_replaced(sv_span key)
{
    static const char *const keys[] = {"general.file_type", "general.quantization_version",
                                       "general.alignment"};
    for (int i = 0; i < 3; i++)
        if (key.n == strlen(keys[i]) && !memcmp(key.p, keys[i], key.n))
            return 1;
    return 0;
}

static svlm_status put_header(quantizing *q, svlm_error *err)
{
    for (size_t i = 0; i < q->g.n_keys; i++)
        if (!is_replaced(q->g.keys[i].name))
            sv_gguf_put_copy(q->w, &q->g.keys[i]);
    sv_gguf_put_u32(q->w, "general.file_type", sv_mix_file_type(q->job->mix));
    sv_gguf_put_u32(q->w, "general.quantization_version", 2);
    for (size_t i = 0; i < q->g.n_tensors; i++) {
        const sv_gguf_tensor *t = &q->g.tensors[i];
        if (!is_float(t->type))
            return sv_fail(err, SVLM_ERR_UNSUPPORTED,
                           "%s is quantised already (tensor %s is %s); start from F16, "
                           "BF16 or F32",
                           q->job->in, t->name, sv_type_get(t->type)->name);
        sv_gguf_put_tensor(q->w, t->name, type_of(q, t), t->n_dims, t->dim);
    }
    return SVLM_OK;
}

static svlm_status recode_tensor(quantizing *q, size_t i, svlm_error *err)
{
    const sv_quantize_job *job = q->job;
    const sv_gguf_tensor *t = &q->g.tensors[i];
    sv_type type = type_of(q, t);
    uint64_t n_values = t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3],
             n_in = t->n_dims > 1 ? t->dim[0] : 1;
    sv_recode_source s = {
        .name = t->name, .data = t->data, .type = t->type, .n_rows = n_values / n_in, .n_in = n_in};
    sv_recode_error error;
    svlm_status st = sv_recode(q->w, &s, type, job->n_threads, job->verify ? &error : NULL, err);
    if (st)
        return st;
    sv_map_release(&q->map, t->data, (size_t)t->n_bytes);
    if (job->step &&
        job->step(job->user, i + 1, q->g.n_tensors, t, type, job->verify ? &error : NULL))
        return sv_fail(err, SVLM_ERR_CANCELLED, "cancelled");
    return SVLM_OK;
}

static svlm_status run(quantizing *q, svlm_error *err)
{
    svlm_status st;
    if ((st = sv_map_file(&q->map, q->job->in, 0, err)) ||
        (st = sv_gguf_parse(&q->g, &q->map, err)) ||
        (st = refuse_same_file(q->job, err)) ||
        (st = read_model(q, err)) ||
        (st = sv_gguf_create(&q->w, q->job->out, err)) ||
        (st = put_header(q, err)))
        return st;
    for (size_t i = 0; i < q->g.n_tensors; i++)
        if ((st = recode_tensor(q, i, err)))
            return st;
    if ((st = sv_map_check(&q->map, err)))
        return st;
    return sv_gguf_commit(q->w, err);
}

svlm_status sv_quantize_file(const sv_quantize_job *job, sv_quantize_result *result,
                             svlm_error *err)
{
    quantizing q = { .job = job, .map = { .fd = -1 } };
    svlm_status st = run(&q, err);
    memset(result, 0, sizeof *result);
    for (size_t i = 0; !st && i < q.g.n_tensors; i++) {
        result->bytes_in += q.g.tensors[i].n_bytes;
        result->bytes_out += sv_gguf_tensor_at(q.w, i)->n_bytes;
        result->n_tensors++;
    }
    result->vision = q.vision;
    sv_gguf_discard(q.w);
    sv_gguf_free(&q.g);
    sv_map_close(&q.map);
    return st;
}
