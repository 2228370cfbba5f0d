# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/prune/parts.h lib/prune/raters.c lib/prune/rank.c lib/prune/recycle.c \
	lib/prune/score.c lib/prune/select.c
