# SPDX-License-Identifier: MIT
# Tests link libcore.la and see internal names. A new unit test is the file
# tests/unit/NAME.c and one line here; with further files it has a _SOURCES line.
EXTRA_DIST += tests/check.h tests/faults.h tests/fake_engine.h tests/golden_units.h tests/data
LDADD = libcore.la $(CMOCKA_LIBS) $(JANSSON_LIBS)

unit_tests = \
	tests/fuzz/gguf_fuzz \
	tests/unit/base \
	tests/unit/convert \
	tests/unit/gguf_read \
	tests/unit/gguf_write \
	tests/unit/make_model \
	tests/unit/matmul_fast \
	tests/unit/options \
	tests/unit/quantize \
	tests/unit/quantize_file \
	tests/unit/safetensors \
	tests/unit/prune_raters \
	tests/unit/prune_hook \
	tests/unit/prune_rank \
	tests/unit/prune_recycle \
	tests/unit/prune_reduce \
	tests/unit/prune_schedule \
	tests/unit/prune_score \
	tests/unit/prune_select

# Tests against the golden data read it with these.
golden_sources = tests/golden.c tests/golden.h
golden_libs = $(LDADD)

# Pictures: files of every kind, whole and broken.
picture_sources = tests/picture.c tests/picture.h $(golden_sources)
unit_tests += tests/unit/image tests/unit/image_checks tests/unit/image_file
tests_unit_image_SOURCES = tests/unit/image.c $(golden_sources)
tests_unit_image_checks_SOURCES = tests/unit/image_checks.c $(picture_sources)
tests_unit_image_checks_LDADD = $(LDADD) $(PNG_LIBS)
tests_unit_image_file_SOURCES = tests/unit/image_file.c $(picture_sources)
tests_unit_image_file_LDADD = $(LDADD) $(PNG_LIBS)

# Arithmetic and the vision half.
unit_tests += tests/unit/attention tests/unit/matmul tests/unit/ops
tests_unit_matmul_LDADD = libmake_model.la $(LDADD)
unit_tests += tests/unit/vision
unit_tests += tests/unit/vit_load
tests_unit_vit_load_SOURCES = tests/unit/vit_load.c tests/tiny_model.c tests/tiny_model.h
tests_unit_vit_load_LDADD = libmake_model.la $(LDADD)
tests_unit_vision_SOURCES = tests/unit/vision.c $(golden_sources) tests/tiny_model.c tests/tiny_model.h
tests_unit_vision_LDADD = libmake_model.la $(LDADD)

# Video: clips made by libav's encoders.
if HAVE_VIDEO
unit_tests += tests/unit/video
check_PROGRAMS += tests/make_clip
endif
interrupt_sources = tests/interrupt.c tests/interrupt.h
clip_sources = tests/clip.c tests/clip.h tests/shapes.c tests/shapes.h
tests_make_clip_SOURCES = tests/make_clip.c $(clip_sources)
tests_make_clip_CPPFLAGS = $(AM_CPPFLAGS) $(AV_CFLAGS)
tests_make_clip_LDADD = $(LDADD) $(AV_LIBS)
tests_unit_video_SOURCES = tests/unit/video.c $(clip_sources) $(interrupt_sources)
tests_unit_video_CPPFLAGS = $(AM_CPPFLAGS) $(AV_CFLAGS)
tests_unit_video_LDADD = $(LDADD) $(AV_LIBS)

# Text: vocabularies made on the spot.
vocab_sources = tests/vocab_file.c tests/vocab_file.h
unit_tests += tests/unit/detokenize tests/unit/pretokenize tests/unit/prompt \
	tests/unit/sampler tests/unit/tokenize tests/unit/tokenize_bpe \
	tests/unit/tokenize_spm tests/unit/vocab
tests_unit_detokenize_SOURCES = tests/unit/detokenize.c $(vocab_sources)
tests_unit_prompt_SOURCES = tests/unit/prompt.c $(vocab_sources)
tests_unit_vocab_SOURCES = tests/unit/vocab.c $(vocab_sources)
tests_unit_sampler_SOURCES = tests/unit/sampler.c $(vocab_sources)
tests_unit_tokenize_bpe_SOURCES = tests/unit/tokenize_bpe.c $(vocab_sources)
tests_unit_tokenize_spm_SOURCES = tests/unit/tokenize_spm.c $(vocab_sources)
tests_unit_tokenize_SOURCES = tests/unit/tokenize.c $(vocab_sources) $(golden_sources)
tests_unit_tokenize_LDADD = $(golden_libs)

# Tests that want small models of their own write them with these.
tiny_sources = tests/tiny_model.c tests/tiny_model.h
tiny_libs = libmake_model.la $(LDADD)
tests_unit_make_model_SOURCES = tests/unit/make_model.c $(tiny_sources)
tests_unit_make_model_LDADD = $(tiny_libs)
tests_unit_quantize_file_SOURCES = tests/unit/quantize_file.c $(tiny_sources)
tests_unit_quantize_file_LDADD = libfiles.la $(tiny_libs)
tests_unit_convert_LDADD = libfiles.la $(LDADD)
tests_unit_safetensors_LDADD = libfiles.la $(LDADD)
tests_fuzz_gguf_fuzz_SOURCES = tests/fuzz/gguf_fuzz.c $(tiny_sources)
tests_fuzz_gguf_fuzz_LDADD = $(tiny_libs)

