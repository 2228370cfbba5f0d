# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/text/detokenize.c lib/text/merge.c lib/text/pretokenize.c lib/text/prompt.c \
	lib/text/template.c lib/text/template.h lib/text/text.h lib/text/tokenize.c \
	lib/text/tokenize_bpe.c lib/text/tokenize_spm.c lib/text/unicode.c lib/text/unicode.h \
	lib/text/unicode_table.c lib/text/vocab.c lib/text/vocab.h lib/text/vocab_index.c
EXTRA_DIST += lib/text/make_unicode.py
