/* SPDX-License-Identifier: MIT */
/* greedy_text MODEL N TEXT: the token ids of a text on one line, then what the language
 * model alone says next, greedily, without a template. For compare-llama.sh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sparsevlm/sparsevlm.h>

enum { MAX_IDS = 4096 };

static svlm_error err;

/* Llama vocabularies of SentencePiece begin a text with token 1. */
static size_t read_ids(int32_t *ids, const svlm_model *model, const char *text)
{
    size_t n = 0;
    ids[0] = 1;
    if (svlm_tokenize(model, text, strlen(text), ids + 1, MAX_IDS - 1, &n, &err))
        return 0;
    return n < MAX_IDS ? n + 1 : MAX_IDS;
}

static svlm_status go_on(svlm_chat *chat, const int32_t *ids, size_t n)
{
    svlm_status st;
    const char *piece;
    size_t n_bytes;
    for (size_t i = 0; i < n; i++)
        printf("%s%d", i ? " " : "", (int)ids[i]);
    puts("");
    if ((st = svlm_chat_add_tokens(chat, ids, n, &err)) || (st = svlm_chat_ask(chat, &err)))
        return st;
    while (!(st = svlm_chat_next(chat, &piece, &n_bytes, &err)))
        fwrite(piece, 1, n_bytes, stdout);
    puts("");
    return st == SVLM_END ? SVLM_OK : st;
}

int main(int argc, char **argv)
{
    static int32_t ids[MAX_IDS];
    svlm_model_options mo;
    svlm_chat_options co;
    svlm_model *model = NULL;
    svlm_chat *chat = NULL;
    if (argc != 4) {
        fputs("usage: greedy_text MODEL N TEXT\n", stderr);
        return 2;
    }
    SVLM_INIT(&mo);
    mo.model_path = argv[1];
    mo.precise = 1;
    SVLM_INIT(&co);
    co.max_tokens = atoi(argv[2]);
    svlm_status st = svlm_model_open(&model, &mo, &err);
    size_t n = st ? 0 : read_ids(ids, model, argv[3]);
    if (!st && !(st = svlm_chat_new(&chat, model, &co, &err)))
        st = n ? go_on(chat, ids, n) : err.status;
    if (st)
        fprintf(stderr, "greedy_text: %s\n", err.message);
    svlm_chat_free(chat);
    svlm_model_close(model);
    return st != SVLM_OK;
}
