/* SPDX-License-Identifier: MIT */
/* Packed panels to slabs. Bytes are stored as unsigned: plain where the type has
 * minima, else value + 128, which gemm_quant.c takes off through sv_qtoken.off. */
#include "simd/avx512/vec.h"

#define STORED(zero) (128 - (zero))
#define STORED_SIGNED 128
#define OUT sv_slab
#define PUT(o, g, i, p, v) _mm512_storeu_si512((o)[g].q[i], v)
#define SCALE(o, g, h, p, v) _mm512_storeu_ps((o)[g].scale[h], v)
#define MIN(o, g, h, p, v) _mm512_storeu_ps((o)[g].min[h], v)
#define DONE(o, g, p, form, zero)

#include "simd/expand_body.h"

#define EXPAND(name, type, bytes, slabs)                                           \
    static void expand_##name(sv_slab *dst, const uint8_t *packed, int n_blocks)   \
    {                                                                              \
        for (; n_blocks--; dst += slabs, packed += bytes * SV_PANEL_ROWS)          \
            read_##name(dst, packed, 0);                                           \
    }
READERS(EXPAND)

void sv_expand_fill_avx512(sv_kernels *k)
{
#define FILL(name, type, bytes, slabs) k->expand[type] = expand_##name;
    READERS(FILL)
}
