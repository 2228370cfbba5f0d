/* SPDX-License-Identifier: MIT */
/* The streaming writer: a header that grows in memory, then bytes to a temporary
 * file that is renamed at the end. */
#include "gguf/gguf_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum { ALIGNMENT = 32, MAX_NAME = 63 };

typedef struct buffer { uint8_t *p; size_t n, room; } buffer;

struct sv_gguf_writer {
    char *path, *temporary;       /* temporary: NULL when there is nothing to remove */
    FILE *file;
    int no_memory;                /* while putting                         */
    uint64_t n_keys;
    buffer keys;                  /* as they will lie in the file          */
    sv_gguf_tensor *tensors;
    char **names;                 /* the tensors', owned                   */
    size_t n_tensors, room;
    int header_written;
    size_t at;                    /* tensor that receives data             */
    uint64_t done;                /* its bytes so far                      */
};

/* ---- creation and end ------------------------------------------------------ */

/* "path.PID.part": in the same folder, so that rename cannot cross file systems. */
static char *temporary_name(const char *path)
{
    size_t n = strlen(path) + 32;
    char *s = sv_malloc(SV_MEM_TEMP, n, 1);
    if (s)
        snprintf(s, n, "%s.%ld.part", path, (long)getpid());
    return s;
}

static svlm_status open_temporary(sv_gguf_writer *w, svlm_error *err)
{
    int fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 && (w->file = fdopen(fd, "wb")))
        return SVLM_OK;
    svlm_status st =
        sv_fail(err, SVLM_ERR_IO, "cannot create %s: %s", w->temporary, strerror(errno));
    if (fd >= 0)
        close(fd);
    return st;
}

svlm_status sv_gguf_create(sv_gguf_writer **out, const char *path, svlm_error *err)
{
    svlm_status st;
    *out = NULL;
    sv_gguf_writer *w = sv_calloc(SV_MEM_TEMP, 1, sizeof *w);
    if (!w || !(w->path = sv_strdup(SV_MEM_TEMP, path)) || !(w->temporary = temporary_name(path)))
        st = sv_fail(err, SVLM_ERR_NOMEM, "no memory to write %s", path);
    else
        st = open_temporary(w, err);
    if (st)
        sv_gguf_discard(w);
    else
        *out = w;
    return st;
}

void sv_gguf_discard(sv_gguf_writer *w)
{
    if (!w)
        return;
    if (w->file) {
        fclose(w->file);
        unlink(w->temporary);
    }
    for (size_t i = 0; i < w->n_tensors; i++)
        sv_free(w->names[i]);
    sv_free(w->names);
    sv_free(w->tensors);
    sv_free(w->keys.p);
    sv_free(w->temporary);
    sv_free(w->path);
    sv_free(w);
}

/* ---- keys ------------------------------------------------------------------ */

