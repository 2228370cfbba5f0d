# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/gguf/gguf.h lib/gguf/gguf_read.h lib/gguf/mix.h lib/gguf/mix.c lib/gguf/gguf_write.h \
	lib/gguf/gguf_read.c lib/gguf/gguf_keys.c lib/gguf/gguf_tensors.c lib/gguf/gguf_write.c
