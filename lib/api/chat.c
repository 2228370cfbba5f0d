/* SPDX-License-Identifier: MIT */
/* A conversation's life: options, memory, hook; forgetting; reports. */
#include "api/chat.h"
#include "base/alloc.h"
#include "base/options.h"

static const size_t default_reuse_bytes = (size_t)256 << 20;

/* The flag is the one thing a const chat may change: it guards the rest. */
svlm_status sv_chat_enter(const svlm_chat *chat, const char *function, svlm_error *err)
{
    if (!chat)
        return sv_fail(err, SVLM_ERR_ARG, "%s: the chat is NULL", function);
    if (atomic_flag_test_and_set(&((svlm_chat *)(uintptr_t)chat)->busy))
        return sv_fail(err, SVLM_ERR_BUSY, "%s: the chat is in use by another call", function);
    return SVLM_OK;
}

void sv_chat_leave(const svlm_chat *chat)
{
    atomic_flag_clear(&((svlm_chat *)(uintptr_t)chat)->busy);
}

/* Reads the caller's options and settles what 0 stands for. */
static svlm_status read_options(svlm_chat_options *o, const svlm_model *m,
                                const svlm_chat_options *opt, svlm_error *err)
{
    svlm_status st;
    if ((st = sv_options_read(o, sizeof *o, opt, "svlm_chat_options", err)) ||
        (st = sv_thread_count(&o->n_threads, o->n_threads, m->n_threads, &m->log, err)))
        return st;
    if (o->n_ctx < 0 || o->max_tokens < 0)
        return sv_fail(err, SVLM_ERR_ARG, "n_ctx is %d and max_tokens is %d: neither may be "
                       "negative", o->n_ctx, o->max_tokens);
    if (!o->n_ctx)
        o->n_ctx = m->llm.n_ctx < SVLM_DEFAULT_CTX ? m->llm.n_ctx : SVLM_DEFAULT_CTX;
    if (o->n_ctx > m->llm.n_ctx)
        sv_logf(&m->log, SVLM_LOG_WARNING, "a context of %d rows, but the model was trained "
                "with %d", o->n_ctx, m->llm.n_ctx);
    if (!o->reuse_bytes)
        o->reuse_bytes = default_reuse_bytes;
    return SVLM_OK;
}

static sv_session_options session_options(const svlm_model *m, const svlm_chat_options *o)
{
    return (sv_session_options) {
        .n_ctx = o->n_ctx,
        .kv_f32 = o->kv_f32,
        .n_threads = o->n_threads,
        .precise = m->precise,
        .reuse_bytes = o->reuse_bytes == 1 ? 0 : o->reuse_bytes,
    };
}

svlm_status svlm_chat_cost(const svlm_model *model, const svlm_chat_options *opt,
                           uint64_t *n_bytes, svlm_error *err)
{
    svlm_chat_options o;
    svlm_status st;
    if (!model || !n_bytes)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_chat_cost: an argument is NULL");
    if ((st = read_options(&o, model, opt, err)))
        return st;
    const sv_session_options so = session_options(model, &o);
    if ((st = sv_session_cost(&model->llm, &so, n_bytes, err)))
        return st;
    *n_bytes += sizeof(svlm_chat) + sv_detok_max(model->vocab) + sv_sampler_cost(model->vocab) +
                (o.reprune ? ((uint64_t)o.n_ctx + 1) * sizeof(int32_t) : 0);
    return SVLM_OK;
}

static svlm_status choose_template(svlm_chat *c, svlm_error *err)
{
    const char *name = c->opt.template_name;
    c->template = name ? sv_template_find(name) : c->model->template;
    if (!c->template) {
        char known[300] = "";
        for (const char *const *t = sv_template_names(); *t; t++)
            if (strlen(known) + strlen(*t) + 2 < sizeof known)
                strcat(strcat(known, " "), *t);
        return sv_fail(err, SVLM_ERR_ARG, "there is no template \"%s\"; there are:%s", name, known);
    }
    if (c->opt.system && !(c->system = sv_strdup(SV_MEM_CHAT, c->opt.system)))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for the system text");
    c->opt.template_name = c->opt.system = NULL;        /* the caller's, and not needed again */
    return SVLM_OK;
}

