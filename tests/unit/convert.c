/* SPDX-License-Identifier: MIT */
/* sparsevlm convert's work: the checkpoint t2/hf gives the weights of t2's GGUF files bit
 * for bit, in every layout of names that checkpoints come in; what cannot be converted is
 * named. */
#include "check.h"
#include "faults.h"

#include <dirent.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/gguf_read.h"
#include "simd/kernels.h"
#include "tools/convert.h"

static char base[] = "/tmp/svlm-convert-XXXXXX", folder[64], vision[64], llm[64], mmproj[64];

static int make_folders(void **state)
{
    (void)state;
    if (!mkdtemp(base))
        return -1;
    snprintf(folder, sizeof folder, "%s/hf", base);
    snprintf(vision, sizeof vision, "%s/clip", base);
    snprintf(llm, sizeof llm, "%s/x.gguf", base);
    snprintf(mmproj, sizeof mmproj, "%s/mmproj-x.gguf", base);
    return mkdir(folder, 0700) || mkdir(vision, 0700);
}

static void empty(const char *path)
{
    DIR *d = opendir(path);
    char name[400];
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        unlink(name);
    }
    if (d)
        closedir(d);
}

static int remove_folders(void **state)
{
    (void)state;
    empty(folder);
    empty(vision);
    unlink(llm);
    unlink(mmproj);
    return rmdir(folder) || rmdir(vision) || rmdir(base);       /* something is left over */
}

static const char *data(const char *name)
{
    static char path[500];
    snprintf(path, sizeof path, "%s/models/t2/%s", getenv("SVLM_TEST_DATA"), name);
    return path;
}

/* ---- checkpoints made of t2/hf ------------------------------------------------ */

static void write_file(const char *where, const char *name, const void *p, size_t n)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", where, name);
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(p, 1, n, f) == n && !fclose(f));
}

static void write_json(const char *where, const char *name, json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT);
    write_file(where, name, text, strlen(text));
    free(text);
    json_decref(j);
}

/* A new name in p, or 0 to leave the tensor out. */
typedef int (*rename_fn)(const char *name, char p[200]);

static int with_newline;          /* write_shard appends an image_newline of 96 values */

/* The tensors of t2/hf that rename keeps, as one shard. map: NULL, or gets its names. */
static void write_shard(const char *where, const char *file, rename_fn rename, json_t *map)
{
    sv_map m;
    svlm_error err;
    CHECK(!sv_map_file(&m, data("hf/model.safetensors"), 1, &err));
    uint64_t n_header;
    memcpy(&n_header, m.data, 8);
    json_t *header = json_loadb((const char *)m.data + 8, n_header, 0, NULL), *made = json_object(),
           *entry;
    uint8_t *out = malloc(m.size + 192);
    size_t used = 0;
    const char *name;
    json_object_foreach(header, name, entry) {
        char renamed[200];
        if (!strcmp(name, "__metadata__") || !rename(name, renamed))
            continue;
        const json_t *offsets = json_object_get(entry, "data_offsets");
        size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
        size_t n = (size_t)json_integer_value(json_array_get(offsets, 1)) - begin;
        memcpy(out + used, m.data + 8 + n_header + begin, n);
        json_object_set_new(made, renamed,
                            json_pack("{s:O,s:O,s:[I,I]}", "dtype", json_object_get(entry, "dtype"),
                                      "shape", json_object_get(entry, "shape"), "data_offsets",
                                      (json_int_t)used, (json_int_t)(used + n)));
        if (map)
            json_object_set_new(map, renamed, json_string(file));
        used += n;
    }
    if (with_newline) {
        json_object_set_new(made, "image_newline",
                            json_pack("{s:s,s:[i],s:[I,I]}", "dtype", "F16", "shape", 96,
                                      "data_offsets", (json_int_t)used, (json_int_t)(used + 192)));
        memcpy(out + used, m.data + 8 + n_header, 192);
        used += 192;
    }
    char *text = json_dumps(made, JSON_COMPACT), path[400];
    snprintf(path, sizeof path, "%s/%s", where, file);
    FILE *f = fopen(path, "wb");
    uint64_t n_text = strlen(text);
    CHECK(f && fwrite(&n_text, 8, 1, f) == 1 && fwrite(text, 1, n_text, f) == n_text &&
          fwrite(out, 1, used, f) == used && !fclose(f));
    free(text);
    free(out);
    json_decref(made);
    json_decref(header);
    sv_map_close(&m);
}

