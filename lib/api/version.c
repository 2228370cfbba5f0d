/* SPDX-License-Identifier: MIT */
/* Which library this is, and which kernels it runs. */
#include <sparsevlm/model.h>

#include "simd/kernels.h"

const char *svlm_version(void)
{
    return SVLM_VERSION;
}

const char *svlm_isa(void)
{
    return sv_kernels_get()->isa;
}
