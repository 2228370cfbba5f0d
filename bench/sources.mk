# SPDX-License-Identifier: MIT
# GGUF pairs of any shape with random weights, for tests and measurements.
noinst_LTLIBRARIES += libmake_model.la
libmake_model_la_SOURCES = bench/make_model.c bench/make_model.h bench/make_vocab.c bench/random_values.c
libmake_model_la_CFLAGS = $(AM_CFLAGS)

noinst_PROGRAMS += bench/random_model
bench_random_model_SOURCES = bench/random_model.c
bench_random_model_LDADD = libmake_model.la libcore.la

# The fast path held against the precise one.
noinst_LTLIBRARIES += libwatch.la
libwatch_la_SOURCES = bench/watch.c bench/watch.h
libwatch_la_CFLAGS = $(AM_CFLAGS)

noinst_PROGRAMS += bench/paths
bench_paths_SOURCES = bench/paths.c
bench_paths_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
bench_paths_LDADD = libwatch.la libfiles.la libcore.la $(JANSSON_LIBS)

# Accuracy of every pruning method, as a table; rate against token count, as a plot.
EXTRA_DIST += bench/accuracy.sh bench/compare-llama.sh bench/plot_rates.py

# Integer products on one core. `make bench-dist` packs it for another machine, linked
# statically, so that a cross build can be measured where it runs.
noinst_PROGRAMS += bench/kernels
bench_kernels_SOURCES = bench/kernels.c bench/peak.c bench/peak.h
bench_kernels_LDADD = libcore.la
bench_dist = sparsevlm-bench-$(PACKAGE_VERSION)-$(host)
bench-dist:
	rm -f bench/kernels$(EXEEXT)
	$(MAKE) bench/kernels$(EXEEXT) LDFLAGS="$(LDFLAGS) -all-static"
	tar -czf $(bench_dist).tar.gz -C bench kernels$(EXEEXT)
	@echo "$(bench_dist).tar.gz is ready"
.PHONY: bench-dist
