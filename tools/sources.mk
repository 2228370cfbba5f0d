# SPDX-License-Identifier: MIT
# The program links what the library is made of, so it runs from the build tree as it is.
bin_PROGRAMS += sparsevlm
sparsevlm_SOURCES = \
	tools/cli.h tools/cmd_ask.c tools/cmd_bench.c tools/cmd_chat.c tools/cmd_convert.c \
	tools/cmd_eval.c tools/cmd_explain.c tools/cmd_info.c tools/cmd_quantize.c tools/cmds.h \
	tools/draw.c tools/draw.h tools/explain.h tools/explain_data.c tools/explain_page.c \
	tools/font.c tools/font.h tools/help.c tools/help.h tools/load.c tools/main.c \
	tools/models.c tools/options.c tools/pictures.c tools/report.c
sparsevlm_CPPFLAGS = $(AM_CPPFLAGS) -DMODEL_DIR='"$(pkgdatadir)"'
sparsevlm_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PNG_CFLAGS)
sparsevlm_LDADD = libfiles.la libcore.la $(JANSSON_LIBS) $(PNG_LIBS)

# What quantize and convert do to files, for tests too.
noinst_LTLIBRARIES += libfiles.la
libfiles_la_SOURCES = \
	tools/convert.c tools/convert.h tools/convert_source.c tools/convert_source.h \
	tools/convert_vocab.c tools/convert_vocab.h tools/divergence.c tools/divergence.h \
	tools/hf_config.c tools/hf_config.h \
	tools/json_file.c tools/json_file.h tools/quantize_file.c tools/quantize_file.h \
	tools/recode.c tools/recode.h tools/safetensors.c tools/safetensors.h \
	tools/sentencepiece.c tools/sentencepiece.h
libfiles_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
