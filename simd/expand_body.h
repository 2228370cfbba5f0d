/* SPDX-License-Identifier: MIT */
/* Reading every type of block, written once for all sets and for three purposes: packed
 * panels to slabs (expand.c) and straight into products (gemv_quant.c), and the blocks of
 * one row to floats (dequant_body.h). The file that includes this defines the vectors, of
 * LANES 32-bit lanes. In a panel a lane is an output row, and the loops run over the
 * 16 / LANES parts p.
 *
 *     vi (32-bit integers; its bytes as 8-bit ones), vf (floats)
 *     vi_load(p) vi_set(x) vi_set8(x) vi_and vi_or vi_sub
 *     vi_srl(v, n) vi_sll vi_sra       of 32-bit lanes
 *     vi_add8(a, b)                    of bytes
 *     vi_flag8(v, mask, x)             per byte: v & mask ? x : 0
 *     vi_half(p)                       LANES halves to floats (vf)
 *     vi_float(v)                      signed 32-bit lanes to floats
 *     vf_mul(a, b) vf_neg(a)
 *     vi_iq4nl(v)                      per byte: table look-up of 0..15 (two's complement)
 *     STORED(zero)                     what is added to a stored number
 *     STORED_SIGNED                    the same for two's complement bytes
 *
 * and where what was read goes. o is a pointer to the file's own type OUT, g the
 * slab inside the block:
 *
 *     PUT(o, g, i, p, v)               depth 4 i .. 4 i + 3
 *     SCALE(o, g, h, p, v) MIN(...)    of half h, or of all if the form has no halves
 *     DONE(o, g, p, form, zero)        part p of the slab is complete
 *
 * Rows are not panels: there the lanes are STEP words of one row, and what the macros below
 * say of a panel is said by dequant_body.h.
 */

#include "simd/inline.h"

#define PARTS (SV_PANEL_ROWS / LANES)

/* Part p of word w of a packed block whose words follow `front` halves, where the word has
 * values, where it has scales, and where its bits 4 i .. 4 i + 3 belong to values 4 i ..; of
 * half h, the halves beginning at a byte offset. */
#ifndef STEP
#define STEP 1
#define WORD(b, front, w, p) vi_load((b) + ((front) * 32 + (w) * 64 + (p) * LANES * 4))
#define SCALES(b, front, w, p) WORD(b, front, w, p)
#define BITS(b, front, w, p) WORD(b, front, w, p)
#define HALF(b, offset, h, p) vi_half((b) + (offset) + (h) * 32 + (p) * LANES * 2)
#endif

INLINE vi nibble(vi v, int high)
{
    return vi_and(high ? vi_srl(v, 4) : v, vi_set8(0x0f));
}

/* Q4_0, Q4_1: word i holds values 4 i .. 4 i + 3 low, 16 more high. */
INLINE void nibbles(OUT *o, const uint8_t *b, int front, int p, int add)
{
    UNROLL(4) for (int i = 0; i < 4; i += STEP) {
        vi w = WORD(b, front, i, p);
        PUT(o, 0, i, p, vi_add8(nibble(w, 0), vi_set8(add)));
        PUT(o, 0, i + 4, p, vi_add8(nibble(w, 1), vi_set8(add)));
    }
}

INLINE void read_q4_0(OUT *o, const uint8_t *b, int p)
{
    nibbles(o, b, 1, p, STORED(8));
    SCALE(o, 0, 0, p, HALF(b, 0, 0, p));
    DONE(o, 0, p, 0, 8);
}

INLINE void read_q4_1(OUT *o, const uint8_t *b, int p)
{
    nibbles(o, b, 2, p, 0);
    SCALE(o, 0, 0, p, HALF(b, 0, 0, p));
    MIN(o, 0, 0, p, HALF(b, 0, 1, p));
    DONE(o, 0, p, SV_FORM_MIN, 0);
}

INLINE void read_iq4_nl(OUT *o, const uint8_t *b, int p)
{
    UNROLL(4) for (int i = 0; i < 4; i += STEP) {
        vi w = WORD(b, 1, i, p);
        PUT(o, 0, i, p, vi_add8(vi_iq4nl(nibble(w, 0)), vi_set8(STORED_SIGNED)));
        PUT(o, 0, i + 4, p, vi_add8(vi_iq4nl(nibble(w, 1)), vi_set8(STORED_SIGNED)));
    }
    SCALE(o, 0, 0, p, HALF(b, 0, 0, p));
    DONE(o, 0, p, SV_FORM_SIGNED, 0);
}

INLINE void read_q8_0(OUT *o, const uint8_t *b, int p)
{
    UNROLL(8) for (int i = 0; i < 8; i += STEP)
        PUT(o, 0, i, p, vi_add8(WORD(b, 1, i, p), vi_set8(STORED_SIGNED)));
    SCALE(o, 0, 0, p, HALF(b, 0, 0, p));
    DONE(o, 0, p, SV_FORM_SIGNED, 0);
}

