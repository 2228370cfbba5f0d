/* SPDX-License-Identifier: MIT */
/* Reading the golden data. */
#include "golden.h"

#include <errno.h>

const char *golden_path(const char *fmt, ...)
{
    static char text[2][1024];
    static int turn;
    const char *root = getenv("SVLM_TEST_DATA");
    char *to = text[turn ^= 1];
    int n = snprintf(to, sizeof text[0], "%s/", root ? root : "tests/data");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(to + n, sizeof text[0] - (size_t)n, fmt, ap);
    va_end(ap);
    return to;
}

void *golden_read(const char *path, size_t *n_bytes)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s: %s", path, strerror(errno));
    CHECK(!fseek(f, 0, SEEK_END));
    long n = ftell(f);
    CHECK(n >= 0);
    rewind(f);
    char *p = malloc((size_t)n + 1);
    CHECK(p && fread(p, 1, (size_t)n, f) == (size_t)n);
    p[n] = 0;
    fclose(f);
    *n_bytes = (size_t)n;
    return p;
}

json_t *golden_json(const char *path)
{
    json_error_t e;
    json_t *j = json_load_file(path, 0, &e);
    if (!j)
        fail_msg("%s:%d: %s", path, e.line, e.text);
    return j;
}

/* The header is a Python dictionary in a fixed order, padded with spaces. */
npy golden_npy(const char *path)
{
    npy a = { .n = 1 };
    size_t n_bytes, at;
    unsigned char *p = a.owned = golden_read(path, &n_bytes);
    CHECK(n_bytes > 10 && !memcmp(p, "\x93NUMPY\1\0", 8));
    at = 10 + p[8] + 256u * p[9];
    CHECK(at <= n_bytes);
    char *head = (char *)p + 10, *s = strstr(head, "'descr': '"), *d = strstr(head, "'shape': (");
    CHECK(s && d && !memcmp(strstr(head, "'fortran_order': ") + 17, "False", 5));
    a.type = s[11];
    CHECK(!memcmp(s + 10, "<f4'", 4) || !memcmp(s + 10, "|u1'", 4));
    for (d += 10; *d != ')';) {
        CHECK(a.n_dims < 4);
        a.dim[a.n_dims] = strtoul(d, &d, 10);
        a.n *= a.dim[a.n_dims++];
        d += strspn(d, ", ");
    }
    CHECK(n_bytes - at == a.n * (a.type == 'f' ? 4 : 1));
    if (a.type == 'f') {                        /* the data starts at a multiple of 64 */
        a.f = (const float *)(const void *)(p + at);
        CHECK(at % sizeof(float) == 0);
    } else {
        a.u = p + at;
    }
    return a;
}

void npy_free(npy *a)
{
    free(a->owned);
    memset(a, 0, sizeof *a);
}
