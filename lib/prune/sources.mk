# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/prune/parts.h lib/prune/raters.c lib/prune/rank.c lib/prune/recycle.c \
	lib/prune/score.c lib/prune/select.c \
	lib/prune/pruner.h lib/prune/decide.c lib/prune/edit.c lib/prune/judges.c \
	lib/prune/macs.c lib/prune/methods.c lib/prune/prune_hook.c lib/prune/prune_options.c \
	lib/prune/reduce.c lib/prune/schedule.c lib/prune/stage.c \
	lib/prune/divprune.c lib/prune/fastv.c lib/prune/pdrop.c lib/prune/random.c \
	lib/prune/sparsevlm.c lib/prune/uniform.c lib/prune/visionzip.c
