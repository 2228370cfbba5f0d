/* SPDX-License-Identifier: MIT */
/* Packed panels to slabs, whose bytes are the values. */
#include "simd/neon/vec.h"

#define OUT sv_slab
#define PUT(o, g, i, p, v) vi_store((o)[g].q[i][(p) * LANES], v)
#define SCALE(o, g, h, p, v) vf_store(&(o)[g].scale[h][(p) * LANES], v)
#define MIN(o, g, h, p, v) vf_store(&(o)[g].min[h][(p) * LANES], v)
#define DONE(o, g, p, form, zero)

#include "simd/expand_body.h"

EXPANDERS

void sv_expand_fill_neon(sv_kernels *k)
{
    fill_expand(k);
}
