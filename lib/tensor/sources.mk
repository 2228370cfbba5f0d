# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/tensor/attention.c lib/tensor/attention.h lib/tensor/matmul.c lib/tensor/matmul.h \
	lib/tensor/matmul_float.c lib/tensor/matmul_float.h \
	lib/tensor/matmul_bf16.c lib/tensor/matmul_bf16.h lib/tensor/matmul_quant.c lib/tensor/matmul_quant.h lib/tensor/ops.c lib/tensor/ops.h \
	lib/tensor/quantize.c lib/tensor/quantize.h lib/tensor/quantize_block.h \
	lib/tensor/quantize_fit.c lib/tensor/quantize_fit.h lib/tensor/quantize_k.c \
	lib/tensor/repack.c lib/tensor/repack.h lib/tensor/rope.c lib/tensor/rope.h

# The only file that knows BLAS.
noinst_LTLIBRARIES += libblas.la
libblas_la_SOURCES = lib/tensor/matmul_blas.c lib/tensor/matmul_blas.h
libblas_la_CFLAGS = $(AM_CFLAGS) $(BLAS_CFLAGS)
libblas_la_LIBADD = $(BLAS_LIBS)
libcore_la_LIBADD += libblas.la
