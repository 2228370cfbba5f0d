/* SPDX-License-Identifier: MIT */
/* lib/vision/vit_load and vit_keys: every quirk that must load, every contradiction that
 * must be refused with a sentence, and memory running out. */
#include "check.h"
#include "faults.h"

#include <math.h>
#include <unistd.h>

#include "tiny_model.h"
#include "vision/vision.h"

/* One difference from a good file. */
typedef enum change_kind { OMIT, U32, F32, BOOL, STR, ARRAY, TENSOR } change_kind;

typedef struct change {
    const char *name;             /* key or tensor                                    */
    change_kind kind;
    double number;                /* U32, F32, BOOL                                   */
    const char *text;             /* STR                                              */
    sv_gguf_type element;         /* ARRAY, of n values                               */
    double value[8];              /* TENSOR: dimensions, 0 ends; its sv_type comes fifth */
    int n;
} change;

#define OMITTED(key) { .name = (key), .kind = OMIT }
#define NUMBER(key, type, v) { .name = (key), .kind = (type), .number = (v) }
#define TEXT(key, t) { .name = (key), .kind = STR, .text = (t) }
#define NUMBERS(key, type, count, ...) \
    { .name = (key), .kind = ARRAY, .element = SV_GGUF_##type, .n = (count), \
      .value = { __VA_ARGS__ } }
#define SHAPE(tensor, ...) { .name = (tensor), .kind = TENSOR, .value = { __VA_ARGS__ } }

static void put_array(sv_gguf_writer *w, const change *c)
{
    int32_t i32[8] = { 0 };
    float f32[8] = { 0 };
    const void *v = c->value;
    for (int i = 0; i < c->n; i++)
        if (c->element == SV_GGUF_I32)
            i32[i] = (int32_t)c->value[i];
        else
            f32[i] = (float)c->value[i];
    if (c->element != SV_GGUF_F64)
        v = c->element == SV_GGUF_I32 ? (const void *)i32 : (const void *)f32;
    sv_gguf_put_array(w, c->name, c->element, v, (size_t)c->n);
}

static void put_tensor(sv_gguf_writer *w, const change *c)
{
    uint64_t dim[4];
    int n = 0;
    for (; n < 4 && c->value[n] > 0; n++)
        dim[n] = (uint64_t)c->value[n];
    sv_gguf_put_tensor(w, c->name, (sv_type)c->value[4], n, dim);
}

static void put(sv_gguf_writer *w, const change *c)
{
    switch (c->kind) {
    case OMIT:   break;
    case U32:    sv_gguf_put_u32(w, c->name, (uint32_t)c->number); break;
    case F32:    sv_gguf_put_f32(w, c->name, (float)c->number); break;
    case BOOL:   sv_gguf_put_bool(w, c->name, (int)c->number); break;
    case STR:    sv_gguf_put_str(w, c->name, c->text); break;
    case ARRAY:  put_array(w, c); break;
    case TENSOR: put_tensor(w, c); break;
    }
}

/* The changes to make; what the good file has not goes before its last key. */
typedef struct changes {
    const change *c;
    int n;
    int done[4];
} changes;

static int put_changed(void *user, sv_gguf_writer *w, const char *name)
{
    changes *all = user;
    for (int i = 0; i < all->n; i++)
        if (!strcmp(name, all->c[i].name)) {
            put(w, &all->c[i]);
            all->done[i] = 1;
            return 1;
        }
    int last_key = !strcmp(name, "clip.use_gelu"), last_tensor = !strcmp(name, "mm.2.bias");
    for (int i = 0; i < all->n; i++)
        if (!all->done[i] && (all->c[i].kind == TENSOR ? last_tensor : last_key)) {
            put(w, &all->c[i]);
            all->done[i] = 1;
        }
    return 0;
}

typedef struct opened {
    sv_map map;
    sv_gguf gguf;
    sv_vit vit;
    char log[500];
} opened;

static void keep_line(void *user, svlm_log_level level, const char *line)
{
    CHECK(level == SVLM_LOG_WARNING);
    snprintf(user, sizeof ((opened *)0)->log, "%s", line);
}

static char path[128];

static svlm_status try_open(opened *o, sv_model_shape s, const change *c, int n, svlm_error *err)
{
    changes all = { .c = c, .n = n };
    s.patch_with = (sv_model_patch){ .put = put_changed, .user = &all };
    memset(o, 0, sizeof *o);
    svlm_error e = { 0 };
    if (sv_make_mmproj(&s, path, &e) || sv_map_file(&o->map, path, 0, &e) ||
        sv_gguf_parse(&o->gguf, &o->map, &e))
        fail_msg("%s", e.message);
    for (int i = 0; i < n; i++)
        CHECK(all.done[i]);
    return sv_vit_load(&o->vit, &o->gguf, &(sv_log){ keep_line, o->log }, err);
}

