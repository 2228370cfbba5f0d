/* SPDX-License-Identifier: MIT */
/* Packed panels to slabs, whose bytes are what the file stores. */
#include "simd/avx2/vec.h"

#define OUT sv_slab
#define PUT(o, g, i, p, v) vi_store((o)[g].q[i][(p) * LANES], v)
#define SCALE(o, g, h, p, v) vf_store(&(o)[g].scale[h][(p) * LANES], v)
#define MIN(o, g, h, p, v) vf_store(&(o)[g].min[h][(p) * LANES], v)
#define DONE(o, g, p, form, zero)

#include "simd/expand_body.h"

EXPANDERS

void sv_expand_fill_avx2(sv_kernels *k)
{
    fill_expand(k);
}
