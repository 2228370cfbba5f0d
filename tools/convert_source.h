/* SPDX-License-Identifier: MIT */
/* The tensors of a checkpoint by the names all layouts have in common. */
#ifndef TOOLS_CONVERT_SOURCE_H
#define TOOLS_CONVERT_SOURCE_H

#include "safetensors.h"

typedef struct sv_source_name { const char *name; const sv_st_tensor *t; int used; } sv_source_name;

typedef struct sv_source {
    sv_safetensors st[2];         /* the checkpoint, and the tower's own folder if any */
    sv_source_name *names[2];     /* [st.n_tensors], sorted                            */
} sv_source;

/* vision may be NULL. All zero after a failure. */
svlm_status sv_source_open(sv_source *s, const char *folder, const char *vision, svlm_error *err);
void sv_source_close(sv_source *s);           /* all zero is fine */

/* By its name without the leading model., language_model., vision_tower. and vision_model.;
 * NULL when absent. Counts as used. */
const sv_st_tensor *sv_source_find(sv_source *s, const char *name);
/* The memory of its bytes may serve others. */
void sv_source_release(const sv_source *s, const sv_st_tensor *t);
/* How many tensors of the checkpoint were not used though something could be expected
 * of them, and the first one's name. */
int sv_source_unused(const sv_source *s, const char **first);

#endif
