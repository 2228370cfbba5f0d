/* SPDX-License-Identifier: MIT */
/* Element types of tensors, numbered as in GGUF files. */
#ifndef SV_TYPE_H
#define SV_TYPE_H

#include <stddef.h>
#include <stdint.h>

typedef enum sv_type {
    SV_F32 = 0, SV_F16 = 1, SV_Q4_0 = 2, SV_Q4_1 = 3, SV_Q5_0 = 6, SV_Q5_1 = 7, SV_Q8_0 = 8,
    SV_Q2_K = 10, SV_Q3_K = 11, SV_Q4_K = 12, SV_Q5_K = 13, SV_Q6_K = 14, SV_IQ4_NL = 20,
    SV_BF16 = 30, SV_N_TYPES = 31
} sv_type;

typedef struct sv_type_info {
    const char *name;             /* "Q4_K"; NULL: not a type we run  */
    int block;                    /* values in a block                */
    int block_bytes;
} sv_type_info;

/* NULL for a type we do not run (sv_type_refusal says why). */
const sv_type_info *sv_type_get(uint32_t type);
/* Why a GGUF type id is refused: "Q4_2 was withdrawn", "IQ2_XS is not supported",
 * "type 77 is unknown". Static or thread-local text. */
const char *sv_type_refusal(uint32_t type);
/* Bytes of n values; n must be a multiple of the block. */
size_t sv_type_bytes(sv_type type, size_t n);
/* By name, upper or lower case; -1 when unknown. */
int sv_type_by_name(const char *name);

#endif
