/* SPDX-License-Identifier: MIT */
/* check-goldens GOLDENS MODELS IMAGES [--case GLOB] [--kv-f16]: runs every case of a
 * directory in the goldens' format (its README describes it) with every weight file it
 * lists, one line each with the figure that came closest to its bound. The exit status
 * is 1 when anything differs, after all cases ran. */
#include "golden/check_goldens.h"

#include <fnmatch.h>

typedef struct options {
    const char *goldens, *models, *images, *glob;
    int kv_f16;
} options;

static int n_run, n_failed;

static void report(const char *name, const char *file, const verdict *v)
{
    n_run++;
    n_failed += v->failed != 0;
    if (v->failed)
        printf("FAIL %s [%s]: %s (%d differences)\n", name, file, v->why, v->failed);
    else
        printf("ok   %s [%s]: closest %s, %.4f of its bound\n", name, file, v->figure, v->closest);
    fflush(stdout);
}

/* One case with one language model and one mmproj file (NULL: no picture). */
static void run_files(const options *o, const char *name, const llm_case *base, const char *llm,
                      const char *mmproj)
{
    const char *model = json_string_value(json_object_get(base->json, "model"));
    char path[1024], image[1024], dir[1024], files[256];
    verdict v = { 0 };
    llm_case c = *base;
    prune_case prune;
    llm_file f;
    snprintf(files, sizeof files, mmproj ? "%s + %s" : "%s", llm, mmproj);
    if (mmproj) {
        snprintf(path, sizeof path, "%s/%s/%s", o->models, model, mmproj);
        snprintf(image, sizeof image, "%s/%s", o->images,
                 json_string_value(json_object_get(c.json, "image")));
        snprintf(dir, sizeof dir, "%s/%s/%s", o->goldens, model,
                 json_string_value(json_object_get(c.json, "vision")));
        c.features = check_vision(&v, path, image, dir, c.json);
    }
    snprintf(path, sizeof path, "%s/%s/%s", o->models, model, llm);
    if (llm_file_open(&f, path, &v)) {
        c.file = &f;
        if (json_is_null(json_object_get(c.json, "sparse"))) {
            check_llm(&v, &c);
        } else if (prune_case_open(&prune, c.json, c.dir, &v)) {
            c.prune = &prune;
            check_llm(&v, &c);
            prune_case_close(&prune);
        }
        llm_file_close(&f);
    }
    svlm_features_close(c.features);
    report(name, files, &v);
}

static void run_case(const options *o, const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "case"));
    const json_t *llms = json_object_get(entry, "llm"), *mmprojs = json_object_get(entry, "mmproj");
    char dir[1024], path[1200];
    if (!name || fnmatch(o->glob, name, 0))
        return;
    snprintf(dir, sizeof dir, "%s/%s", o->goldens, name);
    snprintf(path, sizeof path, "%s/case.json", dir);
    json_t *json = golden_json(path);
    llm_case c = { .dir = dir, .json = json, .kv_f16 = o->kv_f16 };
    for (size_t i = 0; i < json_array_size(llms); i++) {
        const char *llm = json_string_value(json_array_get(llms, i));
        if (json_is_null(json_object_get(json, "vision")))
            run_files(o, name, &c, llm, NULL);
        for (size_t j = 0; j < json_array_size(mmprojs); j++)
            run_files(o, name, &c, llm, json_string_value(json_array_get(mmprojs, j)));
    }
    json_decref(json);
}

int main(int argc, char **argv)
{
    options o = { .glob = "*" };
    const char **place[] = { &o.goldens, &o.models, &o.images };
    int n = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--case") && i + 1 < argc)
            o.glob = argv[++i];
        else if (!strcmp(argv[i], "--kv-f16"))
            o.kv_f16 = 1;
        else if (n < 3)
            *place[n++] = argv[i];
    }
    if (n < 3) {
        fprintf(stderr, "usage: check-goldens GOLDENS MODELS IMAGES [--case GLOB] [--kv-f16]\n");
        return 2;
    }
    char path[1024];
    snprintf(path, sizeof path, "%s/index.json", o.goldens);
    json_t *index = golden_json(path);
    for (size_t i = 0; i < json_array_size(index); i++)
        run_case(&o, json_array_get(index, i));
    json_decref(index);
    printf("%d of %d runs as expected\n", n_run - n_failed, n_run);
    return n_failed || !n_run;
}
