/* SPDX-License-Identifier: MIT */
/* GGUF pairs for tests, in a temporary folder. */
#include "tiny_model.h"

#include <unistd.h>

#include "check.h"

sv_model_shape tiny_shape(void)
{
    sv_model_shape s;
    CHECK(sv_model_shape_by_name(&s, "tiny"));
    s.seed = check_seed();
    return s;
}

void tiny_model_make(tiny_model *t, const sv_model_shape *s)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(t->folder, sizeof t->folder, "%.40s/svlm-tiny-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(t->folder) != NULL);
    snprintf(t->llm, sizeof t->llm, "%s/tiny.gguf", t->folder);
    snprintf(t->mmproj, sizeof t->mmproj, "%s/mmproj-tiny.gguf", t->folder);
    tiny_model_remake(t, s);
}

void tiny_model_remake(const tiny_model *t, const sv_model_shape *s)
{
    svlm_error err = { 0 };
    if (sv_make_llm(s, t->llm, &err) || sv_make_mmproj(s, t->mmproj, &err))
        fail_msg("%s", err.message);
}

void tiny_model_remove(const tiny_model *t)
{
    unlink(t->llm);
    unlink(t->mmproj);
    rmdir(t->folder);
}
