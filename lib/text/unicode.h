/* SPDX-License-Identifier: MIT */
/* The four classes of characters that pre-tokenizers tell apart. */
#ifndef SV_UNICODE_H
#define SV_UNICODE_H

#include <stdint.h>

typedef enum sv_class {
    SV_CLASS_OTHER, SV_CLASS_LETTER, SV_CLASS_NUMBER, SV_CLASS_MARK, SV_CLASS_SPACE
} sv_class;

/* By general category L, N, M; SPACE is the property White_Space. */
sv_class sv_unicode_class(uint32_t code);

/* Where the category changes, ascending: code << 2 | class from there on. */
enum { SV_UNICODE_ENTRIES = 1862 };
extern const uint32_t sv_unicode_table[SV_UNICODE_ENTRIES];

#endif