static void append(sv_gguf_writer *w, const void *p, size_t n)
{
    buffer *b = &w->keys;
    if (w->no_memory || !n)
        return;
    if (n > b->room - b->n) {
        size_t room = b->room * 2 + n + 1024;
        uint8_t *grown = sv_realloc(SV_MEM_TEMP, b->p, room, 1);
        if (!grown) {
            w->no_memory = 1;
            return;
        }
        b->p = grown;
        b->room = room;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void append_le(sv_gguf_writer *w, uint64_t v, int n_bytes)
{
    uint8_t b[8];
    for (int i = 0; i < n_bytes; i++)
        b[i] = (uint8_t)(v >> 8 * i);
    append(w, b, (size_t)n_bytes);
}

static void append_text(sv_gguf_writer *w, const char *p, size_t n)
{
    append_le(w, n, 8);
    append(w, p, n);
}

static void begin_key(sv_gguf_writer *w, const char *key, uint32_t type)
{
    assert(!w->header_written);
    w->n_keys++;
    append_text(w, key, strlen(key));
    append_le(w, type, 4);
}

static void begin_array(sv_gguf_writer *w, const char *key, uint32_t type, uint64_t n)
{
    begin_key(w, key, SV_GGUF_ARRAY);
    append_le(w, type, 4);
    append_le(w, n, 8);
}

void sv_gguf_put_u32(sv_gguf_writer *w, const char *key, uint32_t v)
{
    begin_key(w, key, SV_GGUF_U32);
    append_le(w, v, 4);
}

void sv_gguf_put_f32(sv_gguf_writer *w, const char *key, float v)
{
    begin_key(w, key, SV_GGUF_F32);
    append(w, &v, sizeof v);
}

void sv_gguf_put_bool(sv_gguf_writer *w, const char *key, int v)
{
    begin_key(w, key, SV_GGUF_BOOL);
    append_le(w, v != 0, 1);
}

void sv_gguf_put_str(sv_gguf_writer *w, const char *key, const char *text)
{
    begin_key(w, key, SV_GGUF_STR);
    append_text(w, text, strlen(text));
}

void sv_gguf_put_array(sv_gguf_writer *w, const char *key, sv_gguf_type type, const void *v,
                       size_t n)
{
    begin_array(w, key, type, n);
    append(w, v, n * sv_gguf_type_bytes(type));
}

void sv_gguf_put_strings(sv_gguf_writer *w, const char *key, const sv_span *texts, size_t n)
{
    begin_array(w, key, SV_GGUF_STR, n);
    for (size_t i = 0; i < n; i++)
        append_text(w, texts[i].p, texts[i].n);
}

void sv_gguf_put_copy(sv_gguf_writer *w, const struct sv_gguf_key *k)
{
    w->n_keys++;
    append_text(w, k->name.p, k->name.n);
    append_le(w, k->type, 4);
    if (k->type == SV_GGUF_ARRAY) {
        append_le(w, k->value.type, 4);
        append_le(w, k->value.n, 8);
    }
    append(w, k->value.data, (size_t)(k->value.end - k->value.data));
}

/* ---- tensors --------------------------------------------------------------- */

static int grow_tensors(sv_gguf_writer *w)
{
    if (w->n_tensors < w->room)
        return 1;
    size_t room = w->room * 2 + 64;
    void *tensors = sv_realloc(SV_MEM_TEMP, w->tensors, room, sizeof *w->tensors);
    if (tensors)
        w->tensors = tensors;
    void *names = sv_realloc(SV_MEM_TEMP, w->names, room, sizeof *w->names);
    if (names)
        w->names = names;
    if (!tensors || !names)
        return 0;
    w->room = room;
    return 1;
}

void sv_gguf_put_tensor(sv_gguf_writer *w, const char *name, sv_type type, int n_dims,
                        const uint64_t *dim)
{
    assert(!w->header_written && strlen(name) <= MAX_NAME && n_dims >= 1 && n_dims <= 4);
    char *copy = sv_strdup(SV_MEM_TEMP, name);
    if (!copy || !grow_tensors(w)) {
        sv_free(copy);
        w->no_memory = 1;
        return;
    }
    sv_gguf_tensor t = { .name = copy, .n_dims = n_dims, .dim = { 1, 1, 1, 1 }, .type = type };
    size_t n = 1;
    for (int i = 0; i < n_dims; i++)
        n *= (size_t)(t.dim[i] = dim[i]);
    t.n_bytes = sv_type_bytes(type, n);
    w->names[w->n_tensors] = copy;
    w->tensors[w->n_tensors++] = t;
}

size_t sv_gguf_n_tensors(const sv_gguf_writer *w)
{
    return w->n_tensors;
}

const sv_gguf_tensor *sv_gguf_tensor_at(const sv_gguf_writer *w, size_t i)
{
    return &w->tensors[i];
}

/* ---- bytes ----------------------------------------------------------------- */

static uint64_t padding(uint64_t n)
{
    return (ALIGNMENT - n % ALIGNMENT) % ALIGNMENT;
}

static svlm_status emit(sv_gguf_writer *w, const void *p, size_t n, svlm_error *err)
{
    if (n && fwrite(p, 1, n, w->file) != n)
        return sv_fail(err, SVLM_ERR_IO, "cannot write %s: %s", w->path, strerror(errno));
    return SVLM_OK;
}

static svlm_status emit_padding(sv_gguf_writer *w, uint64_t n, svlm_error *err)
{
    static const uint8_t zeros[ALIGNMENT];
    return emit(w, zeros, (size_t)padding(n), err);
}

/* The tensor table follows the keys in the same buffer; magic and counts go first. */
static svlm_status write_header(sv_gguf_writer *w, svlm_error *err)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < w->n_tensors; i++) {
        const sv_gguf_tensor *t = &w->tensors[i];
        append_text(w, t->name, strlen(t->name));
        append_le(w, (uint64_t)t->n_dims, 4);
        for (int k = 0; k < t->n_dims; k++)
            append_le(w, t->dim[k], 8);
        append_le(w, t->type, 4);
        append_le(w, offset, 8);
        offset += t->n_bytes + padding(t->n_bytes);
    }
    if (w->no_memory)
        return sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for the header", w->path);
    uint8_t head[24] = { 'G', 'G', 'U', 'F', 3 };
    for (int i = 0; i < 8; i++) {
        head[8 + i] = (uint8_t)((uint64_t)w->n_tensors >> 8 * i);
        head[16 + i] = (uint8_t)(w->n_keys >> 8 * i);
    }
    w->header_written = 1;
    svlm_status st;
    if ((st = emit(w, head, sizeof head, err)) ||
        (st = emit(w, w->keys.p, w->keys.n, err)) ||
        (st = emit_padding(w, sizeof head + w->keys.n, err)))
        return st;
    return SVLM_OK;
}

svlm_status sv_gguf_write(sv_gguf_writer *w, const void *data, size_t n, svlm_error *err)
{
    svlm_status st;
    if (!w->header_written && (st = write_header(w, err)))
        return st;
    assert(w->at < w->n_tensors && n <= w->tensors[w->at].n_bytes - w->done);
    if ((st = emit(w, data, n, err)))
        return st;
    w->done += n;
    if (w->done < w->tensors[w->at].n_bytes)
        return SVLM_OK;
    st = emit_padding(w, w->done, err);
    w->done = 0;
    w->at++;
    return st;
}

svlm_status sv_gguf_commit(sv_gguf_writer *w, svlm_error *err)
{
    svlm_status st;
    if (!w->header_written && (st = write_header(w, err)))
        return st;
    assert(w->at == w->n_tensors);
    if (fflush(w->file) || fsync(fileno(w->file)) || rename(w->temporary, w->path))
        return sv_fail(err, SVLM_ERR_IO, "cannot write %s: %s", w->path, strerror(errno));
    fclose(w->file);              /* nothing is left to write that could fail */
    w->file = NULL;
    return SVLM_OK;
}