static void close_all(opened *o)
{
    sv_vit_free(&o->vit);
    sv_gguf_free(&o->gguf);
    sv_map_close(&o->map);
}

static void must_load(opened *o, sv_model_shape s, const change *c, int n)
{
    svlm_error err = { 0 };
    if (try_open(o, s, c, n, &err))
        fail_msg("%s", err.message);
}

static void must_fail(sv_model_shape s, const change *c, int n, svlm_status want, const char *says)
{
    opened o;
    svlm_error err = { 0 };
    size_t alive = sv_alloc_alive();
    svlm_status st = try_open(&o, s, c, n, &err);
    if (st != want || !strstr(err.message, says) || !strstr(err.message, path))
        fail_msg("%s: status %d, '%s' instead of '%s'", c[0].name, st, err.message, says);
    CHECK(!o.vit.owned && !o.vit.blocks);
    close_all(&o);
    CHECK(sv_alloc_alive() == alive);
}

#define V "clip.vision."
#define FORMAT SVLM_ERR_FORMAT

static void test_refused_keys(void **state)
{
    (void)state;
    static const struct { change c; svlm_status want; const char *says; } bad[] = {
        { TEXT("general.architecture", "llama"), FORMAT,
          "this is a language model, not an mmproj" },
        { TEXT("general.architecture", "bert"), SVLM_ERR_UNSUPPORTED, "architecture bert" },
        { NUMBER("clip.has_vision_encoder", BOOL, 0), FORMAT, "no vision encoder" },
        { TEXT("clip.projector_type", "ldpv2"), SVLM_ERR_UNSUPPORTED, "ldpv2" },
        { SHAPE("mm.3.weight", 64, 0), SVLM_ERR_UNSUPPORTED, "with norms" },
        { OMITTED(V "image_size"), FORMAT, V "image_size" },
        { TEXT(V "image_size", "big"), FORMAT, V "image_size" },
        { NUMBER(V "image_size", U32, 0), FORMAT, "image_size is 0" },
        { NUMBER(V "image_size", U32, 8193), FORMAT, "image_size is 8193" },
        { NUMBER(V "image_size", U32, 2147483648.0), FORMAT, "image_size is 2147483648" },
        { NUMBER(V "patch_size", U32, 0), FORMAT, "patch_size is 0" },
        { NUMBER(V "patch_size", U32, 57), FORMAT, "patch_size is 57" },
        { NUMBER(V "patch_size", U32, 15), FORMAT, "multiple of patch_size 15" },
        { NUMBER(V "embedding_length", U32, 0), FORMAT, "embedding_length is 0" },
        { NUMBER(V "feed_forward_length", U32, 0), FORMAT, "feed_forward_length is 0" },
        { NUMBER(V "attention.head_count", U32, 0), FORMAT, "head_count is 0" },
        { NUMBER(V "attention.head_count", U32, 5), FORMAT, "multiple of head_count 5" },
        { NUMBER(V "attention.head_count_kv", U32, 1), SVLM_ERR_UNSUPPORTED, "1 for keys" },
        { NUMBER(V "attention.layer_norm_epsilon", F32, 0), FORMAT, "layer_norm_epsilon is 0" },
        { NUMBER(V "attention.layer_norm_epsilon", F32, -1), FORMAT, "layer_norm_epsilon is -1" },
        { NUMBER(V "attention.layer_norm_epsilon", F32, NAN), FORMAT, "layer_norm_epsilon is" },
        { NUMBER(V "block_count", U32, 0), FORMAT, "block_count is 0" },
        { NUMBER(V "block_count", U32, 2147483648.0), FORMAT, "block_count is 2147483648" },
        { NUMBERS(V "image_mean", F32, 0, 0), FORMAT, "three numbers" },
        { NUMBERS(V "image_mean", F32, 2, 0), FORMAT, "three numbers" },
        { NUMBERS(V "image_std", F32, 4, 0), FORMAT, "three numbers" },
        { NUMBERS(V "image_std", F32, 3, 1, 0, 1), FORMAT, "cannot be used" },
        { NUMBERS(V "image_std", F32, 3, 1, 1, NAN), FORMAT, "cannot be used" },
        { NUMBERS(V "image_grid_pinpoints", I32, 3, 56, 56, 56), FORMAT, "pairs of sizes" },
        { NUMBERS(V "image_grid_pinpoints", I32, 0, 0), FORMAT, "pairs of sizes" },
        { NUMBERS(V "image_grid_pinpoints", I32, 2, -56, 56), FORMAT, "size of -56" },
        { NUMBERS(V "image_grid_pinpoints", I32, 2, 56, 57), FORMAT, "size of 57" },
        { NUMBERS(V "image_grid_pinpoints", I32, 2, 56, 2147483640), FORMAT, "size of 2.1" },
        { TEXT(V "mm_patch_merge_type", "pile"), SVLM_ERR_UNSUPPORTED, "pile" },
        { TEXT(V "mm_patch_merge_type", "spatial_unpad"), FORMAT, "image_newline" },
        { NUMBERS(V "feature_layer", I32, 0, 0), FORMAT, "1 to 8" },
        { NUMBERS(V "feature_layer", I32, 1, -1), FORMAT, "has -1" },
        { NUMBERS(V "feature_layer", I32, 1, 9), FORMAT, "has 9" },
        { NUMBER("clip.use_silu", BOOL, 1), FORMAT, "both use_gelu and use_silu" },
    };
    sv_model_shape s = tiny_shape();
    s.gelu = 1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        must_fail(s, &bad[i].c, 1, bad[i].want, bad[i].says);
}

