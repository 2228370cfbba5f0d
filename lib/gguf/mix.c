/* SPDX-License-Identifier: MIT */
/* The mixtures as a table: a type for most matrices, and others for those that
 * suffer most from few bits. */
#include "gguf/mix.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Which layers get a matrix's better type. */
typedef enum part {
    NO_LAYER,
    ALL_LAYERS,
    MORE_BITS,
    FIRST_EIGHTH,
    FIRST_SIXTEENTH,
    FIRST_TWO,
    FIRST_FOUR
} part;

typedef struct better { part layers; sv_type type, elsewhere; } better;

struct sv_mix {
    const char *name;
    uint32_t file_type;
    sv_type base, output;
    better v, down;
    sv_type v_grouped;            /* for V where 4 or more queries share a key: it is small; or 0 */
    sv_type attn_output;          /* 0 (which is F32): the base type                         */
};

static const sv_mix mixes[] = {
    { .name = "F32", .file_type = 0, .base = SV_F32, .output = SV_F32 },
    { .name = "F16", .file_type = 1, .base = SV_F16, .output = SV_F16 },
    { .name = "BF16", .file_type = 32, .base = SV_BF16, .output = SV_BF16 },
    { .name = "Q8_0", .file_type = 7, .base = SV_Q8_0, .output = SV_Q8_0 },
    { .name = "Q4_0", .file_type = 2, .base = SV_Q4_0, .output = SV_Q6_K },
    { .name = "Q4_1", .file_type = 3, .base = SV_Q4_1, .output = SV_Q6_K },
    { .name = "Q5_0", .file_type = 8, .base = SV_Q5_0, .output = SV_Q6_K },
    { .name = "Q5_1", .file_type = 9, .base = SV_Q5_1, .output = SV_Q6_K },
    { .name = "IQ4_NL", .file_type = 25, .base = SV_IQ4_NL, .output = SV_Q6_K,
      .v_grouped = SV_Q5_K, .down = { FIRST_EIGHTH, SV_Q5_K, SV_IQ4_NL } },
    { .name = "Q2_K", .file_type = 10, .base = SV_Q2_K, .output = SV_Q6_K,
      .v = { ALL_LAYERS, SV_Q3_K, SV_Q3_K }, .down = { ALL_LAYERS, SV_Q3_K, SV_Q3_K },
      .attn_output = SV_Q3_K, .v_grouped = SV_Q4_K },
    { .name = "Q3_K_S", .file_type = 11, .base = SV_Q3_K, .output = SV_Q6_K },
    { .name = "Q3_K_M", .file_type = 12, .base = SV_Q3_K, .output = SV_Q6_K,
      .v = { FIRST_TWO, SV_Q5_K, SV_Q4_K }, .down = { FIRST_SIXTEENTH, SV_Q5_K, SV_Q4_K },
      .attn_output = SV_Q4_K },
    { .name = "Q3_K_L", .file_type = 13, .base = SV_Q3_K, .output = SV_Q6_K,
      .v = { ALL_LAYERS, SV_Q5_K, SV_Q5_K }, .down = { ALL_LAYERS, SV_Q5_K, SV_Q5_K },
      .attn_output = SV_Q5_K },
    { .name = "Q4_K_S", .file_type = 14, .base = SV_Q4_K, .output = SV_Q6_K,
      .v = { FIRST_FOUR, SV_Q5_K, SV_Q4_K }, .down = { FIRST_EIGHTH, SV_Q5_K, SV_Q4_K } },
    { .name = "Q4_K_M", .file_type = 15, .base = SV_Q4_K, .output = SV_Q6_K,
      .v = { MORE_BITS, SV_Q6_K, SV_Q4_K }, .down = { MORE_BITS, SV_Q6_K, SV_Q4_K } },
    { .name = "Q5_K_S", .file_type = 16, .base = SV_Q5_K, .output = SV_Q6_K },
    { .name = "Q5_K_M", .file_type = 17, .base = SV_Q5_K, .output = SV_Q6_K,
      .v = { MORE_BITS, SV_Q6_K, SV_Q5_K }, .down = { MORE_BITS, SV_Q6_K, SV_Q5_K } },
    { .name = "Q6_K", .file_type = 18, .base = SV_Q6_K, .output = SV_Q6_K },
};