static json_t *config(void)
{
    json_t *j = json_load_file(data("hf/config.json"), 0, NULL);
    CHECK(j != NULL);
    return j;
}

static void copy_tokenizer(void)
{
    sv_map m;
    svlm_error err;
    CHECK(!sv_map_file(&m, data("hf/tokenizer.model"), 1, &err));
    write_file(folder, "tokenizer.model", m.data, m.size);
    sv_map_close(&m);
}

/* ---- converting ---------------------------------------------------------------- */

static svlm_status convert(const char *from, const char *tower, const char *type,
                           sv_convert_result *r, svlm_error *err)
{
    sv_convert_job job = {.folder = from,
                          .vision = tower,
                          .llm = llm,
                          .mmproj = mmproj,
                          .name = "x",
                          .type = sv_mix_by_name(type),
                          .tower = sv_mix_by_name("F16"),
                          .n_threads = 2};
    size_t alive = sv_alloc_alive();
    unlink(llm);
    unlink(mmproj);
    svlm_status st = sv_convert(&job, r, err);
    CHECK(sv_alloc_alive() == alive);
    CHECK(access(llm, F_OK) == (st ? -1 : 0) && access(mmproj, F_OK) == (st ? -1 : 0));
    return st;
}

typedef struct opened { sv_map map; sv_gguf g; } opened;

static void open_file(opened *o, const char *path)
{
    svlm_error err = { 0 };
    if (sv_map_file(&o->map, path, 0, &err) || sv_gguf_parse(&o->g, &o->map, &err))
        fail_msg("%s", err.message);
}

static void close_file(opened *o)
{
    sv_gguf_free(&o->g);
    sv_map_close(&o->map);
}

static float *floats_of(const sv_gguf_tensor *t, size_t *n)
{
    *n = (size_t)(t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3]);
    float *x = malloc(*n * sizeof *x);
    sv_kernels_for("c")->dequant[t->type](x, t->data, *n);
    return x;
}

static void compare_tensors(const opened *ours, const opened *theirs)
{
    CHECK(ours->g.n_tensors == theirs->g.n_tensors);
    for (size_t i = 0; i < ours->g.n_tensors; i++) {
        const sv_gguf_tensor *a = &ours->g.tensors[i], *b = sv_gguf_find(&theirs->g, a->name);
        size_t n, m;
        CHECK(b && a->n_dims == b->n_dims && !memcmp(a->dim, b->dim, sizeof a->dim));
        float *x = floats_of(a, &n), *y = floats_of(b, &m);
        if (memcmp(x, y, n * sizeof *x))
            fail_msg("%s differs", a->name);
        free(x);
        free(y);
    }
}

/* Every key that both have is equal, but for the name and the file type; and no key
 * that means something is missing. */
static void compare_keys(const opened *ours, const opened *theirs)
{
    for (size_t i = 0; i < theirs->g.n_keys; i++) {
        const struct sv_gguf_key *b = &theirs->g.keys[i], *a = NULL;
        for (size_t k = 0; k < ours->g.n_keys; k++)
            if (!sv_span_cmp(ours->g.keys[k].name, b->name))
                a = &ours->g.keys[k];
        if (!a)
            fail_msg("the key %.*s is missing", (int)b->name.n, b->name.p);
        if (b->name.n > 8 && !memcmp(b->name.p, "general.", 8))
            continue;
        size_t n = (size_t)(b->value.end - b->value.data);
        if (a->type != b->type || (size_t)(a->value.end - a->value.data) != n ||
            memcmp(a->value.data, b->value.data, n))
            fail_msg("the key %.*s differs", (int)b->name.n, b->name.p);
    }
}

