/* SPDX-License-Identifier: MIT */
/* Broken models through the public interface: each is refused with a sentence that names
 * the file, or answers in numbers; nothing is left behind. The stages' own tests
 * (gguf_read, llm_load, vocab, vit_load) go through every variant. */
#include "small.h"

#include <math.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check.h"

enum { N = 6 };

static svlm_error err;

static svlm_status open_pair(svlm_model **model, const tiny_model *files, int precise)
{
    svlm_model_options o;
    SVLM_INIT(&o);
    o.model_path = files->llm;
    o.mmproj_path = files->mmproj;
    o.precise = precise;
    o.n_threads = 1;
    return svlm_model_open(model, &o, &err);
}

static void refuse(const tiny_model *files, svlm_status want, const char *file, const char *says)
{
    svlm_model *model;
    size_t alive = sv_alloc_alive();
    memset(&err, 0, sizeof err);
    svlm_status st = open_pair(&model, files, 0);
    if (st != want || !strstr(err.message, says) || !strstr(err.message, file))
        fail_msg("status %d, '%s' instead of '%s'", st, err.message, says);
    CHECK(!model && sv_alloc_alive() == alive);
}

/* ---- the container ---------------------------------------------------------- */

static void write_at(const char *path, long offset, const void *p, size_t n)
{
    FILE *f = fopen(path, "r+b");
    CHECK(f && !fseek(f, offset, SEEK_SET) && fwrite(p, 1, n, f) == n && !fclose(f));
}

static void test_headers(void **state)
{
    static const struct { long offset; uint8_t bytes[9]; size_t n; svlm_status want;
                          const char *says; } bad[] = {
        { 0, "PK\3\4", 4, SVLM_ERR_FORMAT, "ZIP" },
        { 0, "lmgg", 4, SVLM_ERR_FORMAT, "old ggml" },
        { 0, "GGUX", 4, SVLM_ERR_FORMAT, "not a GGUF file" },
        { 4, "\0\0\0\0", 4, SVLM_ERR_UNSUPPORTED, "version 0" },
        { 4, "\1\0\0\0", 4, SVLM_ERR_UNSUPPORTED, "version 1" },
        { 4, "\4\0\0\0", 4, SVLM_ERR_UNSUPPORTED, "version 4" },
        { 4, "\0\0\0\x80", 4, SVLM_ERR_UNSUPPORTED, "byte order" },
        { 4, "\0\0\0\3", 4, SVLM_ERR_UNSUPPORTED, "byte order" },
        { 8, "\0\0\0\0\0\0\0\x80", 8, SVLM_ERR_FORMAT, "absurd" },
        { 16, "\0\0\0\0\1\0\0\0", 8, SVLM_ERR_FORMAT, "absurd" },
        { 24, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, SVLM_ERR_FORMAT, "" },
    };
    const small *s = *state;
    const sv_model_shape shape = tiny_shape();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tiny_model_remake(&s->files, &shape);
        write_at(s->files.llm, bad[i].offset, bad[i].bytes, bad[i].n);
        refuse(&s->files, bad[i].want, "/tiny.gguf", bad[i].says);
        tiny_model_remake(&s->files, &shape);
        write_at(s->files.mmproj, bad[i].offset, bad[i].bytes, bad[i].n);
        refuse(&s->files, bad[i].want, "mmproj-tiny.gguf", bad[i].says);
    }
}

/* From the end down, so that one file serves for all. */
static void test_cut_files(void **state)
{
    const small *s = *state;
    const sv_model_shape shape = tiny_shape();
    tiny_model_remake(&s->files, &shape);
    FILE *f = fopen(s->files.llm, "rb");
    CHECK(f && !fseek(f, 0, SEEK_END));
    long n_bytes = ftell(f);
    fclose(f);
    for (int i = 63; i >= 0; i--) {
        CHECK(!truncate(s->files.llm, n_bytes / 64 * i));
        refuse(&s->files, SVLM_ERR_FORMAT, "/tiny.gguf", "");
    }
}

/* ---- keys and tensors ------------------------------------------------------- */

typedef struct broken {
    const char *name;             /* key or tensor */
    enum { OMIT, U32, F32, STR } as;
    double number;
    const char *text;
    svlm_status want;
    const char *says;
} broken;

