/* SPDX-License-Identifier: MIT */
/* Element types of tensors, numbered as in GGUF files (FORMATS.md, section 2). */
#include "base/type.h"

#include <stdio.h>
#include <strings.h>

static const sv_type_info types[SV_N_TYPES] = {
    [SV_F32] = { "F32", 1, 4 },       [SV_F16] = { "F16", 1, 2 },       [SV_BF16] = { "BF16", 1, 2 },
    [SV_Q4_0] = { "Q4_0", 32, 18 },   [SV_Q4_1] = { "Q4_1", 32, 20 },   [SV_Q5_0] = { "Q5_0", 32, 22 },
    [SV_Q5_1] = { "Q5_1", 32, 24 },   [SV_Q8_0] = { "Q8_0", 32, 34 },   [SV_Q2_K] = { "Q2_K", 256, 84 },
    [SV_Q3_K] = { "Q3_K", 256, 110 }, [SV_Q4_K] = { "Q4_K", 256, 144 }, [SV_Q5_K] = { "Q5_K", 256, 176 },
    [SV_Q6_K] = { "Q6_K", 256, 210 }, [SV_IQ4_NL] = { "IQ4_NL", 32, 18 },
};

/* Types that exist but that we do not run, and those that were withdrawn. */
static const char *const others[] = {
    [4] = "type 4 (Q4_2) was withdrawn from the format",
    [5] = "type 5 (Q4_3) was withdrawn from the format",
    [9] = "type Q8_1 is not meant for files", [15] = "type Q8_K is not meant for files",
    [16] = "type IQ2_XXS is not supported", [17] = "type IQ2_XS is not supported",
    [18] = "type IQ3_XXS is not supported", [19] = "type IQ1_S is not supported",
    [21] = "type IQ3_S is not supported", [22] = "type IQ2_S is not supported",
    [23] = "type IQ4_XS is not supported",
    [24] = "type I8 is not supported for weights", [25] = "type I16 is not supported for weights",
    [26] = "type I32 is not supported for weights", [27] = "type I64 is not supported for weights",
    [28] = "type F64 is not supported for weights", [29] = "type IQ1_M is not supported",
    [31] = "type 31 (Q4_0 repacked for Arm) was withdrawn from the format",
    [32] = "type 32 (Q4_0 repacked for Arm) was withdrawn from the format",
    [33] = "type 33 (Q4_0 repacked for Arm) was withdrawn from the format",
    [34] = "type TQ1_0 is not supported", [35] = "type TQ2_0 is not supported",
    [36] = "type 36 (IQ4_NL repacked) was withdrawn from the format",
    [37] = "type 37 (IQ4_NL repacked) was withdrawn from the format",
    [38] = "type 38 (IQ4_NL repacked) was withdrawn from the format",
    [39] = "type MXFP4 is not supported", [40] = "type NVFP4 is not supported",
    [41] = "type Q1_0 is not supported", [42] = "type Q2_0 is not supported",
};

const sv_type_info *sv_type_get(uint32_t type)
{
    return type < SV_N_TYPES && types[type].name ? &types[type] : NULL;
}

const char *sv_type_refusal(uint32_t type)
{
    static _Thread_local char text[40];
    if (type < sizeof others / sizeof *others && others[type])
        return others[type];
    snprintf(text, sizeof text, "type %u is unknown", (unsigned)type);
    return text;
}

size_t sv_type_bytes(sv_type type, size_t n)
{
    return n / (size_t)types[type].block * (size_t)types[type].block_bytes;
}

int sv_type_by_name(const char *name)
{
    for (int i = 0; i < SV_N_TYPES; i++)
        if (types[i].name && !strcasecmp(types[i].name, name))
            return i;
    return -1;
}
