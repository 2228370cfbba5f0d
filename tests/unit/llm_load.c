/* SPDX-License-Identifier: MIT */
/* Language models as files say they are: every key and tensor missing or wrong is
 * named; what can be run is bound where it lies. */
#include "check.h"
#include "faults.h"

#include <math.h>

#include "llm/llm.h"
#include "tiny_model.h"

typedef struct opened {
    tiny_model files;
    sv_map map;
    sv_gguf gguf;
    sv_llm llm;
    char said[600];               /* the warning */
} opened;

static void remember(void *user, svlm_log_level level, const char *line)
{
    opened *o = user;
    CHECK(level == SVLM_LOG_WARNING);
    snprintf(o->said, sizeof o->said, "%s", line);
}

static svlm_status load(opened *o, const sv_model_shape *shape, svlm_error *err)
{
    sv_log log = { remember, o };
    memset(o, 0, sizeof *o);
    tiny_model_make(&o->files, shape);
    if (sv_map_file(&o->map, o->files.llm, 0, err) || sv_gguf_parse(&o->gguf, &o->map, err))
        fail_msg("%s", err->message);
    return sv_llm_load(&o->llm, &o->gguf, &log, err);
}

static void unload(opened *o)
{
    sv_llm_free(&o->llm);
    sv_gguf_free(&o->gguf);
    sv_map_close(&o->map);
    tiny_model_remove(&o->files);
}

static void refuse(const sv_model_shape *shape, svlm_status want, const char *words)
{
    opened o;
    svlm_error err = { 0 };
    size_t alive = sv_alloc_alive();
    svlm_status st = load(&o, shape, &err);
    if (st != want || !strstr(err.message, words) || !strstr(err.message, "tiny.gguf"))
        fail_msg("status %d, '%s' does not say '%s'", st, err.message, words);
    unload(&o);
    CHECK(sv_alloc_alive() == alive);
}

static void test_missing(void **state)
{
    static const char *const names[] = {
        "llama.block_count", "llama.context_length", "llama.embedding_length",
        "llama.feed_forward_length", "llama.attention.head_count",
        "llama.attention.layer_norm_rms_epsilon", "token_embd.weight", "output_norm.weight",
        "blk.0.attn_norm.weight", "blk.1.ffn_norm.weight", "blk.2.attn_q.weight",
        "blk.3.attn_k.weight", "blk.0.attn_v.weight", "blk.1.attn_output.weight",
        "blk.2.ffn_gate.weight", "blk.3.ffn_up.weight", "blk.3.ffn_down.weight",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sv_model_shape s = tiny_shape();
        s.patch_with.omit = names[i];
        refuse(&s, SVLM_ERR_FORMAT, names[i]);
    }
}

/* Puts one key in another form, or one more key. */
typedef struct change {
    const char *key;
    enum { U32, F32, STR, ARRAY } as;
    uint32_t u;
    float f;
    const char *text;
    const uint32_t *list;
    size_t n;
    int added;                    /* tiny models do not have it */
} change;

static int put_changed(void *user, sv_gguf_writer *w, const char *name)
{
    const change *c = user;
    if (strcmp(name, c->added ? "llama.block_count" : c->key))
        return 0;
    if (c->as == U32)
        sv_gguf_put_u32(w, c->key, c->u);
    else if (c->as == F32)
        sv_gguf_put_f32(w, c->key, c->f);
    else if (c->as == STR)
        sv_gguf_put_str(w, c->key, c->text);
    else
        sv_gguf_put_array(w, c->key, SV_GGUF_U32, c->list, c->n);
    return !c->added;
}

static sv_model_shape changed(change *c)
{
    sv_model_shape s = tiny_shape();
    s.patch_with = (sv_model_patch){ .put = put_changed, .user = c };
    return s;
}

