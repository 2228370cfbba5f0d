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

EXPANDERS

void sv_expand_fill_avx512(sv_kernels *k)
{
    fill_expand(k);
}
