/* SPDX-License-Identifier: MIT */
/* sparsevlm info: what is in the files, what a conversation will need, what will run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/threads.h"
#include "cli.h"
#include "cmds.h"
#include "gguf/gguf.h"

typedef struct facts {
    cli_files files;
    svlm_model_info model;
    int n_ctx;
    uint64_t chat_bytes;
    char types[2][200];           /* "225 Q4_K, 66 F32" of each file */
} facts;

/* Counts the tensors of a file by type. */
static int count_types(char *out, size_t cap, const char *path)
{
    sv_map map;
    sv_gguf gguf = { 0 };
    svlm_error err;
    int n[SV_N_TYPES] = { 0 };
    size_t used = 0;
    if (sv_map_file(&map, path, 0, &err) || sv_gguf_parse(&gguf, &map, &err)) {
        sv_map_close(&map);
        return cli_fail(&err);
    }
    for (size_t i = 0; i < gguf.n_tensors; i++)
        n[gguf.tensors[i].type]++;
    for (int t = 0; t < SV_N_TYPES; t++)
        if (n[t] && used < cap)
            used += (size_t)snprintf(out + used, cap - used, "%s%d %s", used ? ", " : "", n[t],
                                     sv_type_get((uint32_t)t)->name);
    sv_gguf_free(&gguf);
    sv_map_close(&map);
    return CLI_OK;
}

static int collect(facts *f, svlm_model *model, const cli_options *o)
{
    svlm_chat_options co;
    svlm_error err;
    int rc = cli_find_files(&f->files, o);
    if (rc || (rc = count_types(f->types[0], sizeof f->types[0], f->files.model)) ||
        (f->files.mmproj && (rc = count_types(f->types[1], sizeof f->types[1], f->files.mmproj))))
        return rc;
    SVLM_INIT(&f->model);
    svlm_model_get_info(model, &f->model);
    cli_chat_options(&co, o, NULL);
    f->n_ctx = o->n_ctx ? o->n_ctx : f->model.n_ctx < 4096 ? f->model.n_ctx : 4096;
    co.n_ctx = f->n_ctx;
    return svlm_chat_cost(model, &co, &f->chat_bytes, &err) ? cli_fail(&err) : CLI_OK;
}

static double mega(uint64_t n)
{
    return (double)n / 1e6;
}

static void print_vision(const facts *f)
{
    const svlm_model_info *m = &f->model;
    if (!m->has_vision) {
        puts("vision    none: no mmproj file");
        return;
    }
    printf("vision    %s\n", f->files.mmproj);
    printf("          %d layers of %d, pictures of %d x %d in patches of %d: %d visual tokens%s\n",
           m->n_vit_layers, m->n_vit_embd, m->image_size, m->image_size, m->patch_size,
           m->n_image_tokens, m->is_anyres ? ", and tiles of as many (LLaVA-1.6)" : "");
    printf("          tensors: %s\n", f->types[1]);
}

static void print_table(const facts *f, const cli_options *o)
{
    const svlm_model_info *m = &f->model;
    printf("model     %s (%s)\n", m->name, m->description);
    printf("          %s\n", f->files.model);
    printf("          %d layers of %d, %d heads, %d for keys and values, feed-forward %d\n",
           m->n_layers, m->n_embd, m->n_heads, m->n_kv_heads, m->n_ff);
    printf("          %d tokens, trained with a context of %d, template %s\n", m->n_vocab, m->n_ctx,
           m->template_name);
    printf("          tensors: %s\n", f->types[0]);
    print_vision(f);
    printf("memory    %.1f MB of files, %s\n", mega(m->n_file_bytes),
           o->repack ? "read and repacked" : "mapped: pages come as they are needed");
    printf("          %.1f MB for a conversation of %d rows (keys and values in %s)\n",
           mega(f->chat_bytes), f->n_ctx, o->kv_f32 ? "F32" : "F16");
    printf("kernels   %s, %d threads\n", svlm_isa(),
           o->n_threads ? o->n_threads : sv_threads_available());
    puts("limits    pictures of 2^26 pixels, videos of 60 s reading time");
}

static int print_json(const facts *f, const cli_options *o)
{
    const svlm_model_info *m = &f->model;
    json_t *j = json_pack(
        "{s:o, s:s, s:o, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:I, s:I, s:i, s:I, s:s,"
        " s:i}",
        "name", cli_json_text(m->name, strlen(m->name)), "description", m->description, "path",
        cli_json_text(f->files.model, strlen(f->files.model)), "tensors", f->types[0], "template",
        m->template_name, "n_layers", m->n_layers, "n_embd", m->n_embd, "n_heads", m->n_heads,
        "n_kv_heads", m->n_kv_heads, "n_ff", m->n_ff, "n_vocab", m->n_vocab, "n_ctx_trained",
        m->n_ctx, "has_vision", m->has_vision, "n_params", (json_int_t)m->n_params, "file_bytes",
        (json_int_t)m->n_file_bytes, "n_ctx", f->n_ctx, "chat_bytes", (json_int_t)f->chat_bytes,
        "isa", svlm_isa(), "n_threads", o->n_threads ? o->n_threads : sv_threads_available());
    if (m->has_vision)
        json_object_set_new(j, "vision", json_pack(
            "{s:o, s:s, s:i, s:i, s:i, s:i, s:i, s:b}", "path",
            cli_json_text(f->files.mmproj, strlen(f->files.mmproj)), "tensors", f->types[1],
            "image_size", m->image_size, "patch_size", m->patch_size, "n_layers", m->n_vit_layers,
            "n_embd", m->n_vit_embd, "n_image_tokens", m->n_image_tokens, "is_anyres",
            m->is_anyres));
    return cli_json_print(j);
}

static int run(cli_options *o)
{
    facts f = { 0 };
    svlm_model *model;
    int rc;
    if (o->n_words > 1 || (o->n_words && o->model))
        return cli_usage(o->command, "one model at a time");
    if (o->n_words)
        o->model = o->words[0];
    if ((rc = cli_open_model(&model, o)))
        return rc;
    if (!(rc = collect(&f, model, o))) {
        if (o->json)
            rc = print_json(&f, o);
        else
            print_table(&f, o);
    }
    cli_files_free(&f.files);
    svlm_model_close(model);
    return rc;
}

int cmd_info(int argc, char **argv)
{
    cli_options o;
    int rc;
    if (cli_parse(&o, CLI_INFO, argc, argv, &rc))
        rc = run(&o);
    cli_options_free(&o);
    return rc;
}
