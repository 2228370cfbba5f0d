/* SPDX-License-Identifier: MIT */
/* Packed panels to slabs, one block at a time: the block is put together again
 * from its pieces and read as FORMATS.md, section 3 says. */
#include <string.h>

#include "simd/half.h"
#include "simd/ref/ref.h"

static const int8_t iq4_nl_values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
};

/* What a block means: values with zero taken off, scale and minimum per 16. */
typedef struct block {
    int v[256];
    float scale[16], min[16];
} block;

static void read_q4_0(block *o, const uint8_t *b)
{
    for (int j = 0; j < 32; j++)
        o->v[j] = (j < 16 ? b[2 + j] & 15 : b[2 + j - 16] >> 4) - 8;
    o->scale[0] = sv_half_at(b);
}

static void read_q4_1(block *o, const uint8_t *b)
{
    for (int j = 0; j < 32; j++)
        o->v[j] = j < 16 ? b[4 + j] & 15 : b[4 + j - 16] >> 4;
    o->scale[0] = sv_half_at(b);
    o->min[0] = sv_half_at(b + 2);
}

static void read_iq4_nl(block *o, const uint8_t *b)
{
    for (int j = 0; j < 32; j++)
        o->v[j] = iq4_nl_values[j < 16 ? b[2 + j] & 15 : b[2 + j - 16] >> 4];
    o->scale[0] = sv_half_at(b);
}

/* Value j of 32 with its fifth bit at bit j of high. */
static int five_bits(const uint8_t *high, const uint8_t *q, int j)
{
    int low = j < 16 ? q[j] & 15 : q[j - 16] >> 4;
    return low | (high[j / 8] >> (j % 8) & 1) << 4;
}

static void read_q5_0(block *o, const uint8_t *b)
{
    for (int j = 0; j < 32; j++)
        o->v[j] = five_bits(b + 2, b + 6, j) - 16;
    o->scale[0] = sv_half_at(b);
}

static void read_q5_1(block *o, const uint8_t *b)
{
    for (int j = 0; j < 32; j++)
        o->v[j] = five_bits(b + 4, b + 8, j);
    o->scale[0] = sv_half_at(b);
    o->min[0] = sv_half_at(b + 2);
}

static void read_q8_0(block *o, const uint8_t *b)
{
    for (int j = 0; j < 32; j++)
        o->v[j] = (int8_t)b[2 + j];
    o->scale[0] = sv_half_at(b);
}

/* Scales of Q4_K and Q5_K, doubled up: entry 2 g belongs to group g. */
static void read_six_bits(block *o, const uint8_t *b)
{
    const uint8_t *s = b + 4;
    float d = sv_half_at(b), dmin = sv_half_at(b + 2);
    for (int g = 0; g < 8; g++) {
        int sc = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
        int mn = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | s[g] >> 6 << 4;
        o->scale[2 * g] = d * (float)sc;
        o->min[2 * g] = -(dmin * (float)mn);
    }
}

static void read_q4_k(block *o, const uint8_t *b)
{
    const uint8_t *q = b + 16;
    for (int i = 0; i < 256; i++) {
        int g = i / 32, byte = q[32 * (g / 2) + i % 32];
        o->v[i] = g & 1 ? byte >> 4 : byte & 15;
    }
    read_six_bits(o, b);
}

static void read_q5_k(block *o, const uint8_t *b)
{
    const uint8_t *h = b + 16, *q = b + 48;
    for (int i = 0; i < 256; i++) {
        int g = i / 32, byte = q[32 * (g / 2) + i % 32];
        o->v[i] = (g & 1 ? byte >> 4 : byte & 15) | (h[i % 32] >> g & 1) << 4;
    }
    read_six_bits(o, b);
}