static svlm_status make_session(svlm_chat *c, svlm_error *err)
{
    const svlm_model *m = c->model;
    const sv_session_options so = session_options(m, &c->opt);
    return sv_session_new(&c->session, &m->llm, m->kernels, &so, err);
}

static svlm_status make_sampler(svlm_chat *c, svlm_error *err)
{
    const sv_sampler_options so = {
        .temperature = c->opt.temperature,
        .top_k = c->opt.top_k,
        .top_p = c->opt.top_p,
        .min_p = c->opt.min_p,
        .repeat_penalty = c->opt.repeat_penalty,
        .seed = c->opt.seed,
    };
    return sv_sampler_new(&c->sampler, &so, c->model->vocab, err);
}

static svlm_status make_answer(svlm_chat *c, svlm_error *err)
{
    sv_answer *a = &c->answer;
    a->last = -1;
    a->piece_cap = sv_detok_max(c->model->vocab);
    a->piece = sv_malloc(SV_MEM_CHAT, a->piece_cap, 1);
    if (c->opt.reprune)
        a->ids = sv_malloc(SV_MEM_CHAT, (size_t)c->opt.n_ctx + 1, sizeof *a->ids);
    if (!a->piece || (c->opt.reprune && !a->ids))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for an answer");
    return SVLM_OK;
}

/* Last, because only a chat that succeeds owns the caller's hook. */
static svlm_status take_hook(svlm_chat *c, svlm_error *err)
{
    const svlm_hook *hook = c->opt.hook;
    c->opt.hook = NULL;
    if (!hook)
        return SVLM_OK;
    svlm_status st = sv_options_read(&c->hook, sizeof c->hook, hook, "svlm_hook", err);
    c->has_hook = !st;
    return st;
}

svlm_status svlm_chat_new(svlm_chat **out, svlm_model *model, const svlm_chat_options *opt,
                          svlm_error *err)
{
    svlm_chat_options o;
    svlm_status st;
    if (!out || !model)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_chat_new: an argument is NULL");
    *out = NULL;
    if ((st = read_options(&o, model, opt, err)))
        return st;
    svlm_chat *c = sv_calloc(SV_MEM_CHAT, 1, sizeof *c);
    if (!c)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a chat");
    atomic_flag_clear(&c->busy);
    c->model = svlm_model_ref(model);
    c->opt = o;
    if ((st = choose_template(c, err)) || (st = make_sampler(c, err)) ||
        (st = make_answer(c, err)) || (st = make_session(c, err)) || (st = take_hook(c, err))) {
        svlm_chat_free(c);
        return st;
    }
    *out = c;
    return SVLM_OK;
}

void svlm_chat_free(svlm_chat *chat)
{
    if (!chat)
        return;
    sv_chat_drop_turn(chat);
    sv_chat_drop_prompt(chat, 0, 0);
    sv_free(chat->parts);
    sv_prompt_free(&chat->prompt);
    sv_free(chat->images);
    sv_session_free(chat->session);
    sv_sampler_free(chat->sampler);
    sv_free(chat->answer.piece);
    sv_free(chat->answer.ids);
    sv_free(chat->system);
    if (chat->has_hook && chat->hook.destroy)
        chat->hook.destroy(chat->hook.user);
    svlm_model_close(chat->model);
    sv_free(chat);
}

svlm_status svlm_chat_reset(svlm_chat *chat, svlm_error *err)
{
    svlm_status st = sv_chat_enter(chat, "svlm_chat_reset", err);
    if (st)
        return st;
    sv_chat_drop_turn(chat);
    sv_chat_drop_prompt(chat, 0, 0);
    chat->n_turns = 0;
    chat->answer.going = chat->answer.unread = chat->answer.n = 0;
    chat->answer.last = -1;
    sv_session_reset(chat->session);
    sv_sampler_reset(chat->sampler);
    sv_chat_leave(chat);
    return SVLM_OK;
}

svlm_status svlm_chat_get_stats(const svlm_chat *chat, svlm_chat_stats *stats)
{
    svlm_status st = sv_chat_enter(chat, "svlm_chat_get_stats", NULL);
    if (st)
        return st;
    svlm_chat_stats s = { 0 };
    sv_session_stats(chat->session, &s);
    s.n_generated = chat->answer.n;
    s.decode_seconds = chat->answer.seconds;
    st = sv_result_write(stats, &s, sizeof s);
    sv_chat_leave(chat);
    return st;
}
