# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/vision/features.c lib/vision/merge.c lib/vision/projector.c lib/vision/vision.h \
	lib/vision/vit.h lib/vision/vit_embed.c lib/vision/vit_encode.c lib/vision/vit_keys.c \
	lib/vision/vit_keys.h lib/vision/vit_layer.c lib/vision/vit_load.c
