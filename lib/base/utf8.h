/* SPDX-License-Identifier: MIT */
/* UTF-8 as it comes from files and users: possibly broken. */
#ifndef SV_UTF8_H
#define SV_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes the lead byte announces: 1 to 4; 1 for continuation and invalid bytes. */
int sv_utf8_announced(uint8_t lead);
/* Decodes one valid character of s[0..n); returns its length, 0 if invalid,
 * overlong, a surrogate or cut off. */
int sv_utf8_decode(const uint8_t *s, size_t n, uint32_t *code);
/* Encodes code (up to 0x10FFFF) into out[4]; returns the length. */
int sv_utf8_encode(uint32_t code, uint8_t out[4]);
/* How many bytes of s[0..n) can be shown now: everything but a final character
 * whose beginning is valid and whose rest has not come yet. */
size_t sv_utf8_complete(const uint8_t *s, size_t n);

#endif
