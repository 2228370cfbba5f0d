/* SPDX-License-Identifier: MIT */
/* The answer, token by token: evaluate the last one, pick the next, show it. */
#include "api/chat.h"
#include "base/clock.h"

void sv_answer_start(svlm_chat *chat)
{
    sv_answer *a = &chat->answer;
    a->going = 1;
    a->last = -1;
    a->unread = a->n = 0;
    a->seconds = 0;
    sv_detok_start(&a->detok, chat->model->vocab);
}

svlm_status sv_answer_read_last(svlm_chat *chat, svlm_error *err)
{
    sv_answer *a = &chat->answer;
    if (!a->unread)
        return SVLM_OK;
    double start = sv_seconds();
    svlm_status st = sv_decode(chat->session, a->last, err);
    a->seconds += sv_seconds() - start;
    a->unread = st != SVLM_OK;
    return st;
}

/* END: the model ended its turn, or the answer may not or cannot get longer. */
static svlm_status next_token(svlm_chat *chat, svlm_error *err)
{
    sv_answer *a = &chat->answer;
    svlm_status st;
    if (chat->opt.max_tokens && a->n >= chat->opt.max_tokens)
        return SVLM_END;
    if (a->unread && sv_session_room(chat->session) < 1)
        return SVLM_END;
    if ((st = sv_answer_read_last(chat, err)))
        return st;
    int32_t id = sv_sampler_pick(chat->sampler, sv_session_logits(chat->session));
    if (id < 0)
        return sv_fail(err, SVLM_ERR_NUMERIC, "no logit is a finite number after %d tokens", a->n);
    if (sv_vocab_is_end(chat->model->vocab, id))
        return SVLM_END;
    sv_sampler_accept(chat->sampler, id);
    if (a->ids)
        a->ids[a->n] = id;
    a->n++;
    a->last = id;
    a->unread = 1;
    return SVLM_OK;
}

static svlm_status next_piece(svlm_chat *chat, const char **piece, size_t *n_bytes, svlm_error *err)
{
    sv_answer *a = &chat->answer;
    while (a->going) {
        svlm_status st = next_token(chat, err);
        a->going = st == SVLM_OK;
        if (st < 0)
            return st;
        size_t n = st == SVLM_END ? sv_detok_finish(&a->detok, a->piece, a->piece_cap) :
                                    sv_detok_push(&a->detok, a->last, a->piece, a->piece_cap);
        if (n) {
            *piece = a->piece;
            *n_bytes = n;
            return SVLM_OK;
        }
    }
    return SVLM_END;
}

svlm_status svlm_chat_next(svlm_chat *chat, const char **piece, size_t *n_bytes, svlm_error *err)
{
    if (!piece || !n_bytes)
        return sv_fail(err, SVLM_ERR_ARG, "svlm_chat_next: no place for the piece");
    *piece = NULL;
    *n_bytes = 0;
    svlm_status st = sv_chat_enter(chat, "svlm_chat_next", err);
    if (st)
        return st;
    st = next_piece(chat, piece, n_bytes, err);
    sv_chat_leave(chat);
    return st;
}

int32_t svlm_chat_last_token(const svlm_chat *chat)
{
    return chat ? chat->answer.last : -1;
}

const float *svlm_chat_logits(svlm_chat *chat, int *n_vocab)
{
    if (sv_chat_enter(chat, "svlm_chat_logits", NULL))
        return NULL;
    const float *logits = NULL;
    if (chat->n_turns && !sv_answer_read_last(chat, NULL))
        logits = sv_session_logits(chat->session);
    if (n_vocab)
        *n_vocab = chat->model->llm.n_vocab;
    sv_chat_leave(chat);
    return logits;
}
