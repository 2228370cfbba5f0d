/* SPDX-License-Identifier: MIT */
/* random_model: a LLaVA pair of true shape with random weights, so that speed and
 * memory can be measured without downloads. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/make_model.h"

static const char usage[] =
    "Usage: random_model [options] NAME\n"
    "Writes NAME.gguf and mmproj-NAME.gguf: a LLaVA pair with random weights.\n"
    "\n"
    "  --shape S      llava-7b (default), llava-13b, llava-1b or tiny\n"
    "  --type T       of the language model: F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 IQ4_NL\n"
    "                 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K (default Q4_0)\n"
    "  --tower T      of the vision tower: F16 (default), F32, Q8_0, ...\n"
    "  --seed N       other weights (default 1)\n"
    "  --tiles        LLaVA-1.6: pinpoints and image_newline\n"
    "  --tied         no output matrix: the embeddings serve\n"
    "  --only P       llm or mmproj: write one of the two\n"
    "\n"
    "Any other size, each replacing the shape's:\n"
    "  --vocab --embd --ff --layers --heads --kv-heads --context\n"
    "  --image --patch --v-embd --v-ff --v-blocks --v-heads\n";

enum { SHAPE = 256, TYPE, TOWER, SEED, TILES, TIED, ONLY, HELP, NUMBERS };

typedef struct job { sv_model_shape shape; int llm, mmproj; const char *name; } job;

static const struct option options[] = {
    {"shape", 1, NULL, SHAPE},
    {"type", 1, NULL, TYPE},
    {"tower", 1, NULL, TOWER},
    {"seed", 1, NULL, SEED},
    {"tiles", 0, NULL, TILES},
    {"tied", 0, NULL, TIED},
    {"only", 1, NULL, ONLY},
    {"help", 0, NULL, HELP},
    {"vocab", 1, NULL, NUMBERS},
    {"embd", 1, NULL, NUMBERS + 1},
    {"ff", 1, NULL, NUMBERS + 2},
    {"layers", 1, NULL, NUMBERS + 3},
    {"heads", 1, NULL, NUMBERS + 4},
    {"kv-heads", 1, NULL, NUMBERS + 5},
    {"context", 1, NULL, NUMBERS + 6},
    {"image", 1, NULL, NUMBERS + 7},
    {"patch", 1, NULL, NUMBERS + 8},
    {"v-embd", 1, NULL, NUMBERS + 9},
    {"v-ff", 1, NULL, NUMBERS + 10},
    {"v-blocks", 1, NULL, NUMBERS + 11},
    {"v-heads", 1, NULL, NUMBERS + 12},
    {NULL, 0, NULL, 0},
};

static int *number(sv_model_shape *s, int option)
{
    int *const fields[] = {&s->n_vocab,    &s->n_embd,   &s->n_ff,       &s->n_layers, &s->n_heads,
                           &s->n_kv_heads, &s->n_ctx,    &s->image_size, &s->patch,    &s->v_embd,
                           &s->v_ff,       &s->v_blocks, &s->v_heads};
    return fields[option - NUMBERS];
}

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "random_model: %s \"%s\"; see --help\n", what, value);
    return 0;
}

/* 0: complained. */
static int take_option(job *j, int c)
{
    sv_model_shape *s = &j->shape;
    char *end = NULL;
    switch (c) {
    case SHAPE: return 1;         /* taken before the others */
    case TYPE:  return (s->mix = sv_mix_by_name(optarg)) ? 1 : complain("unknown type", optarg);
    case TOWER: return (s->v_mix = sv_mix_by_name(optarg)) ? 1 : complain("unknown type", optarg);
    case SEED:  s->seed = strtoull(optarg, &end, 10); break;
    case TILES: s->tiles = 1; return 1;
    case TIED:  s->tied = 1; return 1;
    case ONLY:
        j->llm = !strcmp(optarg, "llm");
        j->mmproj = !strcmp(optarg, "mmproj");
        return j->llm || j->mmproj ? 1 : complain("--only is llm or mmproj, not", optarg);
    default:
        if (c < NUMBERS)
            return 0;             /* getopt has complained */
        *number(s, c) = (int)strtol(optarg, &end, 10);
    }
    return *optarg && !*end ? 1 : complain("not a number:", optarg);
}

/* Two passes: the shape first, so that the order of options does not matter.
 * 1: go, 0: wrong, -1: help was asked for. */
static int parse(job *j, int argc, char **argv)
{
    const char *shape = "llava-7b";
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (c == SHAPE)
            shape = optarg;
        else if (c == HELP)
            return -1;
    if (!sv_model_shape_by_name(&j->shape, shape))
        return complain("unknown shape", shape);
    opterr = optind = 1;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(j, c))
            return 0;
    if (optind + 1 != argc)
        return complain("expected one NAME, got", optind < argc ? argv[optind + 1] : "nothing");
    j->name = argv[optind];
    return 1;
}

/* folder/prefix + rest of name + ".gguf" */
static void file_name(char *out, size_t n, const char *prefix, const char *name)
{
    const char *slash = strrchr(name, '/');
    int folder = slash ? (int)(slash + 1 - name) : 0;
    snprintf(out, n, "%.*s%s%s.gguf", folder, name, prefix, name + folder);
}

int main(int argc, char **argv)
{
    job j = { .llm = 1, .mmproj = 1 };
    int go = parse(&j, argc, argv);
    if (go < 0)
        return fputs(usage, stdout) < 0;
    if (!go)
        return 2;
    double start = sv_seconds();
    svlm_error err;
    char path[4096];
    file_name(path, sizeof path, "", j.name);
    svlm_status st = j.llm ? sv_make_llm(&j.shape, path, &err) : SVLM_OK;
    file_name(path, sizeof path, "mmproj-", j.name);
    if (!st && j.mmproj)
        st = sv_make_mmproj(&j.shape, path, &err);
    if (st) {
        fprintf(stderr, "random_model: %s\n", err.message);
        return 1;
    }
    fprintf(stderr, "random_model: done in %.1f s\n", sv_seconds() - start);
    return 0;
}
