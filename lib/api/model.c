/* SPDX-License-Identifier: MIT */
/* A language model and its vision half, opened from their two files. */
#include "api/model.h"
#include "base/alloc.h"
#include "base/options.h"
#include "base/threads.h"

static svlm_status check_options(const svlm_model_options *o, svlm_error *err)
{
    if (!o->model_path || !*o->model_path)
        return sv_fail(err, SVLM_ERR_ARG, "no model file given (model_path)");
    if ((int)o->load < SVLM_LOAD_MAP || o->load > SVLM_LOAD_REPACK)
        return sv_fail(err, SVLM_ERR_ARG, "load is %d, which is no way of loading", (int)o->load);
    return SVLM_OK;
}

svlm_status sv_thread_count(int *out, int wanted, int otherwise, const sv_log *log,
                            svlm_error *err)
{
    int available = sv_threads_available();
    if (wanted < 0)
        return sv_fail(err, SVLM_ERR_ARG, "%d threads are too few", wanted);
    if (wanted > available)
        sv_logf(log, SVLM_LOG_WARNING, "%d threads wanted, this process may use %d", wanted,
                available);
    *out = !wanted ? otherwise : wanted < available ? wanted : available;
    return SVLM_OK;
}

/* The two files are easily swapped, so each says what it is instead of what it lacks. */
static svlm_status check_role(const sv_half *h, int want_vision, svlm_error *err)
{
    const char *path = h->map.path;
    sv_span arch;
    svlm_status st = sv_gguf_get_str(&h->gguf, "general.architecture", &arch, err);
    if (st)
        return st;
    int is_vision = arch.n == 4 && !memcmp(arch.p, "clip", 4);
    if (is_vision && !want_vision)
        return sv_fail(err, SVLM_ERR_ARG, "%s: this is an mmproj file (vision tower and "
                       "projector), not a language model", path);
    if (!is_vision && want_vision)
        return sv_fail(err, SVLM_ERR_ARG, "%s: this is a language model (architecture %.*s), "
                       "not an mmproj file", path, (int)(arch.n < 40 ? arch.n : 40), arch.p);
    return SVLM_OK;
}

static svlm_status open_half(sv_half *h, const char *path, int want_vision, svlm_load load,
                             svlm_error *err)
{
    svlm_status st;
    if ((st = sv_map_file(&h->map, path, load == SVLM_LOAD_READ, err)) ||
        (st = sv_gguf_parse(&h->gguf, &h->map, err)))
        return st;
    return check_role(h, want_vision, err);
}

static void close_half(sv_half *h)
{
    sv_repack_free(&h->repacked);
    sv_gguf_free(&h->gguf);
    sv_map_close(&h->map);
}

static svlm_status load_text(svlm_model *m, svlm_error *err)
{
    svlm_status st;
    if ((st = sv_llm_load(&m->llm, &m->text.gguf, &m->log, err)) ||
        (st = sv_vocab_load(&m->vocab, &m->text.gguf, &m->log, err)))
        return st;
    m->template = sv_template_guess(&m->text.gguf, m->vocab);
    return SVLM_OK;
}

static svlm_status load_vision(svlm_model *m, svlm_error *err)
{
    svlm_status st = sv_vit_load(&m->vit, &m->vision.gguf, &m->log, err);
    if (st)
        return st;
    if (m->vit.n_out != m->llm.n_embd)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s gives rows of %d values, %s reads rows of %d: "
                       "they are not a pair", m->vision.map.path, m->vit.n_out, m->text.map.path,
                       m->llm.n_embd);
    m->has_vision = 1;
    return SVLM_OK;
}

