# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/llm/llm.h lib/llm/llm_load.c
