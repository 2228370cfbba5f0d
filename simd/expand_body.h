/* SPDX-License-Identifier: MIT */
/* Packed panels to slabs, written once for all sets. Each set's expand.c defines
 * the vectors before including this: V is a number of 32-bit lanes, a lane is
 * an output row, and the loops below run over the 16 / LANES parts of a panel.
 *
 *     LANES, vi (32-bit integers; its bytes as 8-bit ones), vf (floats)
 *     vi_load(p) vi_store(p, v) vi_set(x) vi_set8(x) vi_and vi_or
 *     vi_srl(v, n) vi_sll(v, n)        of 32-bit lanes
 *     vi_add8(a, b)                    of bytes
 *     vi_flag8(v, mask, x)             per byte: v & mask ? x : 0
 *     vi_half(p)                       LANES halves to floats (vf)
 *     vi_float(v)                      signed 32-bit lanes to floats
 *     vf_mul(a, b) vf_neg(a) vf_store(p, v)
 *     STORED(zero)                     what is added to a stored number
 *     STORED_SIGNED                    the same for two's complement bytes
 *     vi_iq4nl(v)                      per byte: table look-up of 0..15 (two's complement)
 */

#define PARTS (SV_PANEL_ROWS / LANES)

/* Part p of word w, of half h, of a packed block. */
#define WORD(b, shape_front, w, p) vi_load((b) + ((shape_front) * 32 + (w) * 64 + (p) * LANES * 4))
#define HALF(b, offset, h, p) vi_half((b) + (offset) + (h) * 32 + (p) * LANES * 2)
#define PUT(s, i, p, v) vi_store(&(s)->q[i][(p) * LANES][0], v)

static inline vi nibble(vi v, int high)
{
    return vi_and(high ? vi_srl(v, 4) : v, vi_set8(0x0f));
}

/* Q4_0, Q4_1, IQ4_NL: word i holds values 4 i .. 4 i + 3 low, 16 more high. */
static inline void nibbles(sv_slab *s, const uint8_t *b, int front, int p, int add)
{
    for (int i = 0; i < 4; i++) {
        vi w = WORD(b, front, i, p);
        PUT(s, i, p, vi_add8(nibble(w, 0), vi_set8(add)));
        PUT(s, i + 4, p, vi_add8(nibble(w, 1), vi_set8(add)));
    }
}

static void expand_q4_0(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s++, b += 18 * 16)
        for (int p = 0; p < PARTS; p++) {
            nibbles(s, b, 1, p, STORED(8));
            vf_store(&s->scale[0][p * LANES], HALF(b, 0, 0, p));
        }
}

static void expand_q4_1(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s++, b += 20 * 16)
        for (int p = 0; p < PARTS; p++) {
            nibbles(s, b, 2, p, 0);
            vf_store(&s->scale[0][p * LANES], HALF(b, 0, 0, p));
            vf_store(&s->min[0][p * LANES], HALF(b, 0, 1, p));
        }
}

static void expand_iq4_nl(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s++, b += 18 * 16)
        for (int p = 0; p < PARTS; p++) {
            for (int i = 0; i < 4; i++) {
                vi w = WORD(b, 1, i, p);
                PUT(s, i, p, vi_add8(vi_iq4nl(nibble(w, 0)), vi_set8(STORED_SIGNED)));
                PUT(s, i + 4, p, vi_add8(vi_iq4nl(nibble(w, 1)), vi_set8(STORED_SIGNED)));
            }
            vf_store(&s->scale[0][p * LANES], HALF(b, 0, 0, p));
        }
}

/* Q5_0, Q5_1: the fifth bits of values 4 i .. 4 i + 3 are bits 4 i .. 4 i + 3 of
 * the first word; spread so that one byte gets each. */
static inline vi fifth(vi high, int i)
{
    vi bits = vi_and(vi_srl(high, 4 * i), vi_set(0x0f));
    vi spread = vi_or(vi_or(bits, vi_sll(bits, 7)), vi_or(vi_sll(bits, 14), vi_sll(bits, 21)));
    return vi_flag8(spread, vi_set8(1), vi_set8(16));
}