# The language model, on tiny ones.
fixture_sources = tests/llm_fixture.c tests/llm_fixture.h $(tiny_sources)
unit_tests += tests/unit/hook_edit tests/unit/kv_cache tests/unit/llm_load tests/unit/prefill \
	tests/unit/reuse tests/unit/spans
tests_unit_hook_edit_SOURCES = tests/unit/hook_edit.c $(fixture_sources)
tests_unit_hook_edit_LDADD = $(tiny_libs)
tests_unit_llm_load_SOURCES = tests/unit/llm_load.c $(tiny_sources)
tests_unit_llm_load_LDADD = $(tiny_libs)
tests_unit_prefill_SOURCES = tests/unit/prefill.c $(fixture_sources)
tests_unit_prefill_LDADD = $(tiny_libs)
tests_unit_reuse_SOURCES = tests/unit/reuse.c $(fixture_sources)
tests_unit_reuse_LDADD = $(tiny_libs)
tests_unit_spans_SOURCES = tests/unit/spans.c $(fixture_sources)
tests_unit_spans_LDADD = $(tiny_libs)

# Both paths of arithmetic over the same prompts.
unit_tests += tests/unit/paths
tests_unit_paths_LDADD = libwatch.la libfiles.la $(LDADD)

# Every golden case, end to end.
golden_programs = tests/golden/check-goldens
tests_golden_check_goldens_SOURCES = tests/golden/check_goldens.c tests/golden/check_goldens.h \
	tests/golden/check_llm.c tests/golden/check_prune.c tests/golden/check_vision.c \
	tests/golden/verdict.c $(golden_sources)
golden_programs += tests/golden/greedy_text
tests_golden_greedy_text_SOURCES = tests/golden/greedy_text.c
EXTRA_DIST += tests/golden/compare-llama.sh

# The public interface, with a tiny model, a picture and questions.
small_sources = tests/small.c tests/small.h $(tiny_sources)
unit_tests += tests/unit/api tests/unit/api_chat tests/unit/api_faults tests/unit/bad_calls \
	tests/unit/bad_models tests/unit/interrupted
tests_unit_interrupted_SOURCES = tests/unit/interrupted.c $(small_sources) $(interrupt_sources)
tests_unit_interrupted_LDADD = $(tiny_libs)
tests_unit_bad_calls_SOURCES = tests/unit/bad_calls.c $(small_sources)
tests_unit_bad_calls_LDADD = $(tiny_libs)
tests_unit_bad_models_SOURCES = tests/unit/bad_models.c $(small_sources)
tests_unit_bad_models_LDADD = $(tiny_libs)
tests_unit_api_SOURCES = tests/unit/api.c $(small_sources)
tests_unit_api_LDADD = $(tiny_libs)
tests_unit_api_chat_SOURCES = tests/unit/api_chat.c $(small_sources)
tests_unit_api_chat_LDADD = $(tiny_libs)
tests_unit_api_faults_SOURCES = tests/unit/api_faults.c $(small_sources)
tests_unit_api_faults_LDADD = $(tiny_libs)

kernel_tests = \
	tests/kernels/bf16 \
	tests/kernels/dequant \
	tests/kernels/dispatch \
	tests/kernels/float \
	tests/kernels/ref_convert \
	tests/kernels/ref_dequant \
	tests/kernels/ref_float \
	tests/kernels/quant

tests_kernels_bf16_SOURCES = tests/kernels/bf16.c tests/guard.c tests/guard.h
tests_kernels_dequant_SOURCES = tests/kernels/dequant.c tests/guard.c tests/guard.h
tests_kernels_float_SOURCES = tests/kernels/float.c tests/guard.c tests/guard.h

all_scripts = tests/golden/goldens.sh tests/bad_files.sh tests/cli.sh tests/examples.sh \
	tests/explain.sh tests/layers.sh tests/symbols.sh tests/video.sh
TEST_EXTENSIONS = .sh
# A cross build runs its programs under an emulator: ./configure EMULATOR=qemu-aarch64
LOG_COMPILER = $(EMULATOR)
if CROSS
script_tests = tests/golden/goldens.sh
else
script_tests = $(all_scripts)
endif
check_PROGRAMS += tests/json_get

check_PROGRAMS += $(unit_tests) $(kernel_tests) tests/isas $(golden_programs)
TESTS += $(unit_tests) $(kernel_tests) $(script_tests)
EXTRA_DIST += $(all_scripts) tests/all.sh tests/symbols.txt
# Tests run beside each other: a thread that waits should not keep a core busy.
AM_TESTS_ENVIRONMENT = top_srcdir='$(top_srcdir)' top_builddir='$(top_builddir)' NM='$(NM)' EMULATOR='$(EMULATOR)' \
	SVLM_TEST_DATA='$(abs_top_srcdir)/tests/data' OMP_WAIT_POLICY=passive; \
	export top_srcdir top_builddir NM EMULATOR SVLM_TEST_DATA OMP_WAIT_POLICY;
