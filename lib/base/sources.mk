# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/base/alloc.c lib/base/alloc.h lib/base/arena.c lib/base/arena.h \
	lib/base/clock.c lib/base/clock.h lib/base/log.c lib/base/log.h \
	lib/base/mapfile.c lib/base/mapfile.h lib/base/options.c lib/base/options.h \
	lib/base/rng.c lib/base/rng.h \
	lib/base/status.c lib/base/status.h lib/base/type.c lib/base/type.h \
	lib/base/utf8.c lib/base/utf8.h

# The only file that knows OpenMP.
noinst_LTLIBRARIES += libthreads.la
libthreads_la_SOURCES = lib/base/threads.c lib/base/threads.h
libthreads_la_CFLAGS = $(AM_CFLAGS) $(OPENMP_CFLAGS)
libcore_la_LIBADD += libthreads.la
AM_LDFLAGS += $(OPENMP_CFLAGS)