static void read_q6_k(block *o, const uint8_t *b)
{
    for (int i = 0; i < 256; i++) {
        int half = i / 128, pair = i % 128 / 32, l = i % 32;
        int byte = b[64 * half + 32 * (pair & 1) + l];
        int low = pair < 2 ? byte & 15 : byte >> 4;
        o->v[i] = (low | (b[128 + 32 * half + l] >> 2 * pair & 3) << 4) - 32;
    }
    for (int j = 0; j < 16; j++)
        o->scale[j] = sv_half_at(b + 208) * (float)(int8_t)b[192 + j];
}

static void read_q3_k(block *o, const uint8_t *b)
{
    const uint8_t *s = b + 96;
    for (int i = 0; i < 256; i++) {
        int half = i / 128, pair = i % 128 / 32, l = i % 32;
        int set = b[l] >> (4 * half + pair) & 1;
        o->v[i] = (b[32 + 32 * half + l] >> 2 * pair & 3) - (set ? 0 : 4);
    }
    for (int j = 0; j < 16; j++) {
        int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4, high = s[8 + j % 4] >> 2 * (j / 4) & 3;
        o->scale[j] = sv_half_at(b + 108) * (float)((low | high << 4) - 32);
    }
}

static void read_q2_k(block *o, const uint8_t *b)
{
    for (int i = 0; i < 256; i++)
        o->v[i] = b[16 + 32 * (i / 128) + i % 32] >> 2 * (i % 128 / 32) & 3;
    for (int j = 0; j < 16; j++) {
        o->scale[j] = sv_half_at(b + 80) * (float)(b[j] & 15);
        o->min[j] = -(sv_half_at(b + 82) * (float)(b[j] >> 4));
    }
}

/* Row r's block out of a packed one. */
static void gather(uint8_t *out, const uint8_t *packed, const sv_block_shape *s, int r)
{
    for (int i = 0; i < s->front; i++, out += 2, packed += 32)
        memcpy(out, packed + 2 * r, 2);
    for (int i = 0; i < s->words; i++, out += 4, packed += 64)
        memcpy(out, packed + 4 * r, 4);
    for (int i = 0; i < s->back; i++, out += 2, packed += 32)
        memcpy(out, packed + 2 * r, 2);
}

static void store(sv_slab *dst, const block *o, const sv_block_shape *s, int r)
{
    for (int i = 0; i < s->slabs * SV_DEPTH; i++)
        dst[i / SV_DEPTH].q[i % SV_DEPTH / 4][r][i % 4] = (uint8_t)o->v[i];
    for (int g = 0; g < s->slabs; g++)
        for (int h = 0; h < (s->form & SV_FORM_HALF ? 2 : 1); h++) {
            dst[g].scale[h][r] = o->scale[2 * g + h];
            if (s->form & SV_FORM_MIN)
                dst[g].min[h][r] = o->min[2 * g + h];
        }
}

static void expand(sv_slab *dst, const uint8_t *packed, int n_blocks, int type,
                   void (*read)(block *, const uint8_t *))
{
    const sv_block_shape *s = &sv_block_shapes[type];
    for (int i = 0; i < n_blocks; i++, dst += s->slabs) {
        for (int r = 0; r < SV_PANEL_ROWS; r++) {
            uint8_t bytes[256];
            block o;
            gather(bytes, packed, s, r);
            read(&o, bytes);
            store(dst, &o, s, r);
        }
        packed += sv_packed_bytes(s, s->slabs * SV_DEPTH);
    }
}

#define EXPAND(name, type)                                                                  \
    static void expand_##name(sv_slab *dst, const uint8_t *packed, int n_blocks)            \
    {                                                                                       \
        expand(dst, packed, n_blocks, type, read_##name);                                   \
    }
EXPAND(q4_0, 2)
EXPAND(q4_1, 3)
EXPAND(q5_0, 6)
EXPAND(q5_1, 7)
EXPAND(q8_0, 8)
EXPAND(q2_k, 10)
EXPAND(q3_k, 11)
EXPAND(q4_k, 12)
EXPAND(q5_k, 13)
EXPAND(q6_k, 14)
EXPAND(iq4_nl, 20)

void sv_expand_fill_ref(sv_kernels *k)
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
