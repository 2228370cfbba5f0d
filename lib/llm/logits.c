/* SPDX-License-Identifier: MIT */
/* The last hidden row becomes a score for every token. */
#include "llm/session.h"

#include "tensor/ops.h"

svlm_status sv_fail_numeric(int layer, svlm_error *err)
{
    return sv_fail(err, SVLM_ERR_NUMERIC,
                   "non-finite logits: NaN or infinity appeared at layer %d of the language model;"
                   " the weights are damaged or overflow", layer);
}

svlm_status sv_logits(sv_session *s, svlm_error *err)
{
    const sv_llm *m = s->m;
    const float *last = s->rows.hidden + (size_t)(s->rows.n - 1) * (size_t)m->n_embd;
    sv_rms_norm(&s->mm, s->xn, last, m->output_norm, 1, m->n_embd, m->norm_eps);
    sv_matmul(&s->mm, s->logits, s->xn, 1, &m->output);
    if (!sv_all_finite(s->logits, (size_t)m->n_vocab))
        return sv_fail(err, SVLM_ERR_NUMERIC, "non-finite logits: NaN or infinity came out of the"
                       " output matrix; the weights are damaged or overflow");
    return SVLM_OK;
}