/* Q5_0, Q5_1: the fifth bits of values 4 i .. 4 i + 3 are bits 4 i .. 4 i + 3 of
 * the first word; spread so that one byte gets each. */
INLINE vi fifth(vi high, int i)
{
    vi bits = vi_and(vi_srl(high, 4 * i), vi_set(0x0f));
    vi spread = vi_or(vi_or(bits, vi_sll(bits, 7)), vi_or(vi_sll(bits, 14), vi_sll(bits, 21)));
    return vi_flag8(spread, vi_set8(1), vi_set8(16));
}

INLINE void fives(OUT *o, const uint8_t *b, int front, int p, int add)
{
    vi high = BITS(b, front, 0, p);
    UNROLL(4) for (int i = 0; i < 4; i += STEP) {
        vi w = WORD(b, front, i + 1, p);
        vi lo = vi_or(nibble(w, 0), fifth(high, i)), hi = vi_or(nibble(w, 1), fifth(high, i + 4));
        PUT(o, 0, i, p, vi_add8(lo, vi_set8(add)));
        PUT(o, 0, i + 4, p, vi_add8(hi, vi_set8(add)));
    }
}

INLINE void read_q5_0(OUT *o, const uint8_t *b, int p)
{
    fives(o, b, 1, p, STORED(16));
    SCALE(o, 0, 0, p, HALF(b, 0, 0, p));
    DONE(o, 0, p, 0, 16);
}

INLINE void read_q5_1(OUT *o, const uint8_t *b, int p)
{
    fives(o, b, 2, p, 0);
    SCALE(o, 0, 0, p, HALF(b, 0, 0, p));
    MIN(o, 0, 0, p, HALF(b, 0, 1, p));
    DONE(o, 0, p, SV_FORM_MIN, 0);
}

/* Q4_K, Q5_K: 6-bit scale and minimum of group g from words 0..2 (s[12]). */
INLINE void scale_min(OUT *o, const uint8_t *b, int g, int p, vf d, vf dmin)
{
    vi s0 = SCALES(b, 2, 0, p), s1 = SCALES(b, 2, 1, p), s2 = SCALES(b, 2, 2, p);
    int shift = 8 * (g & 3);
    vi scale, min;
    if (g < 4) {
        scale = vi_and(vi_srl(s0, shift), vi_set(63));
        min = vi_and(vi_srl(s1, shift), vi_set(63));
    } else {
        vi low = vi_srl(s2, shift);
        vi top0 = vi_and(vi_srl(s0, shift), vi_set(0xc0));
        vi top1 = vi_and(vi_srl(s1, shift), vi_set(0xc0));
        scale = vi_or(vi_and(low, vi_set(15)), vi_srl(top0, 2));
        min = vi_or(vi_and(vi_srl(low, 4), vi_set(15)), vi_srl(top1, 2));
    }
    SCALE(o, g, 0, p, vf_mul(d, vi_float(scale)));
    MIN(o, g, 0, p, vf_neg(vf_mul(dmin, vi_float(min))));
}

INLINE void read_q4_k(OUT *o, const uint8_t *b, int p)
{
    vf d = HALF(b, 0, 0, p), dmin = HALF(b, 0, 1, p);
    UNROLL(8) for (int g = 0; g < 8; g++) {
        UNROLL(8) for (int i = 0; i < 8; i += STEP)
            PUT(o, g, i, p, nibble(WORD(b, 2, 3 + 8 * (g / 2) + i, p), g & 1));
        scale_min(o, b, g, p, d, dmin);
        DONE(o, g, p, SV_FORM_MIN, 0);
    }
}

INLINE void read_q5_k(OUT *o, const uint8_t *b, int p)
{
    vf d = HALF(b, 0, 0, p), dmin = HALF(b, 0, 1, p);
    UNROLL(8) for (int g = 0; g < 8; g++) {
        UNROLL(8) for (int i = 0; i < 8; i += STEP) {
            vi low = nibble(WORD(b, 2, 11 + 8 * (g / 2) + i, p), g & 1);
            vi high = vi_flag8(WORD(b, 2, 3 + i, p), vi_set8(1 << g), vi_set8(16));
            PUT(o, g, i, p, vi_or(low, high));
        }
        scale_min(o, b, g, p, d, dmin);
        DONE(o, g, p, SV_FORM_MIN, 0);
    }
}

/* Signed byte j of a word, as 32 bits. */
INLINE vi signed_byte(vi w, int j)
{
    return vi_sra(vi_sll(w, 24 - 8 * j), 24);
}

