# SPDX-License-Identifier: MIT
# Each kernel set is a small library with its own flags; everything else is
# compiled for the baseline.
libcore_la_SOURCES += \
	simd/cpu.h simd/cpu_arm.c simd/cpu_x86.c simd/dispatch.c simd/half.h simd/kernels.h \
	simd/panel.c simd/panel.h simd/sets.h \
	simd/ref/convert.c simd/ref/dequant.c simd/ref/dot_row.c simd/ref/expand.c \
	simd/ref/fill.c simd/ref/float.c simd/ref/gemm_f32.c simd/ref/gemm_quant.c simd/ref/panel.c simd/ref/quant.c simd/ref/ref.h

# Kernels written once for all sets.
simd_bodies = simd/dequant_body.h simd/expand_body.h simd/float_body.h simd/gemm_body.h \
	simd/gemv_body.h simd/inline.h simd/pack_body.h simd/product_body.h

if ISA_AVX2
noinst_LTLIBRARIES += libsimd_avx2.la
libsimd_avx2_la_SOURCES = simd/avx2/avx2.h simd/avx2/dequant.c simd/avx2/expand.c simd/avx2/fill.c \
	simd/avx2/float.c simd/avx2/gemm_quant.c simd/avx2/gemv_quant.c simd/avx2/pack.c simd/avx2/quant.c \
	simd/avx2/row_vec.h simd/avx2/vec.h $(simd_bodies)
libsimd_avx2_la_CFLAGS = $(AM_CFLAGS) $(ISA_AVX2_CFLAGS)
libcore_la_LIBADD += libsimd_avx2.la
endif

if ISA_AVX512
noinst_LTLIBRARIES += libsimd_avx512.la
libsimd_avx512_la_SOURCES = simd/avx512/avx512.h simd/avx512/dequant.c simd/avx512/expand.c \
	simd/avx512/fill.c simd/avx512/float.c \
	simd/avx512/gemm_quant.c simd/avx512/gemv_quant.c simd/avx512/pack.c simd/avx512/quant.c \
	simd/avx2/row_vec.h simd/avx512/transpose.h simd/avx512/vec.h $(simd_bodies)
libsimd_avx512_la_CFLAGS = $(AM_CFLAGS) $(ISA_AVX512_CFLAGS)
libcore_la_LIBADD += libsimd_avx512.la
endif

if ISA_AVX512_BF16
noinst_LTLIBRARIES += libsimd_avx512_bf16.la
libsimd_avx512_bf16_la_SOURCES = simd/avx512_bf16/avx512_bf16.h simd/avx512_bf16/fill.c \
	simd/avx512_bf16/gemm_bf16.c
libsimd_avx512_bf16_la_CFLAGS = $(AM_CFLAGS) $(ISA_AVX512_BF16_CFLAGS)
libcore_la_LIBADD += libsimd_avx512_bf16.la
endif

if ISA_NEON
noinst_LTLIBRARIES += libsimd_neon.la
libsimd_neon_la_SOURCES = simd/neon/dequant.c simd/neon/dot.h simd/neon/expand.c simd/neon/fill.c \
	simd/neon/float.c simd/neon/gemm_quant.c simd/neon/gemv_quant.c simd/neon/neon.h simd/neon/pack.c \
	simd/neon/quant.c simd/neon/vec.h $(simd_bodies)
libsimd_neon_la_CFLAGS = $(AM_CFLAGS) $(ISA_NEON_CFLAGS)
libcore_la_LIBADD += libsimd_neon.la
endif

if ISA_NEON_DOTPROD
noinst_LTLIBRARIES += libsimd_neon_dotprod.la
libsimd_neon_dotprod_la_SOURCES = simd/neon_dotprod/fill.c simd/neon_dotprod/gemm_quant.c \
	simd/neon_dotprod/gemv_quant.c simd/neon_dotprod/neon_dotprod.h simd/neon/neon.h \
	simd/neon/vec.h $(simd_bodies)
libsimd_neon_dotprod_la_CFLAGS = $(AM_CFLAGS) $(ISA_NEON_DOTPROD_CFLAGS)
libcore_la_LIBADD += libsimd_neon_dotprod.la
endif

if ISA_NEON_I8MM
noinst_LTLIBRARIES += libsimd_neon_i8mm.la
libsimd_neon_i8mm_la_SOURCES = simd/neon_i8mm/fill.c simd/neon_i8mm/gemm_quant.c \
	simd/neon_i8mm/neon_i8mm.h simd/neon/neon.h simd/neon/vec.h $(simd_bodies)
libsimd_neon_i8mm_la_CFLAGS = $(AM_CFLAGS) $(ISA_NEON_I8MM_CFLAGS)
libcore_la_LIBADD += libsimd_neon_i8mm.la
endif