/* The pair just written equals t2's. keys: of which files they must be equal too. */
static void compare_with_t2(int llm_keys, int vision_keys)
{
    opened ours, theirs;
    open_file(&ours, llm);
    open_file(&theirs, data("t2-f16.gguf"));
    compare_tensors(&ours, &theirs);
    if (llm_keys)
        compare_keys(&ours, &theirs);
    close_file(&ours);
    close_file(&theirs);
    open_file(&ours, mmproj);
    open_file(&theirs, data("mmproj-t2-f16.gguf"));
    compare_tensors(&ours, &theirs);
    if (vision_keys)
        compare_keys(&ours, &theirs);
    close_file(&ours);
    close_file(&theirs);
}

static void must_convert(const char *from, const char *tower, const char *type)
{
    sv_convert_result r;
    svlm_error err = { 0 };
    if (convert(from, tower, type, &r, &err))
        fail_msg("%s", err.message);
    CHECK(r.n_unused == 0);
}

static void test_llava_hf(void **state)
{
    (void)state;
    must_convert(data("hf"), NULL, "F16");
    compare_with_t2(1, 1);
    must_convert(data("hf"), NULL, "F32");
    compare_with_t2(0, 0);
}

/* ---- the newer layout, in two shards -------------------------------------------- */

static void newer(const char *name, char p[200])
{
    if (!strncmp(name, "language_model.lm_head", 22))
        snprintf(p, 200, "%s", name + 15);
    else if (!strncmp(name, "language_model.model.", 21))
        snprintf(p, 200, "model.language_model.%s", name + 21);
    else
        snprintf(p, 200, "model.%s", name);
}

static int newer_first(const char *name, char p[200])
{
    newer(name, p);
    return strstr(name, "layers.1.") != NULL;
}

static int newer_second(const char *name, char p[200])
{
    return !newer_first(name, p);
}

static void test_newer_layout(void **state)
{
    (void)state;
    json_t *map = json_object();
    empty(folder);
    copy_tokenizer();
    write_json(folder, "config.json", config());
    write_shard(folder, "model-00001-of-00002.safetensors", newer_first, map);
    write_shard(folder, "model-00002-of-00002.safetensors", newer_second, map);
    write_json(folder, "model.safetensors.index.json",
               json_pack("{s:{},s:o}", "metadata", "weight_map", map));
    must_convert(folder, NULL, "F16");
    compare_with_t2(0, 1);
}

/* ---- liuhaotian's layout, the tower apart ---------------------------------------- */

static int original(const char *name, char p[200])
{
    if (!strncmp(name, "language_model.", 15))
        snprintf(p, 200, "%s", name + 15);
    else if (!strncmp(name, "multi_modal_projector.linear_", 29))
        snprintf(p, 200, "model.mm_projector.%d.%s", 2 * (name[29] - '1'), name + 31);
    else
        return 0;
    return 1;
}

static int tower_only(const char *name, char p[200])
{
    snprintf(p, 200, "%s", name + (strncmp(name, "vision_tower.", 13) ? 0 : 13));
    return p != name && !strncmp(p, "vision_model.", 13);
}

static json_t *original_config(void)
{
    json_t *old = config(), *j = json_copy(json_object_get(old, "text_config"));
    json_object_set_new(j, "model_type", json_string("llava"));
    json_object_set_new(j, "mm_vision_tower", json_string("some/tower"));
    json_object_set_new(j, "mm_projector_type", json_string("mlp2x_gelu"));
    json_object_set_new(j, "mm_vision_select_layer", json_integer(-2));
    json_object_set_new(j, "mm_vision_select_feature", json_string("patch"));
    json_object_set_new(j, "image_aspect_ratio", json_string("pad"));
    json_decref(old);
    return j;
}