enum { N_MIXES = sizeof mixes / sizeof *mixes };

const sv_mix *sv_mix_at(int i)
{
    return i >= 0 && i < N_MIXES ? &mixes[i] : NULL;
}

const sv_mix *sv_mix_by_name(const char *name)
{
    for (int i = 0; i < N_MIXES; i++)
        if (!strcasecmp(mixes[i].name, name))
            return &mixes[i];
    return NULL;
}

const char *sv_mix_name(const sv_mix *m)
{
    return m->name;
}

uint32_t sv_mix_file_type(const sv_mix *m)
{
    return m->file_type;
}

static int chosen(part layers, int layer, int n)
{
    switch (layers) {
    case NO_LAYER:        return 0;
    case ALL_LAYERS:      return 1;
    /* The first and last eighth, and every third in between. */
    case MORE_BITS:       return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
    case FIRST_EIGHTH:    return layer < n / 8;
    case FIRST_SIXTEENTH: return layer < n / 16;
    case FIRST_TWO:       return layer < 2;
    case FIRST_FOUR:      return layer < 4;
    }
    return 0;
}

static sv_type better_type(const sv_mix *m, const better *b, int layer, int n_layers)
{
    return b->layers == NO_LAYER                ? m->base
           : chosen(b->layers, layer, n_layers) ? b->type
                                                : b->elsewhere;
}

/* The type intended for a matrix, whatever its rows. */
static sv_type intended(const sv_mix *m, const sv_mix_model *model, const char *name)
{
    int layer, end = 0;
    if (!strcmp(name, "output.weight") || (model->tied && !strcmp(name, "token_embd.weight")))
        return m->output;
    if (sscanf(name, "blk.%d.%n", &layer, &end) != 1 || !end)
        return m->base;
    const char *what = name + end;
    if (!strcmp(what, "attn_v.weight")) {
        if (m->v_grouped && model->n_heads / model->n_kv_heads >= 4)
            return m->v_grouped;
        return better_type(m, &m->v, layer, model->n_layers);
    }
    if (!strcmp(what, "ffn_down.weight"))
        return better_type(m, &m->down, layer, model->n_layers);
    if (!strcmp(what, "attn_output.weight") && m->attn_output)
        return m->attn_output;
    return m->base;
}

/* Rows that do not fill whole blocks take the next type with a smaller block. */
static sv_type fitting(sv_type type, uint64_t n_in)
{
    if (n_in % (uint64_t)sv_type_get(type)->block == 0)
        return type;
    switch (type) {
    case SV_Q2_K: case SV_Q3_K: return fitting(SV_Q4_0, n_in);
    case SV_Q4_K:               return fitting(SV_Q5_0, n_in);
    case SV_Q5_K:               return fitting(SV_Q5_1, n_in);
    case SV_Q6_K:               return fitting(SV_Q8_0, n_in);
    default:                    return SV_F16;
    }
}

static int is_matrix(const char *name, int n_dims)
{
    size_t n = strlen(name);
    return n_dims >= 2 && n >= 7 && !strcmp(name + n - 7, ".weight") && !strstr(name, "norm");
}

sv_type sv_mix_type(const sv_mix *m, const sv_mix_model *model, const char *name, int n_dims,
                    uint64_t n_in)
{
    return is_matrix(name, n_dims) ? fitting(intended(m, model, name), n_in) : SV_F32;
}

sv_type sv_mix_vision_type(const sv_mix *m, const char *name, int n_dims, uint64_t n_in)
{
    if (!is_matrix(name, n_dims))
        return SV_F32;
    if (!strncmp(name, "v.blk.", 6) || !strncmp(name, "mm.", 3))
        return fitting(m->base, n_in);
    return m->base == SV_F32 ? SV_F32 : SV_F16;
}