static int put_broken(void *user, sv_gguf_writer *w, const char *name)
{
    const broken *b = user;
    if (strcmp(name, b->name))
        return 0;
    if (b->as == U32)
        sv_gguf_put_u32(w, name, (uint32_t)b->number);
    else if (b->as == F32)
        sv_gguf_put_f32(w, name, (float)b->number);
    else if (b->as == STR)
        sv_gguf_put_str(w, name, b->text);
    return 1;
}

#define V "clip.vision."
#define FORMAT SVLM_ERR_FORMAT

static void test_keys_and_tensors(void **state)
{
    static const broken bad[] = {
        { "llama.block_count", OMIT, 0, NULL, FORMAT, "llama.block_count" },
        { "llama.block_count", STR, 0, "four", FORMAT, "llama.block_count" },
        { "llama.block_count", U32, 2147483648.0, NULL, FORMAT, "2147483648" },
        { "llama.attention.head_count", U32, 0, NULL, FORMAT, "head_count" },
        { "llama.attention.layer_norm_rms_epsilon", F32, -1, NULL, FORMAT, "epsilon" },
        { "blk.2.attn_q.weight", OMIT, 0, NULL, FORMAT, "blk.2.attn_q.weight" },
        { "tokenizer.ggml.model", STR, 0, "bert", SVLM_ERR_UNSUPPORTED, "bert" },
        { "tokenizer.ggml.tokens", OMIT, 0, NULL, FORMAT, "tokenizer.ggml.tokens" },
        { "tokenizer.ggml.scores", STR, 0, "high", FORMAT, "tokenizer.ggml.scores" },
        { V "image_size", U32, 8193, NULL, FORMAT, "image_size is 8193" },
        { V "patch_size", U32, 0, NULL, FORMAT, "patch_size is 0" },
        { V "attention.head_count", U32, 0, NULL, FORMAT, "head_count is 0" },
        { V "image_mean", F32, 0.5, NULL, FORMAT, "image_mean" },
        { V "image_std", STR, 0, "wide", FORMAT, "image_std" },
        { V "feature_layer", STR, 0, "last", FORMAT, "feature_layer" },
        { "clip.projector_type", STR, 0, "ldpv2", SVLM_ERR_UNSUPPORTED, "ldpv2" },
        { "v.position_embd.weight", OMIT, 0, NULL, FORMAT, "v.position_embd.weight" },
        { "mm.0.weight", OMIT, 0, NULL, FORMAT, "mm.0.weight" },
    };
    const small *s = *state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sv_model_shape shape = tiny_shape();
        broken b = bad[i];
        shape.patch_with = (sv_model_patch){ .put = put_broken, .user = &b };
        tiny_model_remake(&s->files, &shape);
        refuse(&s->files, b.want, "tiny.gguf", b.says);
    }
}

static int put_few_embeddings(void *user, sv_gguf_writer *w, const char *name)
{
    static const uint64_t dim[2] = { 64, 511 };
    (void)user;
    if (strcmp(name, "token_embd.weight"))
        return 0;
    sv_gguf_put_tensor(w, name, SV_F16, 2, dim);
    return 1;
}

static void test_vocabulary_of_another_size(void **state)
{
    const small *s = *state;
    sv_model_shape shape = tiny_shape();
    shape.patch_with.put = put_few_embeddings;
    tiny_model_remake(&s->files, &shape);
    refuse(&s->files, FORMAT, "/tiny.gguf", "511");
    CHECK(strstr(err.message, "512"));
}

/* ---- weights ---------------------------------------------------------------- */

/* Every value of the tensors whose name begins so; of Q8_0 every scale. */
typedef struct filling {
    const char *tensors;
    float f32;
    uint16_t f16;
} filling;

static void fill_tensor(void *user, const sv_gguf_tensor *t, void *bytes, size_t n_bytes)
{
    const filling *f = user;
    uint8_t *b = bytes;
    if (strncmp(t->name, f->tensors, strlen(f->tensors)))
        return;
    if (t->type == SV_F32)
        for (size_t i = 0; i < n_bytes; i += sizeof f->f32)
            memcpy(b + i, &f->f32, sizeof f->f32);
    else
        for (size_t i = 0; i < n_bytes; i += t->type == SV_Q8_0 ? 34 : 2)
            memcpy(b + i, &f->f16, sizeof f->f16);
}

static void make_filled(const small *s, const filling *f, const char *mix)
{
    sv_model_shape shape = tiny_shape();
    shape.mix = shape.v_mix = sv_mix_by_name(mix);
    shape.patch_with = (sv_model_patch){ .data = fill_tensor, .user = (void *)(uintptr_t)f };
    tiny_model_remake(&s->files, &shape);
}

