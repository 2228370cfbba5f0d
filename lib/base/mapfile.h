/* SPDX-License-Identifier: MIT */
/* A file's bytes, mapped read-only or read into memory. */
#ifndef SV_MAPFILE_H
#define SV_MAPFILE_H

#include "base/status.h"

typedef struct sv_map {
    const uint8_t *data;
    size_t size;
    char *path;
    int is_copy;                  /* read into memory, not mapped */
    int fd;                       /* kept open while mapped, else -1 */
} sv_map;

/* Regular files only; never blocks on a FIFO. *map is all zero after a failure. */
svlm_status sv_map_file(sv_map *map, const char *path, int read_into_memory, svlm_error *err);
/* IO if the mapped file has become shorter since. */
svlm_status sv_map_check(const sv_map *map, svlm_error *err);
/* The bytes from p on will not be needed soon: their memory may serve others. */
void sv_map_release(const sv_map *map, const void *p, size_t n);
void sv_map_close(sv_map *map);   /* all zero is fine */

#endif
