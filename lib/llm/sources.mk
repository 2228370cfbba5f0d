# SPDX-License-Identifier: MIT
libcore_la_SOURCES += lib/llm/llm.h \
	lib/llm/decode.c lib/llm/hook_edit.c lib/llm/hook_edit.h lib/llm/hook_run.c \
	lib/llm/kv_cache.c lib/llm/kv_cache.h lib/llm/llm_layer.c lib/llm/llm_load.c \
	lib/llm/logits.c lib/llm/prefill.c lib/llm/prompt_rows.c lib/llm/reuse.c \
	lib/llm/reuse.h lib/llm/sampler.c lib/llm/session.c lib/llm/session.h lib/llm/spans.c \
	lib/llm/turn.h
