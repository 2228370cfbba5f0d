/* SPDX-License-Identifier: MIT */
/* Which model: the one asked for, $SPARSEVLM_MODEL, or the bundled demo model. */
#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"

static const char *const demo_names[] = { "sparsevlm-demo-q8_0.gguf", "sparsevlm-demo-f16.gguf" };

enum { N_DEMO = sizeof demo_names / sizeof *demo_names };

static int out_of_memory(void)
{
    cli_note("no memory for a file name");
    return CLI_FAILED;
}

/* A new string; NULL without memory. */
static char *format(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *s = n < 0 ? NULL : malloc((size_t)n + 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return s;
}

/* "dir/" of path, "" when it has none. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash + 1 - path) : 0;
}

/* The mmproj file that lies beside a model: mmproj-NAME.gguf for NAME.gguf, else the only
 * mmproj*.gguf there is. *out stays NULL when there is none, or no telling which. */
static int find_mmproj(char **out, const char *model)
{
    int n_dir = folder_length(model), n_found = 0;
    if (!(*out = format("%.*smmproj-%s", n_dir, model, model + n_dir)))
        return out_of_memory();
    if (!access(*out, R_OK))
        return CLI_OK;
    free(*out);
    *out = NULL;
    char *folder = format("%.*s.", n_dir, model);
    if (!folder)
        return out_of_memory();
    DIR *dir = opendir(folder);
    free(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (fnmatch("*mmproj*.gguf", e->d_name, 0) || ++n_found > 1)
            continue;
        *out = format("%.*s%s", n_dir, model, e->d_name);
    }
    if (dir)
        closedir(dir);
    if (n_found > 1) {
        free(*out);
        *out = NULL;
    }
    return CLI_OK;
}

/* The file of a name in a folder beneath another, without dots; NULL if it is not there. */
static char *existing(const char *dir, int n_dir, const char *sub, const char *name)
{
    char *path = format("%.*s%s%s", n_dir, dir, sub, name);
    char *plain = path && !access(path, R_OK) ? realpath(path, NULL) : NULL;
    free(path);
    return plain;
}

/* Where the demo model may be: installed, or in the source tree around the program. */
static char *find_demo(void)
{
    static const char *const subs[] = { "models/", "../models/", "../../models/",
                                        "../share/sparsevlm/" };
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    int n_dir = folder_length(self);
    for (int i = 0; i < N_DEMO; i++) {
        char *found = NULL;
        for (size_t s = 0; n_dir && !found && s < sizeof subs / sizeof *subs; s++)
            found = existing(self, n_dir, subs[s], demo_names[i]);
        if (found || (found = existing(MODEL_DIR "/", sizeof MODEL_DIR, "", demo_names[i])))
            return found;
    }
    return NULL;
}

static int find_model(cli_files *f, const cli_options *o)
{
    const char *named = o->model ? o->model : getenv("SPARSEVLM_MODEL");
    if (named && *named) {
        f->model = format("%s", named);
        return f->model ? CLI_OK : out_of_memory();
    }
    if (!(f->model = find_demo()))
        return cli_usage(o->command, "no model: give one with -m, or set SPARSEVLM_MODEL");
    f->is_demo = 1;
    return CLI_OK;
}

int cli_find_files(cli_files *f, const cli_options *o)
{
    memset(f, 0, sizeof *f);
    int rc = find_model(f, o);
    if (!rc && o->mmproj)
        rc = (f->mmproj = format("%s", o->mmproj)) ? CLI_OK : out_of_memory();
    else if (!rc)
        rc = find_mmproj(&f->mmproj, f->model);
    if (!rc && !f->mmproj && o->n_inputs && !access(f->model, R_OK))
        rc = cli_usage(o->command, "%s has no mmproj file of its own beside it: give one with "
                       "--mmproj", f->model);
    if (rc)
        cli_files_free(f);
    return rc;
}

void cli_files_free(cli_files *f)
{
    free(f->model);
    free(f->mmproj);
    memset(f, 0, sizeof *f);
}