static svlm_status load(svlm_model *m, const svlm_model_options *o, svlm_error *err)
{
    const sv_progress progress = { o->progress, o->user };
    const int n_steps = 3;
    svlm_status st;
    if ((st = sv_thread_count(&m->n_threads, o->n_threads, sv_threads_available(), &m->log, err)) ||
        (st = open_half(&m->text, o->model_path, 0, o->load, err)) ||
        (o->mmproj_path && (st = open_half(&m->vision, o->mmproj_path, 1, o->load, err))) ||
        (st = sv_report(&progress, SVLM_STAGE_LOAD, 1, n_steps, err)) ||
        (st = load_text(m, err)) ||
        (st = sv_report(&progress, SVLM_STAGE_LOAD, 2, n_steps, err)) ||
        (o->mmproj_path && (st = load_vision(m, err))) ||
        (o->load == SVLM_LOAD_REPACK && !m->precise && (st = sv_model_repack(m, err))))
        return st;
    sv_model_describe(m);
    return sv_report(&progress, SVLM_STAGE_LOAD, 3, n_steps, err);
}

svlm_status svlm_model_open(svlm_model **out, const svlm_model_options *opt, svlm_error *err)
{
    svlm_model_options o;
    svlm_status st;
    if (!out)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_model_open: no place for the result");
    *out = NULL;
    if ((st = sv_options_read(&o, sizeof o, opt, "svlm_model_options", err)) ||
        (st = check_options(&o, err)))
        return st;
    svlm_model *m = sv_calloc(SV_MEM_MODEL, 1, sizeof *m);
    if (!m)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a model");
    atomic_init(&m->n_refs, 1);
    m->kernels = sv_kernels_get();
    m->log = (sv_log) { o.log, o.user };
    m->precise = o.precise;
    if ((st = load(m, &o, err))) {
        svlm_model_close(m);
        return st;
    }
    *out = m;
    return SVLM_OK;
}

svlm_model *svlm_model_ref(svlm_model *model)
{
    if (model)
        atomic_fetch_add(&model->n_refs, 1);
    return model;
}

void svlm_model_close(svlm_model *model)
{
    if (!model || atomic_fetch_sub(&model->n_refs, 1) > 1)
        return;
    sv_vocab_free(model->vocab);
    sv_vit_free(&model->vit);
    sv_llm_free(&model->llm);
    close_half(&model->vision);
    close_half(&model->text);
    sv_free(model);
}

svlm_status sv_model_check_files(const svlm_model *m, svlm_error *err)
{
    svlm_status st = sv_map_check(&m->text.map, err);
    return st || !m->has_vision ? st : sv_map_check(&m->vision.map, err);
}

svlm_status svlm_tokenize(const svlm_model *model, const char *text, size_t n_bytes, int32_t *ids,
                          size_t cap, size_t *n, svlm_error *err)
{
    if (!model || (!text && n_bytes) || (!ids && cap) || !n)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_tokenize: an argument is NULL");
    sv_ids list = { 0 };
    svlm_status st = sv_tokenize(model->vocab, text, n_bytes, 0, &list, err);
    if (!st) {
        *n = list.n;
        for (size_t i = 0; i < list.n && i < cap; i++)
            ids[i] = list.id[i];
    }
    sv_ids_free(&list);
    return st;
}

svlm_status svlm_detokenize(const svlm_model *model, const int32_t *ids, size_t n, char *text,
                            size_t cap, size_t *n_bytes, svlm_error *err)
{
    if (!model || (!ids && n) || (!text && cap) || !n_bytes)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_detokenize: an argument is NULL");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= sv_vocab_size(model->vocab))
            return sv_fail(err, SVLM_ERR_ARG, "svlm_detokenize: there is no token %d", (int)ids[i]);
    size_t max = sv_detok_max(model->vocab), used = 0;
    char *piece = sv_malloc(SV_MEM_TEMP, max, 1);
    if (!piece)
        return sv_fail(err, SVLM_ERR_NOMEM, "svlm_detokenize: no memory");
    sv_detok d;
    sv_detok_start(&d, model->vocab);
    for (size_t i = 0; i <= n; i++) {
        size_t k = i < n ? sv_detok_push(&d, ids[i], piece, max) : sv_detok_finish(&d, piece, max);
        if (used < cap)
            memcpy(text + used, piece, k < cap - used ? k : cap - used);
        used += k;
    }
    sv_free(piece);
    *n_bytes = used;
    return SVLM_OK;
}