static inline void fives(sv_slab *s, const uint8_t *b, int front, int p, int add)
{
    vi high = WORD(b, front, 0, p);
    for (int i = 0; i < 4; i++) {
        vi w = WORD(b, front, i + 1, p);
        vi lo = vi_or(nibble(w, 0), fifth(high, i)), hi = vi_or(nibble(w, 1), fifth(high, i + 4));
        PUT(s, i, p, vi_add8(lo, vi_set8(add)));
        PUT(s, i + 4, p, vi_add8(hi, vi_set8(add)));
    }
}

static void expand_q5_0(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s++, b += 22 * 16)
        for (int p = 0; p < PARTS; p++) {
            fives(s, b, 1, p, STORED(16));
            vf_store(&s->scale[0][p * LANES], HALF(b, 0, 0, p));
        }
}

static void expand_q5_1(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s++, b += 24 * 16)
        for (int p = 0; p < PARTS; p++) {
            fives(s, b, 2, p, 0);
            vf_store(&s->scale[0][p * LANES], HALF(b, 0, 0, p));
            vf_store(&s->min[0][p * LANES], HALF(b, 0, 1, p));
        }
}

static void expand_q8_0(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s++, b += 34 * 16)
        for (int p = 0; p < PARTS; p++) {
            for (int i = 0; i < 8; i++)
                PUT(s, i, p, vi_add8(WORD(b, 1, i, p), vi_set8(STORED_SIGNED)));
            vf_store(&s->scale[0][p * LANES], HALF(b, 0, 0, p));
        }
}

/* Q4_K, Q5_K: 6-bit scale and minimum of group g from words 0..2 (s[12]). */
static inline void six_bits(vi *scale, vi *min, const uint8_t *b, int g, int p)
{
    vi s0 = WORD(b, 2, 0, p), s1 = WORD(b, 2, 1, p), s2 = WORD(b, 2, 2, p);
    int shift = 8 * (g & 3);
    if (g < 4) {
        *scale = vi_and(vi_srl(s0, shift), vi_set(63));
        *min = vi_and(vi_srl(s1, shift), vi_set(63));
        return;
    }
    vi low = vi_srl(s2, shift);
    vi top0 = vi_and(vi_srl(s0, shift), vi_set(0xc0)), top1 = vi_and(vi_srl(s1, shift), vi_set(0xc0));
    *scale = vi_or(vi_and(low, vi_set(15)), vi_srl(top0, 2));
    *min = vi_or(vi_and(vi_srl(low, 4), vi_set(15)), vi_srl(top1, 2));
}

static inline void put_scale_min(sv_slab *s, const uint8_t *b, int g, int p, vf d, vf dmin)
{
    vi scale, min;
    six_bits(&scale, &min, b, g, p);
    vf_store(&s->scale[0][p * LANES], vf_mul(d, vi_float(scale)));
    vf_store(&s->min[0][p * LANES], vf_neg(vf_mul(dmin, vi_float(min))));
}

static void expand_q4_k(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s += 8, b += 144 * 16)
        for (int p = 0; p < PARTS; p++) {
            vf d = HALF(b, 0, 0, p), dmin = HALF(b, 0, 1, p);
            for (int g = 0; g < 8; g++) {
                for (int i = 0; i < 8; i++)
                    PUT(s + g, i, p, nibble(WORD(b, 2, 3 + 8 * (g / 2) + i, p), g & 1));
                put_scale_min(s + g, b, g, p, d, dmin);
            }
        }
}

static void expand_q5_k(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s += 8, b += 176 * 16)
        for (int p = 0; p < PARTS; p++) {
            vf d = HALF(b, 0, 0, p), dmin = HALF(b, 0, 1, p);
            for (int g = 0; g < 8; g++) {
                for (int i = 0; i < 8; i++) {
                    vi low = nibble(WORD(b, 2, 11 + 8 * (g / 2) + i, p), g & 1);
                    vi h = vi_flag8(WORD(b, 2, 3 + i, p), vi_set8(1 << g), vi_set8(16));
                    PUT(s + g, i, p, vi_or(low, h));
                }
                put_scale_min(s + g, b, g, p, d, dmin);
            }
        }
}

/* Signed byte j of a word, as 32 bits. */
static inline vi signed_byte(vi w, int j)
{
    return vi_sra(vi_sll(w, 24 - 8 * j), 24);
}