static void test_bad_values(void **state)
{
    static const uint32_t differ[] = { 4, 4, 2, 4 }, few[] = { 4, 4 }, zero[] = { 0, 0, 0, 0 };
    change bad[] = {
        { "llama.block_count", U32, .u = 0 },
        { "llama.block_count", U32, .u = 1u << 31 },
        { "llama.block_count", U32, .u = 5 },
        { "llama.embedding_length", U32, .u = 0 },
        { "llama.embedding_length", U32, .u = 63 },
        { "llama.context_length", U32, .u = UINT32_MAX },
        { "llama.attention.head_count", U32, .u = 0 },
        { "llama.attention.head_count", U32, .u = 6 },
        { "llama.attention.head_count", U32, .u = 64 },
        { "llama.attention.head_count", ARRAY, .list = few, .n = 2 },
        { "llama.attention.head_count_kv", U32, .u = 3 },
        { "llama.attention.head_count_kv", ARRAY, .list = zero, .n = 4 },
        { "llama.feed_forward_length", U32, .u = 32 },
        { "llama.attention.layer_norm_rms_epsilon", F32, .f = 0 },
        { "llama.attention.layer_norm_rms_epsilon", F32, .f = -1e-5f },
        { "llama.attention.layer_norm_rms_epsilon", F32, .f = NAN },
        { "llama.rope.freq_base", F32, .f = INFINITY },
        { "llama.rope.scaling.factor", F32, .f = -2, .added = 1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sv_model_shape s = changed(&bad[i]);
        opened o;
        svlm_error err = { 0 };
        if (load(&o, &s, &err) != SVLM_ERR_FORMAT)
            fail_msg("%s (number %zu) was not refused: %s", bad[i].key, i, err.message);
        unload(&o);
    }
    change unsupported[] = {
        { "llama.attention.head_count_kv", ARRAY, .list = differ, .n = 4 },
        { "llama.rope.dimension_count", U32, .u = 8 },
        { "llama.rope.scaling.type", STR, .text = "yarn", .added = 1 },
        { "llama.expert_count", U32, .u = 8, .added = 1 },
        { "general.architecture", STR, .text = "falcon" },
    };
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        sv_model_shape s = changed(&unsupported[i]);
        refuse(&s, SVLM_ERR_UNSUPPORTED, "support");
    }
}

static void test_scaling(void **state)
{
    change good[] = { { "llama.rope.scaling.factor", F32, .f = 4, .added = 1 },
                      { "llama.rope.scale_linear", F32, .f = 2, .added = 1 },
                      { "llama.rope.scaling.factor", F32, .f = 0, .added = 1 } };
    const float want[] = { 4, 2, 1 };
    (void)state;
    for (int i = 0; i < 3; i++) {
        sv_model_shape s = changed(&good[i]);
        opened o;
        svlm_error err = { 0 };
        if (load(&o, &s, &err))
            fail_msg("%s", err.message);
        CHECK(o.llm.rope_scale == want[i]);
        unload(&o);
    }
}

/* One number a layer, all the same, is as good as one number. */
static void test_equal_arrays(void **state)
{
    static const uint32_t twos[] = { 2, 2, 2, 2 };
    change c = { "llama.attention.head_count_kv", ARRAY, .list = twos, .n = 4 };
    sv_model_shape s = changed(&c);
    opened o;
    svlm_error err = { 0 };
    (void)state;
    if (load(&o, &s, &err))
        fail_msg("%s", err.message);
    CHECK(o.llm.n_kv_heads == 2 && o.llm.n_heads == 4 && o.llm.head_dim == 16);
    CHECK(!o.said[0]);
    unload(&o);
}

static void test_the_other_half(void **state)
{
    sv_model_shape s = tiny_shape();
    opened o;
    svlm_error err = { 0 };
    (void)state;
    CHECK(!load(&o, &s, &err));
    sv_llm_free(&o.llm);
    sv_gguf_free(&o.gguf);
    sv_map_close(&o.map);
    CHECK(!sv_map_file(&o.map, o.files.mmproj, 0, &err) && !sv_gguf_parse(&o.gguf, &o.map, &err));
    CHECK(sv_llm_load(&o.llm, &o.gguf, NULL, &err) == SVLM_ERR_UNSUPPORTED);
    CHECK(strstr(err.message, "mmproj (vision) file, not a language model"));
    unload(&o);
}

/* ---- tensors in other forms -------------------------------------------------- */

static void put_1d(sv_gguf_writer *w, const char *name, sv_type type, uint64_t n)
{
    sv_gguf_put_tensor(w, name, type, 1, &n);
}

