/* SPDX-License-Identifier: MIT */
/* Tokens of the golden models: ids of texts, prompts around pictures, and
 * greedy answers back to text. */
#include "golden.h"
#include "vocab_file.h"

static void check_ids(json_t *want, const int32_t *got, size_t n, const char *text)
{
    if (json_array_size(want) != n)
        fail_msg("\"%s\": %zu tokens, not %zu", text, n, json_array_size(want));
    for (size_t i = 0; i < n; i++)
        if (json_integer_value(json_array_get(want, i)) != got[i])
            fail_msg("\"%s\": token %zu is %d, not %d", text, i, (int)got[i],
                     (int)json_integer_value(json_array_get(want, i)));
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const files[][2] = { { "t1", "t1-f16.gguf" }, { "t2", "t2-q4_0.gguf" } };
    json_t *all = golden_json(golden_path("goldens/units/tokens.json"));
    for (int m = 0; m < 2; m++) {
        vocab_file f;
        vocab_open(&f, golden_path("models/%s/%s", files[m][0], files[m][1]));
        json_t *list = json_object_get(all, files[m][0]), *c;
        size_t i;
        CHECK(json_array_size(list) > 20 && sv_vocab_add_bos(f.v));
        json_array_foreach(list, i, c) {
            json_t *text = json_object_get(c, "text");
            sv_ids ids = { 0 };
            CHECK(sv_ids_add(&ids, sv_vocab_bos(f.v), NULL) == SVLM_OK);
            CHECK(sv_tokenize(f.v, json_string_value(text), json_string_length(text), 0, &ids,
                              NULL) == SVLM_OK);
            check_ids(json_object_get(c, "ids"), ids.id, ids.n, json_string_value(text));
            sv_ids_free(&ids);
        }
        vocab_close(&f);
    }
    json_decref(all);
}

/* The user's question: behind the picture, or behind "USER: " without one. */
static sv_part question_part(const char *before, const char *after)
{
    const char *from = after ? after + 1 : strstr(before, "USER: ") + 6;
    const char *end = strstr(from, " ASSISTANT:");
    CHECK((!after || after[0] == '\n') && end && !strcmp(end, " ASSISTANT:"));
    return (sv_part){ .text = from, .n_bytes = (size_t)(end - from) };
}

static void check_prompt(const sv_vocab *v, json_t *c)
{
    const char *before_text = json_string_value(json_object_get(c, "text_before"));
    const char *after = json_string_value(json_object_get(c, "text_after"));
    sv_part parts[2] = { { .is_image = 1 }, question_part(before_text, after) };
    size_t skip = after ? 0 : 1;
    sv_prompt p = { 0 };
    CHECK(sv_prompt_turn(&p, sv_template_find("vicuna_v1"), v, NULL, 1, parts + skip, 2 - skip,
                         NULL) == SVLM_OK);
    sv_ids before = { 0 }, behind = { 0 };
    size_t i = 0;
    for (; i < p.n && !p.item[i].is_image; i++) {
        CHECK(!after || !p.item[i].question);
        CHECK(sv_ids_add(&before, p.item[i].id, NULL) == SVLM_OK);
    }
    for (i++; i < p.n; i++)
        CHECK(!p.item[i].is_image && sv_ids_add(&behind, p.item[i].id, NULL) == SVLM_OK);
    check_ids(json_object_get(c, "ids_before"), before.id, before.n, before_text);
    check_ids(json_object_get(c, "ids_after"), behind.id, behind.n, after ? after : "");
    sv_ids_free(&before);
    sv_ids_free(&behind);
    sv_prompt_free(&p);
}

/* The reference leaves out ids beyond the SentencePiece vocabulary, and so do we:
 * they are control tokens and filler. */
static void check_answer(const sv_vocab *v, json_t *c)
{
    char *out = malloc(sv_detok_max(v)), text[1000];
    size_t n = 0, i;
    sv_detok d;
    json_t *id;
    CHECK(out);
    sv_detok_start(&d, v);
    json_array_foreach(json_object_get(c, "greedy"), i, id) {
        size_t k = sv_detok_push(&d, (int32_t)json_integer_value(id), out, sv_detok_max(v));
        CHECK(n + k < sizeof text);
        memcpy(text + n, out, k);
        n += k;
    }
    n += sv_detok_finish(&d, text + n, sizeof text - n - 1);
    text[n] = 0;
    assert_string_equal(text, json_string_value(json_object_get(c, "greedy_text")));
    free(out);
}

static void test_cases(void **state)
{
    (void)state;
    json_t *list = golden_json(golden_path("goldens/index.json")), *entry;
    size_t i;
    int n_checked = 0;
    json_array_foreach(list, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "case"));
        json_t *models = json_object_get(entry, "llm");
        vocab_file f;
        json_t *c = golden_json(golden_path("goldens/%s/case.json", name));
        vocab_open(&f, golden_path("models/%.2s/%s", name,
                                   json_string_value(json_array_get(models, 0))));
        check_prompt(f.v, c);
        check_answer(f.v, c);
        vocab_close(&f);
        json_decref(c);
        n_checked++;
    }
    CHECK(n_checked > 20);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts), cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