static void test_original_layout(void **state)
{
    (void)state;
    json_t *whole = config();
    empty(folder);
    copy_tokenizer();
    write_json(folder, "config.json", original_config());
    write_shard(folder, "model.safetensors", original, NULL);
    write_json(vision, "config.json", json_pack("{s:s,s:O}", "model_type", "clip", "vision_config",
                                               json_object_get(whole, "vision_config")));
    json_decref(whole);
    write_shard(vision, "model.safetensors", tower_only, NULL);
    must_convert(folder, vision, "F16");
    compare_with_t2(0, 1);
}

/* ---- vocabulary and tiles ---------------------------------------------------------- */

static int same_name(const char *name, char p[200])
{
    snprintf(p, 200, "%s", name);
    return 1;
}

static void fresh(json_t *config_json)
{
    empty(folder);
    copy_tokenizer();
    write_json(folder, "config.json", config_json);
    write_shard(folder, "model.safetensors", same_name, NULL);
}

/* A tokenizer.model of fewer pieces than the embedding has rows: one added token, and
 * fillers for the rest. The pieces come first in the file, so cutting one out is easy. */
static void test_added_tokens(void **state)
{
    (void)state;
    sv_map m;
    svlm_error err;
    fresh(config());
    CHECK(!sv_map_file(&m, data("hf/tokenizer.model"), 1, &err));
    size_t at = 0;
    for (int i = 0; i < 384; i++)
        at += 2 + m.data[at + 1];
    uint8_t *cut = malloc(m.size);
    size_t rest = at;
    for (int i = 0; i < 3; i++)
        rest += 2 + m.data[rest + 1];
    memcpy(cut, m.data, at);
    memcpy(cut + at, m.data + rest, m.size - rest);
    write_file(folder, "tokenizer.model", cut, at + m.size - rest);
    free(cut);
    sv_map_close(&m);
    write_json(folder, "added_tokens.json",
               json_pack("{s:i,s:i,s:i}", "<image>", 385, "<s>", 1, "<far>", 400));
    must_convert(folder, NULL, "F16");
    opened o;
    sv_gguf_array tokens = { 0 }, types = { 0 };
    open_file(&o, llm);
    CHECK(!sv_gguf_opt_array(&o.g, "tokenizer.ggml.tokens", &tokens, &err) && tokens.n == 387);
    CHECK(!sv_gguf_opt_array(&o.g, "tokenizer.ggml.token_type", &types, &err));
    const uint8_t *p = tokens.data;
    static const char *const last[] = { "[PAD384]", "<image>", "[PAD386]" };
    for (int i = 0; i < 387; i++) {
        sv_span s = sv_gguf_next_string(&tokens, &p);
        if (i >= 384)
            CHECK(s.n == strlen(last[i - 384]) && !memcmp(s.p, last[i - 384], s.n));
    }
    CHECK(sv_gguf_number(&types, 384) == 5 && sv_gguf_number(&types, 385) == 3);
    close_file(&o);
}

/* Lists that hold each pair both ways stay as they are; others are turned, for Hugging Face
 * says height first. */
static void test_tiles(void **state)
{
    (void)state;
    static const int lists[2][4] = { { 224, 448, 448, 224 }, { 224, 448, 224, 672 } };
    static const int want[2][4] = { { 224, 448, 448, 224 }, { 448, 224, 672, 224 } };
    for (int i = 0; i < 2; i++) {
        const int *h = lists[i];
        json_t *j = config();
        opened o;
        sv_gguf_array points = { 0 };
        json_object_set_new(j, "model_type", json_string("llava_next"));
        json_object_set_new(j, "image_grid_pinpoints",
                            json_pack("[[i,i],[i,i]]", h[0], h[1], h[2], h[3]));
        with_newline = 1;
        fresh(j);
        with_newline = 0;
        must_convert(folder, NULL, "F16");
        open_file(&o, mmproj);
        CHECK(sv_gguf_find(&o.g, "model.image_newline") &&
              sv_gguf_has(&o.g, "clip.vision.mm_patch_merge_type"));
        CHECK(!sv_gguf_opt_array(&o.g, "clip.vision.image_grid_pinpoints", &points, NULL) &&
              points.n == 4);
        for (int k = 0; k < 4; k++)
            CHECK(sv_gguf_number(&points, (uint64_t)k) == want[i][k]);
        close_file(&o);
    }
}

