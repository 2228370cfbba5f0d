/* SPDX-License-Identifier: MIT */
/* The user's turn: parts as they are added, then template, tokens, and prefill. */
#include <inttypes.h>

#include "api/chat.h"
#include "base/alloc.h"

/* p, moved if need be so that one more element fits behind its n; NULL without memory,
 * and then p is as it was. */
static void *with_room(void *p, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return p;
    size_t more = *cap ? 2 * *cap : 8;
    void *q = sv_realloc(SV_MEM_CHAT, p, more, size);
    if (q)
        *cap = more;
    return q;
}

static void free_part(sv_turn_part *part)
{
    svlm_features_close(part->features);
    sv_free(part->ids);
    sv_free(part->text);
}

void sv_chat_drop_turn(svlm_chat *chat)
{
    while (chat->n_parts)
        free_part(&chat->parts[--chat->n_parts]);
}

void sv_chat_drop_prompt(svlm_chat *chat, size_t n_items, size_t n_images)
{
    chat->prompt.n = n_items;
    while (chat->n_images > n_images)
        svlm_features_close(chat->images[--chat->n_images]);
}

/* ---- adding ---------------------------------------------------------------- */

static svlm_status keep_part(svlm_chat *chat, sv_turn_part part, svlm_error *err)
{
    sv_turn_part *parts = with_room(chat->parts, &chat->cap_parts, chat->n_parts, sizeof part);
    if (!parts)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a turn of %zu parts", chat->n_parts + 1);
    chat->parts = parts;
    parts[chat->n_parts++] = part;
    return SVLM_OK;
}

/* Takes over what part holds, also when it fails. */
static svlm_status add_part(svlm_chat *chat, const char *function, sv_turn_part part,
                            svlm_error *err)
{
    svlm_status st = sv_chat_enter(chat, function, err);
    if (!st) {
        st = keep_part(chat, part, err);
        sv_chat_leave(chat);
    }
    if (st)
        free_part(&part);
    return st;
}

svlm_status svlm_chat_add_features(svlm_chat *chat, svlm_features *features, svlm_error *err)
{
    if (!chat || !features)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_chat_add_features: an argument is NULL");
    if (features->width != chat->model->llm.n_embd)
        return sv_fail(err, SVLM_ERR_ARG, "features of %d values a row do not fit a model of %d: "
                       "they come from another one", features->width, chat->model->llm.n_embd);
    if (chat->has_hook && chat->hook.needs_class_attention && !features->class_attention)
        return sv_fail(err, SVLM_ERR_ARG, "this chat's hook needs pictures encoded with "
                       "class_attention");
    sv_turn_part part = { .features = svlm_features_ref(features) };
    return add_part(chat, "svlm_chat_add_features", part, err);
}

svlm_status svlm_chat_add_text(svlm_chat *chat, const char *text, svlm_error *err)
{
    if (!chat || !text)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_chat_add_text: an argument is NULL");
    sv_turn_part part = { .text = sv_strdup(SV_MEM_CHAT, text), .n = strlen(text) };
    if (!part.text)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a text of %zu bytes", part.n);
    return add_part(chat, "svlm_chat_add_text", part, err);
}

svlm_status svlm_chat_add_tokens(svlm_chat *chat, const int32_t *ids, size_t n, svlm_error *err)
{
    if (!chat || (!ids && n))
        return sv_fail(err, SVLM_ERR_ARG, "svlm_chat_add_tokens: an argument is NULL");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= chat->model->llm.n_vocab)
            return sv_fail(err, SVLM_ERR_ARG, "token %" PRId32 " at %zu: the model has 0 to %d",
                           ids[i], i, chat->model->llm.n_vocab - 1);
    sv_turn_part part = { .ids = sv_malloc(SV_MEM_CHAT, n, sizeof *ids), .n = n };
    if (!part.ids)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu tokens", n);
    memcpy(part.ids, ids, n * sizeof *ids);
    return add_part(chat, "svlm_chat_add_tokens", part, err);
}

/* ---- asking ---------------------------------------------------------------- */

static svlm_status add_ids(svlm_chat *chat, const int32_t *ids, size_t n, int question,
                           svlm_error *err)
{
    svlm_status st = SVLM_OK;
    for (size_t i = 0; i < n && !st; i++)
        st = sv_prompt_add(&chat->prompt, 0, ids[i], question, err);
    return st;
}

/* A turn with token ids in it: everything as it is, nothing around it. */
static svlm_status add_raw_turn(svlm_chat *chat, svlm_error *err)
{
    svlm_status st = SVLM_OK;
    for (size_t i = 0; i < chat->n_parts && !st; i++) {
        const sv_turn_part *part = &chat->parts[i];
        sv_ids list = { 0 };
        if (part->features)
            st = sv_prompt_add(&chat->prompt, 1, -1, 0, err);
        else if (part->ids)
            st = add_ids(chat, part->ids, part->n, 1, err);
        else if (!(st = sv_tokenize(chat->model->vocab, part->text, part->n, 0, &list, err)))
            st = add_ids(chat, list.id, list.n, 1, err);
        sv_ids_free(&list);
    }
    return st;
}

