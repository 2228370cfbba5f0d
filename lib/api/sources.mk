# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/api/chat.c lib/api/chat.h lib/api/features.c lib/api/generate.c \
	lib/api/model.c lib/api/model.h lib/api/model_info.c lib/api/model_repack.c lib/api/turn.c lib/api/version.c