/* Slab g of Q6_K: half g / 4, pair g % 4; scales 2 g and 2 g + 1. */
static void expand_q6_k(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s += 8, b += 210 * 16)
        for (int p = 0; p < PARTS; p++) {
            vf d = HALF(b, 52 * 64, 0, p);
            for (int g = 0; g < 8; g++) {
                int half = g / 4, pair = g % 4;
                for (int i = 0; i < 8; i++) {
                    vi low = nibble(WORD(b, 0, 16 * half + 8 * (pair & 1) + i, p), pair >= 2);
                    vi h = vi_and(vi_srl(WORD(b, 0, 32 + 8 * half + i, p), 2 * pair), vi_set8(3));
                    PUT(s + g, i, p, vi_add8(vi_or(low, vi_sll(h, 4)), vi_set8(STORED(32))));
                }
                for (int h = 0; h < 2; h++) {
                    vi sc = signed_byte(WORD(b, 0, 48 + g / 2, p), 2 * (g & 1) + h);
                    vf_store(&s[g].scale[h][p * LANES], vf_mul(d, vi_float(sc)));
                }
            }
        }
}

/* Q3_K's 6-bit scale j, 32 taken off: low four bits in bytes 0..7, high two in
 * bytes 8..11 of words 24..26. */
static inline vi q3_scale(const uint8_t *b, int j, int p)
{
    vi low = vi_srl(WORD(b, 0, 24 + (j & 7) / 4, p), 8 * (j & 3) + (j >= 8 ? 4 : 0));
    vi high = vi_srl(WORD(b, 0, 26, p), 8 * (j & 3) + 2 * (j / 4));
    vi six = vi_or(vi_and(low, vi_set(15)), vi_sll(vi_and(high, vi_set(3)), 4));
    return vi_sub(six, vi_set(32));
}

static void expand_q3_k(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s += 8, b += 110 * 16)
        for (int p = 0; p < PARTS; p++) {
            vf d = HALF(b, 27 * 64, 0, p);
            for (int g = 0; g < 8; g++) {
                int half = g / 4, pair = g % 4;
                for (int i = 0; i < 8; i++) {
                    vi v = vi_and(vi_srl(WORD(b, 0, 8 + 8 * half + i, p), 2 * pair), vi_set8(3));
                    vi h = vi_flag8(WORD(b, 0, i, p), vi_set8(1 << g), vi_set8(4));
                    PUT(s + g, i, p, vi_add8(vi_or(v, h), vi_set8(STORED(4))));
                }
                for (int h = 0; h < 2; h++)
                    vf_store(&s[g].scale[h][p * LANES], vf_mul(d, vi_float(q3_scale(b, 2 * g + h, p))));
            }
        }
}

static void expand_q2_k(sv_slab *s, const uint8_t *b, int n)
{
    for (; n--; s += 8, b += 84 * 16)
        for (int p = 0; p < PARTS; p++) {
            vf d = HALF(b, 20 * 64, 0, p), dmin = HALF(b, 20 * 64, 1, p);
            for (int g = 0; g < 8; g++) {
                for (int i = 0; i < 8; i++) {
                    vi w = WORD(b, 0, 4 + 8 * (g / 4) + i, p);
                    PUT(s + g, i, p, vi_and(vi_srl(w, 2 * (g % 4)), vi_set8(3)));
                }
                for (int h = 0; h < 2; h++) {
                    vi sc = vi_srl(WORD(b, 0, g / 2, p), 8 * (2 * (g & 1) + h));
                    vf low = vi_float(vi_and(sc, vi_set(15)));
                    vf high = vi_float(vi_and(vi_srl(sc, 4), vi_set(15)));
                    vf_store(&s[g].scale[h][p * LANES], vf_mul(d, low));
                    vf_store(&s[g].min[h][p * LANES], vf_neg(vf_mul(dmin, high)));
                }
            }
        }
}

static void fill_expand(sv_kernels *k)
{
    k->expand[2] = expand_q4_0;
    k->expand[3] = expand_q4_1;
    k->expand[6] = expand_q5_0;
    k->expand[7] = expand_q5_1;
    k->expand[8] = expand_q8_0;
    k->expand[10] = expand_q2_k;
    k->expand[11] = expand_q3_k;
    k->expand[12] = expand_q4_k;
    k->expand[13] = expand_q5_k;
    k->expand[14] = expand_q6_k;
    k->expand[20] = expand_iq4_nl;
}