static svlm_status add_template_turn(svlm_chat *chat, svlm_error *err)
{
    sv_part *parts = sv_calloc(SV_MEM_TEMP, chat->n_parts, sizeof *parts);
    if (!parts)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a turn of %zu parts", chat->n_parts);
    for (size_t i = 0; i < chat->n_parts; i++)
        parts[i] = (sv_part) { .is_image = chat->parts[i].features != NULL,
                               .text = chat->parts[i].text, .n_bytes = chat->parts[i].n };
    svlm_status st = sv_prompt_turn(&chat->prompt, chat->template, chat->model->vocab,
                                    chat->system, chat->n_turns == 0, parts, chat->n_parts, err);
    sv_free(parts);
    return st;
}

/* Refuses texts that cannot fit whatever their tokens are, before megabytes are
 * taken apart to learn how many. */
static svlm_status check_length(const svlm_chat *chat, svlm_error *err)
{
    size_t n_bytes = 0, longest = sv_vocab_longest(chat->model->vocab);
    for (size_t i = 0; i < chat->n_parts; i++)
        n_bytes += chat->parts[i].text ? chat->parts[i].n : 0;
    if (longest && n_bytes / longest > (size_t)chat->opt.n_ctx)
        return sv_fail(err, SVLM_ERR_CONTEXT, "a text of %zu bytes has %zu tokens or more; the "
                       "context has %d rows", n_bytes, n_bytes / longest, chat->opt.n_ctx);
    return SVLM_OK;
}

static svlm_status add_image(svlm_chat *chat, svlm_features *features, svlm_error *err)
{
    svlm_features **images = with_room(chat->images, &chat->cap_images, chat->n_images,
                                       sizeof *images);
    if (!images)
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu pictures", chat->n_images + 1);
    chat->images = images;
    images[chat->n_images++] = svlm_features_ref(features);
    return SVLM_OK;
}

/* Appends the turn to the prompt, pictures and all. */
static svlm_status add_turn(svlm_chat *chat, svlm_error *err)
{
    int is_raw = 0;
    svlm_status st = SVLM_OK;
    if (!chat->n_parts)
        return sv_fail(err, SVLM_ERR_ARG, "nothing was asked: add a text, a picture or tokens "
                       "first");
    for (size_t i = 0; i < chat->n_parts && !st; i++) {
        is_raw |= chat->parts[i].ids != NULL;
        if (chat->parts[i].features)
            st = add_image(chat, chat->parts[i].features, err);
    }
    if (st)
        return st;
    return is_raw ? add_raw_turn(chat, err) : add_template_turn(chat, err);
}

/* Makes the last answer, complete or broken off, part of what was said. */
static svlm_status end_answer(svlm_chat *chat, svlm_error *err)
{
    sv_answer *a = &chat->answer;
    svlm_status st;
    a->going = 0;
    if (!chat->opt.reprune)
        return sv_answer_read_last(chat, err);
    size_t before = chat->prompt.n;
    if ((st = add_ids(chat, a->ids, (size_t)a->n, 0, err))) {
        chat->prompt.n = before;
        return st;
    }
    a->n = a->unread = 0;
    return SVLM_OK;
}

static svlm_status evaluate(svlm_chat *chat, svlm_error *err)
{
    const sv_progress progress = { chat->opt.progress, chat->opt.user };
    svlm_status st;
    if ((st = check_length(chat, err)) || (st = add_turn(chat, err)))
        return st;
    if (chat->opt.reprune)
        sv_session_reset(chat->session);
    return sv_prefill(chat->session, &chat->prompt, chat->images, (int)chat->n_images,
                      chat->has_hook ? &chat->hook : NULL, &progress, err);
}

static svlm_status ask(svlm_chat *chat, svlm_error *err)
{
    svlm_status st;
    if ((st = sv_model_check_files(chat->model, err)) || (st = end_answer(chat, err)))
        return st;
    size_t n_items = chat->prompt.n, n_images = chat->n_images;
    if (!(st = evaluate(chat, err))) {
        chat->n_turns++;
        sv_answer_start(chat);
    }
    if (st || !chat->opt.reprune)
        sv_chat_drop_prompt(chat, n_items, n_images);
    return st;
}

svlm_status svlm_chat_ask(svlm_chat *chat, svlm_error *err)
{
    svlm_status st = sv_chat_enter(chat, "svlm_chat_ask", err);
    if (st)
        return st;
    st = ask(chat, err);
    sv_chat_drop_turn(chat);
    sv_chat_leave(chat);
    return st;
}
