/* SPDX-License-Identifier: MIT */
/* The texts around questions, exactly as the models were trained with them
 * (FORMATS.md, section 12), and which of them a file asks for. */
#include "text/template.h"

#include <string.h>

#define VICUNA_SYSTEM(who) \
    "A chat between a curious " who " and an artificial intelligence assistant. The assistant " \
    "gives helpful, detailed, and polite answers to the " who "'s questions."

static const sv_template templates[] = {
    { .name = "vicuna_v1", .system = VICUNA_SYSTEM("user"), .system_after = " ",
      .user_before = "USER: ", .user_after = " ASSISTANT:", .close_with_eos = 1 },
    { .name = "llava_v1", .system = VICUNA_SYSTEM("human"), .system_after = " ",
      .user_before = "USER: ", .user_after = " ASSISTANT:", .close_with_eos = 1 },
    { .name = "vicuna_short", .system_after = " ",
      .user_before = "USER: ", .user_after = " ASSISTANT:", .close_with_eos = 1 },
    { .name = "mistral_instruct", .system_before = "<<SYS>>\n", .system_after = "\n<</SYS>>\n\n",
      .system_in_turn = 1,
      .user_before = "[INST] ", .user_after = " [/INST]", .close_with_eos = 1 },
    { .name = "chatml_direct", .system = "Answer the questions.",
      .system_before = "<|im_start|>system\n", .system_after = "<|im_end|>",
      .user_before = "<|im_start|>user\n", .user_after = "<|im_end|><|im_start|>assistant\n",
      .close = "<|im_end|>" },
    { .name = "chatml", .system = "You are a helpful assistant.",
      .system_before = "<|im_start|>system\n", .system_after = "<|im_end|>\n",
      .user_before = "<|im_start|>user\n", .user_after = "<|im_end|>\n<|im_start|>assistant\n",
      .close = "<|im_end|>\n" },
    { .name = "llama3", .system_before = "<|start_header_id|>system<|end_header_id|>\n\n",
      .system_after = "<|eot_id|>",
      .user_before = "<|start_header_id|>user<|end_header_id|>\n\n",
      .user_after = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
      .close = "<|eot_id|>" },
    { .name = "none", .system_after = "\n", .close = "\n" },
};

enum { N_TEMPLATES = sizeof templates / sizeof *templates };

const sv_template *sv_template_find(const char *name)
{
    for (int i = 0; i < N_TEMPLATES; i++)
        if (!strcmp(name, templates[i].name))
            return &templates[i];
    return NULL;
}

const char *sv_template_name(const sv_template *t)
{
    return t->name;
}

const char *const *sv_template_names(void)
{
    static const char *const names[] = {
        "vicuna_v1", "llava_v1", "vicuna_short", "mistral_instruct", "chatml_direct", "chatml",
        "llama3", "none", NULL
    };
    return names;
}

static int contains(sv_span s, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = 0; i + n <= s.n; i++)
        if (!memcmp(s.p + i, what, n))
            return 1;
    return 0;
}

/* A model's name in lower case, for looking at. */
static int name_contains(const sv_gguf *g, const char *what)
{
    sv_span name = { "", 0 };
    char lower[200];
    if (sv_gguf_opt_str(g, "general.name", &name, NULL))
        return 0;
    size_t n = name.n < sizeof lower ? name.n : sizeof lower;
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    return contains((sv_span){ lower, n }, what);
}

/* The family a chat_template belongs to, told by the marks it writes; the
 * program in it is not run. NULL: none that we know. */
static const char *family_of(sv_span jinja)
{
    if (contains(jinja, "<|start_header_id|>"))
        return "llama3";
    if (contains(jinja, "<|im_start|>"))
        return contains(jinja, "Answer the questions.") ? "chatml_direct" : "chatml";
    if (contains(jinja, "[INST]"))
        return "mistral_instruct";
    if (contains(jinja, "a curious human"))
        return "llava_v1";
    if (contains(jinja, "a curious user"))
        return "vicuna_v1";
    return contains(jinja, "ASSISTANT:") ? "vicuna_short" : NULL;
}

const sv_template *sv_template_guess(const sv_gguf *g, const sv_vocab *v)
{
    sv_span jinja = { "", 0 };
    const char *name = NULL;
    if (!sv_gguf_opt_str(g, "tokenizer.chat_template", &jinja, NULL))
        name = family_of(jinja);
    if (!name && name_contains(g, "mistral"))
        name = "mistral_instruct";
    if (!name && sv_vocab_find(v, "<|start_header_id|>", 19) >= 0)
        name = "llama3";
    if (!name && sv_vocab_find(v, "<|im_start|>", 12) >= 0)
        name = "chatml";
    if (name && !strcmp(name, "chatml") && name_contains(g, "34b"))
        name = "chatml_direct";                  /* LLaVA-1.6 34B */
    return sv_template_find(name ? name : "vicuna_v1");
}