/* Slab g of Q6_K: half g / 4, pair g % 4; scales 2 g and 2 g + 1. */
INLINE void read_q6_k(OUT *o, const uint8_t *b, int p)
{
    vf d = HALF(b, 52 * 64, 0, p);
    UNROLL(8) for (int g = 0; g < 8; g++) {
        int half = g / 4, pair = g % 4;
        UNROLL(8) for (int i = 0; i < 8; i += STEP) {
            vi low = nibble(WORD(b, 0, 16 * half + 8 * (pair & 1) + i, p), pair >= 2);
            vi high = vi_and(vi_srl(WORD(b, 0, 32 + 8 * half + i, p), 2 * pair), vi_set8(3));
            PUT(o, g, i, p, vi_add8(vi_or(low, vi_sll(high, 4)), vi_set8(STORED(32))));
        }
        UNROLL(2) for (int h = 0; h < 2; h++) {
            vi scale = signed_byte(SCALES(b, 0, 48 + g / 2, p), 2 * (g & 1) + h);
            SCALE(o, g, h, p, vf_mul(d, vi_float(scale)));
        }
        DONE(o, g, p, SV_FORM_HALF, 32);
    }
}

/* Q3_K's scale j, 32 taken off: the low four of its six bits in bytes 0..7, the
 * high two in bytes 8..11 of words 24..26. */
INLINE vi q3_scale(const uint8_t *b, int j, int p)
{
    vi low = vi_srl(SCALES(b, 0, 24 + (j & 7) / 4, p), 8 * (j & 3) + (j >= 8 ? 4 : 0));
    vi high = vi_srl(SCALES(b, 0, 26, p), 8 * (j & 3) + 2 * (j / 4));
    vi six = vi_or(vi_and(low, vi_set(15)), vi_sll(vi_and(high, vi_set(3)), 4));
    return vi_sub(six, vi_set(32));
}

INLINE void read_q3_k(OUT *o, const uint8_t *b, int p)
{
    vf d = HALF(b, 27 * 64, 0, p);
    UNROLL(8) for (int g = 0; g < 8; g++) {
        UNROLL(8) for (int i = 0; i < 8; i += STEP) {
            vi low = vi_and(vi_srl(WORD(b, 0, 8 + 8 * (g / 4) + i, p), 2 * (g % 4)), vi_set8(3));
            vi high = vi_flag8(WORD(b, 0, i, p), vi_set8(1 << g), vi_set8(4));
            PUT(o, g, i, p, vi_add8(vi_or(low, high), vi_set8(STORED(4))));
        }
        UNROLL(2) for (int h = 0; h < 2; h++)
            SCALE(o, g, h, p, vf_mul(d, vi_float(q3_scale(b, 2 * g + h, p))));
        DONE(o, g, p, SV_FORM_HALF, 4);
    }
}

INLINE void read_q2_k(OUT *o, const uint8_t *b, int p)
{
    vf d = HALF(b, 20 * 64, 0, p), dmin = HALF(b, 20 * 64, 1, p);
    UNROLL(8) for (int g = 0; g < 8; g++) {
        UNROLL(8) for (int i = 0; i < 8; i += STEP) {
            vi w = WORD(b, 0, 4 + 8 * (g / 4) + i, p);
            PUT(o, g, i, p, vi_and(vi_srl(w, 2 * (g % 4)), vi_set8(3)));
        }
        UNROLL(2) for (int h = 0; h < 2; h++) {
            vi s = vi_srl(SCALES(b, 0, g / 2, p), 8 * (2 * (g & 1) + h));
            SCALE(o, g, h, p, vf_mul(d, vi_float(vi_and(s, vi_set(15)))));
            MIN(o, g, h, p, vf_neg(vf_mul(dmin, vi_float(vi_and(vi_srl(s, 4), vi_set(15))))));
        }
        DONE(o, g, p, SV_FORM_HALF | SV_FORM_MIN, 0);
    }
}

/* READERS(M) is M(name, GGUF type, bytes of a block, its slabs) for each. */
#define READERS(M)                                                                            \
    M(q4_0, 2, 18, 1) M(q4_1, 3, 20, 1) M(q5_0, 6, 22, 1) M(q5_1, 7, 24, 1) M(q8_0, 8, 34, 1) \
    M(q2_k, 10, 84, 8) M(q3_k, 11, 110, 8) M(q4_k, 12, 144, 8) M(q5_k, 13, 176, 8)            \
    M(q6_k, 14, 210, 8) M(iq4_nl, 20, 18, 1)

/* For OUT a slab: the expand functions, and putting them into the table. */
#define EXPANDERS READERS(EXPAND) FILL_EXPAND
#define EXPAND(name, type, bytes, slabs)                                           \
    static void expand_##name(sv_slab *dst, const uint8_t *packed, int n_blocks)   \
    {                                                                              \
        for (; n_blocks--; dst += slabs, packed += bytes * SV_PANEL_ROWS)          \
            UNROLL(4) for (int p = 0; p < PARTS; p++)                              \
                read_##name(dst, packed, p);                                       \
    }
#define FILL_EXPAND                                                                \
    static void fill_expand(sv_kernels *k)                                         \
    {                                                                              \
        READERS(PUT_EXPAND)                                                        \
    }
#define PUT_EXPAND(name, type, bytes, slabs) k->expand[type] = expand_##name;
