# SPDX-License-Identifier: MIT
# The program links what the library is made of, so it runs from the build tree as it is.
bin_PROGRAMS += sparsevlm
sparsevlm_SOURCES = \
	tools/cli.h tools/cmd_ask.c tools/cmd_bench.c tools/cmd_chat.c tools/cmd_eval.c \
	tools/cmd_info.c tools/cmds.h tools/help.c tools/help.h tools/load.c tools/main.c \
	tools/models.c tools/options.c tools/report.c
sparsevlm_CPPFLAGS = $(AM_CPPFLAGS) -DMODEL_DIR='"$(pkgdatadir)"'
sparsevlm_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
sparsevlm_LDADD = libcore.la $(JANSSON_LIBS)