/* A million entries are refused by their number, before anything is done with them. */
static void test_refused_long_arrays(void **state)
{
    (void)state;
    static const char *const keys[] = { V "image_grid_pinpoints", V "feature_layer" };
    for (int i = 0; i < 2; i++) {
        enum { N = 1000000 };
        int32_t *v = calloc(N, sizeof *v);
        svlm_error err = { 0 };
        sv_gguf_writer *w;
        opened o = { 0 };
        CHECK(!sv_gguf_create(&w, path, NULL));
        sv_gguf_put_str(w, "general.architecture", "clip");
        sv_gguf_put_bool(w, "clip.has_vision_encoder", 1);
        sv_gguf_put_u32(w, V "image_size", 56);
        sv_gguf_put_u32(w, V "patch_size", 14);
        sv_gguf_put_u32(w, V "embedding_length", 64);
        sv_gguf_put_u32(w, V "feed_forward_length", 64);
        sv_gguf_put_u32(w, V "attention.head_count", 4);
        sv_gguf_put_u32(w, V "block_count", 1);
        sv_gguf_put_array(w, keys[i], SV_GGUF_I32, v, N);
        CHECK(!sv_gguf_commit(w, NULL));
        sv_gguf_discard(w);
        CHECK(!sv_map_file(&o.map, path, 0, NULL) && !sv_gguf_parse(&o.gguf, &o.map, NULL));
        CHECK(sv_vit_load(&o.vit, &o.gguf, NULL, &err) == FORMAT && strstr(err.message, keys[i]));
        close_all(&o);
        free(v);
    }
}

