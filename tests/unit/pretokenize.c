/* SPDX-License-Identifier: MIT */
/* Pieces that byte-level BPE merges within, pattern by pattern, and the classes
 * of characters behind them. */
#include "check.h"

#include "text/unicode.h"
#include "text/vocab.h"

/* Pieces are shown with | between them. */
static void check_pieces(const char *pre, const char *shown)
{
    const sv_pre *p = sv_pre_find((sv_span){ pre, strlen(pre) });
    char text[200], got[400];
    size_t n = 0, k = 0;
    CHECK(p);
    for (const char *c = shown; *c; c++)
        if (*c != '|')
            text[n++] = *c;
    for (size_t i = 0; i < n;) {
        size_t len = sv_pre_next(p, text + i, n - i);
        CHECK(len > 0 && len <= n - i);
        if (i)
            got[k++] = '|';
        memcpy(got + k, text + i, len);
        k += len;
        i += len;
    }
    got[k] = 0;
    if (strcmp(got, shown))
        fail_msg("%s: \"%s\", not \"%s\"", pre, got, shown);
}

static void test_gpt2(void **state)
{
    (void)state;
    check_pieces("gpt-2", "Hello| world|!!");
    check_pieces("gpt-2", "don|'t| I|'ll| we|'ve|'d");
    check_pieces("gpt-2", "DON|'|T");                        /* small letters only */
    check_pieces("gpt-2", "x|1234| 5678|.|9");
    check_pieces("gpt-2", "a|  | b|\n|c|\n\n|\n|d|  ");
    check_pieces("gpt-2", "a|   ");
    check_pieces("gpt-2", "\xd0\x96\xd1\x83\xd0\xba| \xe4\xb8\x96|\xc2\xbd|\xf0\x9f\x98\x80");
    check_pieces("gpt-2", "e|\xcc\x81|a");                   /* a mark is no letter */
    check_pieces("gpt-2", "a|\xff\x80|b");                   /* broken bytes are signs */
    check_pieces("phi-2", "it|'s");
    check_pieces("default", "it|'s");
}

static void test_single_digits(void **state)
{
    (void)state;
    check_pieces("smollm", "x|1|2|3| y");
    check_pieces("smollm", "x| |1|  |2");                    /* a number ends the text before */
    check_pieces("smollm", "x| | y| |\xd9\xa3");
    check_pieces("starcoder", "a|1");
    check_pieces("refact", "a|1");
}

static void test_qwen2(void **state)
{
    (void)state;
    check_pieces("qwen2", "Hello| world|!!\n\n|x");
    check_pieces("qwen2", "DON|'T| I|'Ll");
    check_pieces("qwen2", "(a|+b|\tc| d");                   /* any one sign before letters */
    check_pieces("qwen2", "\n|a");                           /* but no line break */
    check_pieces("qwen2", "1|2|3| |4");
    check_pieces("qwen2", "a|  \n \r\n|  | b");
    check_pieces("qwen2", "a| ...\r\n| b");
    check_pieces("qwen2", "e|\xcc\x81" "a");
    check_pieces("qwen35", "e\xcc\x81" "a|!");
    check_pieces("qwen35", "\xcc\x81" "a| \xcc\x81");
    check_pieces("llama-bpe", "x|123|456|7| |89");
    check_pieces("llama3", "123|4");
    check_pieces("lfm2", "12|a");
    check_pieces("pixtral", "12|a");
}

static void test_unknown_name(void **state)
{
    (void)state;
    CHECK(!sv_pre_find((sv_span){ "gpt-22", 6 }));
    CHECK(!sv_pre_find((sv_span){ "", 0 }));
}

static void test_bytes_as_characters(void **state)
{
    (void)state;
    int seen[512] = { 0 };
    CHECK(sv_byte_to_char('A') == 'A' && sv_byte_to_char(' ') == 0x120);
    CHECK(sv_byte_to_char('\n') == 0x10a && sv_byte_to_char(0xad) == 0x143);
    for (int b = 0; b < 256; b++) {
        uint32_t c = sv_byte_to_char((uint8_t)b);
        CHECK(c < 512 && !seen[c]++ && sv_char_to_byte(c) == b);
    }
    CHECK(sv_char_to_byte(' ') == -1 && sv_char_to_byte(0x144) == -1);
    CHECK(sv_char_to_byte(UINT32_MAX) == -1);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct { uint32_t code; sv_class class; } known[] = {
        { 0, SV_CLASS_OTHER }, { '@', SV_CLASS_OTHER }, { 'A', SV_CLASS_LETTER },
        { 'z', SV_CLASS_LETTER }, { '{', SV_CLASS_OTHER }, { '0', SV_CLASS_NUMBER },
        { 0x1c, SV_CLASS_OTHER }, { 0xa0, SV_CLASS_SPACE }, { 0x3000, SV_CLASS_SPACE },
        { 0x200b, SV_CLASS_OTHER }, { 0xaa, SV_CLASS_LETTER }, { 0xbd, SV_CLASS_NUMBER },
        { 0x301, SV_CLASS_MARK }, { 0x4dbf, SV_CLASS_LETTER }, { 0x4dc0, SV_CLASS_OTHER },
        { 0x4e00, SV_CLASS_LETTER }, { 0x1f600, SV_CLASS_OTHER }, { 0x20000, SV_CLASS_LETTER },
        { 0xe0100, SV_CLASS_MARK }, { 0xe01ef, SV_CLASS_MARK }, { 0xe01f0, SV_CLASS_OTHER },
        { 0x10ffff, SV_CLASS_OTHER },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(sv_unicode_class(known[i].code), known[i].class);
    for (int i = 1; i < SV_UNICODE_ENTRIES; i++)
        CHECK(sv_unicode_table[i - 1] >> 2 < sv_unicode_table[i] >> 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2), cmocka_unit_test(test_single_digits),
        cmocka_unit_test(test_qwen2), cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_bytes_as_characters), cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
