/* SPDX-License-Identifier: MIT */
/* One generated token: one row through all layers, each with its own number of
 * cached rows and its own position. Nothing is allocated. */
#include "llm/session.h"

#include <inttypes.h>

#include "tensor/ops.h"

svlm_status sv_decode(sv_session *s, int32_t token, svlm_error *err)
{
    const sv_llm *m = s->m;
    svlm_status st = SVLM_OK;
    if (token < 0 || token >= m->n_vocab)
        return sv_fail(err, SVLM_ERR_ARG, "token %" PRId32 " is not among the model's %d", token,
                       m->n_vocab);
    if (sv_session_room(s) < 1)
        return sv_fail(err, SVLM_ERR_CONTEXT, "the context of %d rows is full", s->o.n_ctx);
    s->rows.n = 1;
    sv_weight_row(s->k, s->rows.hidden, &m->token_embd, token);
    for (int l = 0; l < m->n_layers; l++) {
        s->past[l] = s->kv.len[l];
        s->rows.position[0] = s->next_position[l];
        sv_llm_layer(s, l, s->all, 1, SV_KEYS | SV_OUTPUT);
        if (!sv_all_finite(s->rows.hidden, (size_t)m->n_embd))
            return sv_fail_numeric(l, err);
    }
    if ((st = sv_logits(s, err)))
        return st;
    for (int l = 0; l < m->n_layers; l++) {
        s->kv.len[l]++;
        s->next_position[l]++;
    }
    s->n_total++;
    return SVLM_OK;
}