static void put_2d(sv_gguf_writer *w, const char *name, uint64_t n_in, uint64_t n_out)
{
    const uint64_t dim[2] = { n_in, n_out };
    sv_gguf_put_tensor(w, name, SV_F16, 2, dim);
}

/* Q, K and V of layer 1 in one matrix with a bias, a norm in BF16, biases and rope
 * frequencies, and one tensor nobody knows. */
static int put_forms(void *user, sv_gguf_writer *w, const char *name)
{
    (void)user;
    if (!strcmp(name, "blk.1.attn_q.weight")) {
        put_2d(w, "blk.1.attn_qkv.weight", 64, 64 + 32 + 32);
        put_1d(w, "blk.1.attn_qkv.bias", SV_F32, 128);
        return 1;
    }
    if (!strcmp(name, "blk.1.attn_k.weight") || !strcmp(name, "blk.1.attn_v.weight"))
        return 1;
    if (!strcmp(name, "blk.2.attn_norm.weight")) {
        put_1d(w, name, SV_BF16, 64);
        put_1d(w, "blk.2.attn_k.bias", SV_F32, 32);
        put_1d(w, "rope_freqs.weight", SV_F32, 8);
        put_1d(w, "blk.0.who_knows.weight", SV_F32, 5);
        return 1;
    }
    return 0;
}

static void test_other_forms(void **state)
{
    sv_model_shape s = tiny_shape();
    opened o;
    svlm_error err = { 0 };
    (void)state;
    s.tied = 1;
    s.patch_with.put = put_forms;
    if (load(&o, &s, &err))
        fail_msg("%s", err.message);
    const sv_layer *l = &o.llm.layers[1];
    CHECK(l->wk.data == l->wq.data + 64 * l->wq.row_bytes && l->wk.n_out == 32);
    CHECK(l->wv.data == l->wk.data + 32 * l->wk.row_bytes && l->wv.n_out == 32);
    CHECK(l->bq && l->bk == l->bq + 64 && l->bv == l->bk + 32 && !l->bo);
    CHECK(!o.llm.layers[0].bk && o.llm.layers[2].bk && !o.llm.layers[2].bq);
    CHECK(o.llm.rope_freqs && o.llm.output.data == o.llm.token_embd.data);
    CHECK(strstr(o.said, "1 tensors are not part"));
    const sv_gguf_tensor *norm = sv_gguf_find(&o.gguf, "blk.2.attn_norm.weight");
    for (int i = 0; i < 64; i++) {
        uint32_t bits = (uint32_t)(norm->data[2 * i] | norm->data[2 * i + 1] << 8) << 16;
        CHECK(!memcmp(&o.llm.layers[2].attn_norm[i], &bits, sizeof bits));
    }
    unload(&o);
}

static int put_misfit(void *user, sv_gguf_writer *w, const char *name)
{
    if (strcmp(name, user))
        return 0;
    if (strstr(name, "norm"))
        put_1d(w, name, SV_Q8_0, 64);
    else
        put_2d(w, name, 64, 65);
    return 1;
}

static void test_misfits(void **state)
{
    static const char *const names[] = { "blk.0.attn_norm.weight", "blk.1.attn_q.weight",
                                         "blk.3.ffn_down.weight", "output.weight",
                                         "token_embd.weight" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sv_model_shape s = tiny_shape();
        s.patch_with = (sv_model_patch){ .put = put_misfit, .user = (void *)(uintptr_t)names[i] };
        refuse(&s, SVLM_ERR_FORMAT, names[i]);
    }
}

static void test_no_memory(void **state)
{
    sv_model_shape s = tiny_shape();
    opened o;
    svlm_error err = { 0 };
    (void)state;
    CHECK(!load(&o, &s, &err));
    sv_llm_free(&o.llm);
    fault_from(0);
    CHECK(sv_llm_load(&o.llm, &o.gguf, NULL, &err) == SVLM_ERR_NOMEM);
    fault_end();
    unload(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing), cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_scaling), cmocka_unit_test(test_equal_arrays),
        cmocka_unit_test(test_the_other_half), cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_misfits), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
