/* SPDX-License-Identifier: MIT */
/* What a hook's lists have to satisfy, and what an edit does to the rows. */
#ifndef SV_HOOK_EDIT_H
#define SV_HOOK_EDIT_H

#include "llm/turn.h"

/* n ascending numbers below n_rows; what and layer are for the sentence. */
svlm_status sv_check_list(const char *what, int layer, const int32_t *list, int n, int n_rows,
                          svlm_error *err);
svlm_status sv_check_reduction(const svlm_reduce_view *v, const svlm_reduction *r,
                               svlm_error *err);
svlm_status sv_check_edit(const sv_session *s, const sv_turn *t, int layer, const svlm_edit *e,
                          svlm_error *err);

/* s->rows become the kept rows with the merged ones behind the last kept row of their
 * picture, or where its first row stood if none was kept. The edit was checked. */
void sv_apply_edit(sv_session *s, int layer, const svlm_edit *e);

#endif
