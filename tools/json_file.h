/* SPDX-License-Identifier: MIT */
/* JSON files of a checkpoint: hostile until proven otherwise. */
#ifndef TOOLS_JSON_FILE_H
#define TOOLS_JSON_FILE_H

#include <jansson.h>

#include "base/mapfile.h"

/* "folder/name", to be freed with sv_free; NULL without memory. */
char *sv_path_join(const char *folder, const char *name);

/* n bytes as one object: no double keys, valid UTF-8, numbers that fit. */
svlm_status sv_json_parse(json_t **out, const void *text, size_t n, const char *path,
                          svlm_error *err);
/* folder/name. *out is NULL with OK when it does not exist and is optional. */
svlm_status sv_json_load(json_t **out, const char *folder, const char *name, int optional,
                         svlm_error *err);

/* Reads members of an object and keeps the first failure. */
typedef struct sv_json_reader {
    const json_t *object;         /* NULL: everything is absent */
    const char *path;             /* for messages               */
    svlm_status status;
    svlm_error *err;
} sv_json_reader;

/* fallback when absent or null. A wrong type or a value outside min..max is a failure. */
int sv_json_int(sv_json_reader *r, const char *key, int fallback, int min, int max);
double sv_json_real(sv_json_reader *r, const char *key, double fallback);
int sv_json_bool(sv_json_reader *r, const char *key, int fallback);
/* Lives as long as the object; fallback may be NULL. */
const char *sv_json_text(sv_json_reader *r, const char *key, const char *fallback);

#endif