/* ---- refusals ---------------------------------------------------------------------- */

static void refuse(json_t *j, svlm_status status, const char *says)
{
    sv_convert_result r;
    svlm_error err = { 0 };
    fresh(j);
    svlm_status st = convert(folder, NULL, "F16", &r, &err);
    if (st != status || !strstr(err.message, says))
        fail_msg("status %d \"%s\", expected %d \"%s\"", st, err.message, status, says);
}

static json_t *with(const char *part, const char *key, json_t *value)
{
    json_t *j = config();
    json_object_set_new(part ? json_object_get(j, part) : j, key, value);
    return j;
}

static void test_refusals(void **state)
{
    (void)state;
    refuse(with(NULL, "model_type", json_string("qwen2_vl")), SVLM_ERR_UNSUPPORTED, "qwen2_vl");
    refuse(with("text_config", "model_type", json_string("gemma")), SVLM_ERR_UNSUPPORTED, "gemma");
    refuse(with("vision_config", "model_type", json_string("siglip")), SVLM_ERR_UNSUPPORTED,
           "siglip");
    refuse(with(NULL, "vision_feature_select_strategy", json_string("full")), SVLM_ERR_UNSUPPORTED,
           "full");
    refuse(with(NULL, "vision_feature_layer", json_integer(-6)), SVLM_ERR_FORMAT,
           "vision layer -6");
    refuse(with(NULL, "vision_feature_layer", json_pack("[s]", "x")), SVLM_ERR_FORMAT,
           "vision_feature_layer");
    refuse(with("text_config", "hidden_size", json_integer(192)), SVLM_ERR_FORMAT, "shape");
    refuse(with("text_config", "hidden_size", json_string("96")), SVLM_ERR_FORMAT, "hidden_size");
    refuse(with("text_config", "num_hidden_layers", json_integer(13)), SVLM_ERR_FORMAT, "missing");
    refuse(with("text_config", "num_hidden_layers", json_integer(0)), SVLM_ERR_FORMAT,
           "num_hidden_layers");
    refuse(with("text_config", "num_key_value_heads", json_integer(4)), SVLM_ERR_FORMAT,
           "key heads");
    refuse(with("text_config", "attention_bias", json_true()), SVLM_ERR_UNSUPPORTED,
           "attention_bias");
    refuse(with("text_config", "rope_scaling", json_pack("{s:s}", "rope_type", "llama3")),
           SVLM_ERR_UNSUPPORTED, "llama3");
    refuse(with(NULL, "model_type", json_string("llava_next")), SVLM_ERR_FORMAT, "image_newline");
    sv_convert_result r;
    svlm_error err = { 0 };
    CHECK(convert(vision, NULL, "F16", &r, &err) == SVLM_ERR_UNSUPPORTED &&
          strstr(err.message, "clip"));
    empty(folder);
    CHECK(convert(folder, NULL, "F16", &r, &err) == SVLM_ERR_IO &&
          strstr(err.message, "config.json"));
}

/* Not each of the thousand that are alike, but every one early on and some of the rest. */
static void test_allocations_fail(void **state)
{
    (void)state;
    char from[500];
    snprintf(from, sizeof from, "%s", data("hf"));
    int n = 0, failed = 1;
    for (; failed; n += 1 + n / 60) {
        sv_convert_result r;
        svlm_error err = { 0 };
        fault_at(n);
        svlm_status st = convert(from, NULL, "Q8_0", &r, &err);
        failed = fault_end();
        CHECK(!st || st == SVLM_ERR_NOMEM);
    }
    CHECK(n > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llava_hf),
        cmocka_unit_test(test_newer_layout),
        cmocka_unit_test(test_original_layout),
        cmocka_unit_test(test_added_tokens),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allocations_fail),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
