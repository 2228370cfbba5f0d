/* SPDX-License-Identifier: MIT */
/* Writes a GGUF file (version 3) as a stream: first all keys, then the names and
 * shapes of all tensors, then their bytes in that order. Only the header is held
 * in memory. The file has a temporary name until it is complete. */
#ifndef SV_GGUF_WRITE_H
#define SV_GGUF_WRITE_H

#include "gguf/gguf_read.h"

typedef struct sv_gguf_writer sv_gguf_writer;

/* Creates the temporary file beside path. */
svlm_status sv_gguf_create(sv_gguf_writer **out, const char *path, svlm_error *err);
/* Removes the temporary file unless the writer was committed. NULL is fine. */
void sv_gguf_discard(sv_gguf_writer *w);

/* Keys and tensors, before the first sv_gguf_write. A failure here (no memory) is
 * kept and reported by sv_gguf_write or sv_gguf_commit. A name put twice would make
 * a file that readers refuse. */
void sv_gguf_put_u32(sv_gguf_writer *w, const char *key, uint32_t v);
void sv_gguf_put_f32(sv_gguf_writer *w, const char *key, float v);
void sv_gguf_put_bool(sv_gguf_writer *w, const char *key, int v);
void sv_gguf_put_str(sv_gguf_writer *w, const char *key, const char *text);
/* n numbers of a type, little-endian as in memory. */
void sv_gguf_put_array(sv_gguf_writer *w, const char *key, sv_gguf_type type, const void *v,
                       size_t n);
void sv_gguf_put_strings(sv_gguf_writer *w, const char *key, const sv_span *texts, size_t n);
/* A key of another file, as it is there. */
void sv_gguf_put_copy(sv_gguf_writer *w, const struct sv_gguf_key *k);
/* dim[0] is the innermost and a multiple of the type's block. */
void sv_gguf_put_tensor(sv_gguf_writer *w, const char *name, sv_type type, int n_dims,
                        const uint64_t *dim);

/* The tensors put so far, in order; data is NULL. */
size_t sv_gguf_n_tensors(const sv_gguf_writer *w);
const sv_gguf_tensor *sv_gguf_tensor_at(const sv_gguf_writer *w, size_t i);

/* The next n bytes of the tensors' data, cut wherever the caller likes within a
 * tensor. Padding between tensors comes by itself. */
svlm_status sv_gguf_write(sv_gguf_writer *w, const void *data, size_t n, svlm_error *err);
/* Everything is there: gives the file its name, replacing an older one. */
svlm_status sv_gguf_commit(sv_gguf_writer *w, svlm_error *err);

#endif
