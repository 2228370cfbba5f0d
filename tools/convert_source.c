/* SPDX-License-Identifier: MIT */
/* llava-hf, its newer layout, liuhaotian and CLIP itself differ in what they put in front
 * of a tensor's name, and in nothing else. */
#include "convert_source.h"

#include <stdlib.h>

#include "base/alloc.h"

static const char *common_name(const char *name)
{
    static const char *const fronts[] = {"model.", "language_model.", "vision_tower.",
                                         "vision_model."};
    for (int i = 0; i < 4; i++)
        if (!strncmp(name, fronts[i], strlen(fronts[i])))
            return common_name(name + strlen(fronts[i]));
    return name;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const sv_source_name *)a)->name, ((const sv_source_name *)b)->name);
}

static svlm_status index_names(sv_source *s, int which, const char *folder, svlm_error *err)
{
    const sv_safetensors *st = &s->st[which];
    sv_source_name *names = sv_calloc(SV_MEM_TEMP, st->n_tensors, sizeof *names);
    if (!(s->names[which] = names))
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for %zu names", st->n_tensors);
    for (size_t i = 0; i < st->n_tensors; i++)
        names[i] = (sv_source_name){ common_name(st->tensors[i].name), &st->tensors[i], 0 };
    qsort(names, st->n_tensors, sizeof *names, by_name);
    for (size_t i = 1; i < st->n_tensors; i++)
        if (!by_name(&names[i - 1], &names[i]))
            return sv_fail(err, SVLM_ERR_FORMAT, "%s: %s and %s are the same tensor", folder,
                           names[i - 1].t->name, names[i].t->name);
    return SVLM_OK;
}

svlm_status sv_source_open(sv_source *s, const char *folder, const char *vision, svlm_error *err)
{
    svlm_status st;
    memset(s, 0, sizeof *s);
    if ((st = sv_safetensors_open(&s->st[0], folder, err)) ||
        (st = index_names(s, 0, folder, err)) ||
        (vision && ((st = sv_safetensors_open(&s->st[1], vision, err)) ||
                    (st = index_names(s, 1, vision, err)))))
        sv_source_close(s);
    return st;
}

void sv_source_close(sv_source *s)
{
    for (int i = 0; i < 2; i++) {
        sv_safetensors_close(&s->st[i]);
        sv_free(s->names[i]);
    }
    memset(s, 0, sizeof *s);
}

const sv_st_tensor *sv_source_find(sv_source *s, const char *name)
{
    sv_source_name want = { .name = name };
    for (int i = 0; i < 2; i++) {
        sv_source_name *found =
            s->names[i] ? bsearch(&want, s->names[i], s->st[i].n_tensors, sizeof want, by_name)
                        : NULL;
        if (found) {
            found->used = 1;
            return found->t;
        }
    }
    return NULL;
}

void sv_source_release(const sv_source *s, const sv_st_tensor *t)
{
    for (int i = 0; i < 2; i++)
        if (t >= s->st[i].tensors && t < s->st[i].tensors + s->st[i].n_tensors)
            sv_map_release(&s->st[i].shards[t->shard].map, t->data, (size_t)t->n_bytes);
}

/* What every checkpoint carries and nobody needs: tables that follow from the sizes, and
 * the tower's end behind the layer that LLaVA looks at. */
static int is_expected_rest(const char *name)
{
    return strstr(name, "inv_freq") || strstr(name, "position_ids") ||
           !strncmp(name, "post_layernorm.", 15) || !strncmp(name, "encoder.layers.", 15);
}

int sv_source_unused(const sv_source *s, const char **first)
{
    int n = 0;
    for (size_t i = 0; i < s->st[0].n_tensors; i++) {
        const sv_source_name *name = &s->names[0][i];
        if (!name->used && !is_expected_rest(name->name) && n++ == 0)
            *first = name->t->name;
    }
    return n;
}