static void test_refused_tensors(void **state)
{
    (void)state;
    static const struct { change c; const char *says; } bad[] = {
        { OMITTED("v.patch_embd.weight"), "v.patch_embd.weight is missing" },
        { OMITTED("v.position_embd.weight"), "v.position_embd.weight is missing" },
        { OMITTED("v.blk.1.attn_k.weight"), "v.blk.1.attn_k.weight is missing" },
        { OMITTED("v.blk.0.ln2.bias"), "v.blk.0.ln2.bias is missing" },
        { OMITTED("v.blk.0.ffn_up.weight"), "v.blk.0.ffn_up.weight is missing" },
        { OMITTED("mm.0.weight"), "mm.0.weight is missing" },
        /* patches without the class row, then one too many */
        { SHAPE("v.position_embd.weight", 32, 16), "v.position_embd.weight" },
        { SHAPE("v.position_embd.weight", 32, 18), "v.position_embd.weight" },
        { OMITTED("v.class_embd"), "v.position_embd.weight" },
        { SHAPE("v.patch_embd.weight", 14, 14, 1, 32), "14 x 14 x 3 x 32" },
        { SHAPE("v.blk.0.attn_q.weight", 32, 16), "32 x 16" },
        { SHAPE("v.blk.0.attn_q.bias", 16, 0), "v.blk.0.attn_q.bias" },
        { SHAPE("v.blk.0.ln1.weight", 32, 0, 0, 0, SV_Q8_0), "type Q8_0" },
        { SHAPE("mm.0.weight", 16, 64), "mm.0.weight" },
        { SHAPE("mm.2.weight", 32, 64), "mm.2.weight" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        must_fail(tiny_shape(), &bad[i].c, 1, FORMAT, bad[i].says);
}

static void test_quirks_that_load(void **state)
{
    (void)state;
    opened o;
    sv_model_shape s = tiny_shape();
    must_load(&o, s, NULL, 0);
    int n_ff = s.v_ff, n_embd = s.v_embd, n_blocks = s.v_blocks;
    CHECK(o.vit.n_run == n_blocks && o.vit.has_class && o.vit.act == SV_ACT_GELU_QUICK);
    CHECK(o.vit.n_out == s.n_embd && !o.vit.newline && !*o.log);
    close_all(&o);

    s.swapped_ffn = 1;                                     /* the old names */
    must_load(&o, s, NULL, 0);
    CHECK(o.vit.blocks[0].up.w.n_out == n_ff && o.vit.blocks[0].down.w.n_out == n_embd);
    close_all(&o);

    /* The oldest files: no projector type, colours, epsilon or feature layer. */
    const change old[] = { OMITTED("clip.projector_type"), OMITTED(V "image_mean"),
                           OMITTED(V "attention.layer_norm_epsilon"), OMITTED(V "feature_layer") };
    must_load(&o, s, old, 4);
    CHECK(o.vit.n_run == n_blocks && o.vit.feature[0] == n_blocks && o.vit.eps == 1e-5f);
    CHECK(o.vit.preproc.mean[0] == 0.48145466f);
    close_all(&o);

    /* With the last norm it is the whole tower, of which the last block is not run and
     * need not even be complete. */
    const change whole[] = { OMITTED(V "feature_layer"), OMITTED("v.blk.1.attn_q.weight"),
                             SHAPE("v.post_ln.weight", 32, 0) };
    CHECK(n_blocks == 2);
    must_load(&o, s, whole, 3);
    CHECK(o.vit.n_run == 1 && o.vit.feature[0] == 1 && !*o.log);
    close_all(&o);

    /* One matrix for a projector. */
    const change single[] = { OMITTED("mm.2.weight") };
    must_load(&o, s, single, 1);
    CHECK(!o.vit.mm2.w.data && o.vit.n_out == s.n_embd);
    close_all(&o);

    /* No class row: one position less. */
    const change headless[] = { OMITTED("v.class_embd"),
                                SHAPE("v.position_embd.weight", 32, 16) };
    must_load(&o, s, headless, 2);
    CHECK(!o.vit.has_class && !o.vit.class_row);
    close_all(&o);

    const change f64[] = { NUMBERS(V "image_std", F64, 3, 0.25, 0.5, 1),
                           SHAPE("v.odd.weight", 8, 0) };
    must_load(&o, s, f64, 2);
    CHECK(o.vit.preproc.std[0] == 0.25f && o.vit.preproc.std[2] == 1);
    CHECK(strstr(o.log, "v.odd.weight is not used") != NULL);
    close_all(&o);

    const change scaled[] = { SHAPE("v.blk.0.ls1.weight", 32, 0) };
    must_load(&o, s, scaled, 1);
    CHECK(strstr(o.log, "v.blk.0.ls1.weight is not used") != NULL);
    close_all(&o);
}

/* Several hidden states make a wider feature. */
static void test_feature_layers(void **state)
{
    (void)state;
    const change c[] = { NUMBERS(V "feature_layer", I32, 3, 1, 0, 1),
                         SHAPE("mm.0.weight", 96, 64) };
    opened o;
    must_load(&o, tiny_shape(), c, 2);
    CHECK(o.vit.n_run == 1 && o.vit.n_features == 3 && o.vit.feature[1] == 0);
    close_all(&o);
}

static void test_tiles(void **state)
{
    (void)state;
    static const int32_t want[] = { 56, 112, 112, 56, 112, 112 };
    sv_model_shape s = tiny_shape();
    opened o;
    s.tiles = 1;
    must_load(&o, s, NULL, 0);
    CHECK(o.vit.preproc.n_pinpoints == 3 && o.vit.preproc.unpad && o.vit.newline);
    assert_memory_equal(o.vit.preproc.pinpoints, want, sizeof want);
    close_all(&o);
}

static void test_no_memory(void **state)
{
    (void)state;
    opened o;
    svlm_error err = { 0 };
    must_load(&o, tiny_shape(), NULL, 0);
    sv_vit_free(&o.vit);
    size_t alive = sv_alloc_alive();
    svlm_status st = SVLM_ERR_NOMEM;
    for (int n = 0; st; n++) {
        fault_at(n);
        st = sv_vit_load(&o.vit, &o.gguf, NULL, &err);
        fault_end();
        CHECK(n < 100 && (!st || (st == SVLM_ERR_NOMEM && sv_alloc_alive() == alive)));
    }
    close_all(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_keys),     cmocka_unit_test(test_refused_long_arrays),
        cmocka_unit_test(test_refused_tensors),  cmocka_unit_test(test_quirks_that_load),
        cmocka_unit_test(test_feature_layers),   cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_no_memory),
    };
    tiny_model t;
    sv_model_shape s = tiny_shape();
    tiny_model_make(&t, &s);
    snprintf(path, sizeof path, "%s", t.mmproj);
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    tiny_model_remove(&t);
    return n_failed;
}
