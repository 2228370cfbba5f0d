# SPDX-License-Identifier: MIT
# GGUF pairs of any shape with random weights, for tests and measurements.
noinst_LTLIBRARIES += libmake_model.la
libmake_model_la_SOURCES = bench/make_model.c bench/make_model.h bench/make_vocab.c bench/random_values.c
libmake_model_la_CFLAGS = $(AM_CFLAGS)

noinst_PROGRAMS += bench/random_model
bench_random_model_SOURCES = bench/random_model.c
bench_random_model_LDADD = libmake_model.la libcore.la

# Accuracy of every pruning method, as a table.
EXTRA_DIST += bench/accuracy.sh