/* A picture and a question, pruned by rank; what happened first that was not OK. */
static svlm_status answer(const small *s, int precise, int32_t *ids, int *n)
{
    svlm_model *model;
    svlm_features *features = NULL;
    svlm_chat *chat = NULL;
    svlm_hook hook;
    svlm_prune_options po;
    svlm_chat_options co;
    memset(&err, 0, sizeof err);
    svlm_status st = open_pair(&model, &s->files, precise);
    CHECK(!st);                   /* odd weights are no reason not to load */
    SVLM_INIT(&po);
    po.method = SVLM_PRUNE_RANK;
    CHECK(!svlm_prune_hook(&hook, &po, &err));
    SVLM_INIT(&co);
    co.hook = &hook;
    co.n_ctx = 256;
    CHECK(!svlm_chat_new(&chat, model, &co, &err));
    if (!(st = svlm_features_encode(&features, model, s->image, NULL, &err)) &&
        !(st = svlm_chat_add_features(chat, features, &err)) &&
        !(st = svlm_chat_add_text(chat, "what is it?", &err)) &&
        !(st = svlm_chat_ask(chat, &err)))
        for (*n = 0; *n < N; ids[(*n)++] = svlm_chat_last_token(chat)) {
            const char *piece;
            size_t n_bytes;
            if ((st = svlm_chat_next(chat, &piece, &n_bytes, &err)))
                break;
        }
    svlm_chat_free(chat);
    svlm_features_close(features);
    svlm_model_close(model);
    return st;
}

static void test_no_numbers(void **state)
{
    static const struct { const char *mix; filling f; } bad[] = {
        { "F16", { "blk.1.attn_norm", NAN, 0 } }, { "F16", { "blk.2.ffn_norm", INFINITY, 0 } },
        { "F16", { "token_embd", NAN, 0x7e00 } }, { "F16", { "blk.0.attn_q", NAN, 0x7e00 } },
        { "F16", { "output.", NAN, 0x7e00 } },    { "F16", { "v.blk.0.ln1", NAN, 0x7e00 } },
        { "F16", { "mm.2.weight", NAN, 0x7c00 } }, { "Q8_0", { "blk.1.ffn_down", NAN, 0x7e00 } },
        { "Q8_0", { "blk.1.attn_v", NAN, 0x7c00 } }, { "Q8_0", { "output.", NAN, 0x7e00 } },
        { "Q8_0", { "blk.1.attn_norm", NAN, 0 } },
    };
    const small *s = *state;
    size_t alive = sv_alloc_alive();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        make_filled(s, &bad[i].f, bad[i].mix);
        for (int precise = 0; precise < 2; precise++) {
            int32_t ids[N];
            int n;
            svlm_status st = answer(s, precise, ids, &n);
            if (st != SVLM_ERR_NUMERIC || !err.message[0])
                fail_msg("%s %s precise %d: status %d: %s", bad[i].mix, bad[i].f.tensors, precise,
                         st, err.message);
            CHECK(sv_alloc_alive() == alive);
        }
    }
}

/* All scores equal, all attention equal, rank 0; or numbers next to none. The same answer
 * twice: a tie is broken by order. */
static void test_nothing_and_next_to_nothing(void **state)
{
    static const filling zero = { "", 0, 0 }, denormal = { "", 1e-45f, 1 };
    const small *s = *state;
    for (int i = 0; i < 4; i++) {
        make_filled(s, i & 1 ? &denormal : &zero, i & 2 ? "Q8_0" : "F16");
        for (int precise = 0; precise < 2; precise++) {
            int32_t ids[N], again[N];
            int n = 0, n_again = 0;
            svlm_status st = answer(s, precise, ids, &n);
            if (st != SVLM_OK && st != SVLM_END)
                fail_msg("status %d: %s", st, err.message);
            CHECK(answer(s, precise, again, &n_again) == st && n == n_again);
            CHECK(!memcmp(ids, again, (size_t)n * sizeof *ids));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_keys_and_tensors),
        cmocka_unit_test(test_vocabulary_of_another_size),
        cmocka_unit_test(test_no_numbers),
        cmocka_unit_test(test_nothing_and_next_to_nothing),
    };
    return cmocka_run_group_tests(tests, small_setup, small_teardown);
}
