/* SPDX-License-Identifier: MIT */
/* Comparing figures with what is written in the goldens. */
#include "golden/check_goldens.h"

#include <math.h>

void differ(verdict *v, const char *fmt, ...)
{
    va_list ap;
    if (v->failed++)
        return;
    va_start(ap, fmt);
    vsnprintf(v->why, sizeof v->why, fmt, ap);
    va_end(ap);
}

void near(verdict *v, const char *figure, double got, double want, double bound)
{
    double ratio = fabs(got - want) / bound;
    if (!(ratio <= 1))
        differ(v, "%s is %.9g, expected %.9g within %.2g", figure, got, want, bound);
    if (!(ratio <= v->closest)) {
        v->closest = ratio;
        snprintf(v->figure, sizeof v->figure, "%s", figure);
    }
}

void near_all(verdict *v, const char *figure, const float *got, const float *want, size_t n,
              double bound)
{
    size_t worst = 0;
    for (size_t i = 1; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= fabs((double)got[worst] - want[worst])))
            worst = i;
    if (n)
        near(v, figure, got[worst], want[worst], bound);
}

int32_t *ints_of(const json_t *array, size_t *n)
{
    *n = json_array_size(array);
    int32_t *out = malloc((*n + 1) * sizeof *out);
    CHECK(out != NULL);
    for (size_t i = 0; i < *n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return out;
}

double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("a case lacks the number %s", key);
    return json_number_value(value);
}

void same_ints(verdict *v, const char *figure, const int32_t *got, size_t n, const json_t *want)
{
    size_t n_want;
    int32_t *w = ints_of(want, &n_want);
    if (n != n_want)
        differ(v, "%s: %zu values, expected %zu", figure, n, n_want);
    for (size_t i = 0; i < n && i < n_want; i++)
        if (got[i] != w[i]) {
            differ(v, "%s[%zu] is %d, expected %d", figure, i, (int)got[i], (int)w[i]);
            break;
        }
    free(w);
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

void same_set(verdict *v, const char *figure, const int32_t *got, size_t n, const json_t *want)
{
    size_t n_want;
    int32_t *w = ints_of(want, &n_want), *g = malloc((n + 1) * sizeof *g);
    CHECK(g != NULL);
    for (size_t i = 0; i < n; i++)
        g[i] = got[i];
    qsort(w, n_want, sizeof *w, by_value);
    qsort(g, n, sizeof *g, by_value);
    for (size_t i = 0; i < n || i < n_want; i++)
        if (n != n_want || g[i] != w[i]) {
            differ(v, "%s: not the same set (%zu values, expected %zu)", figure, n, n_want);
            break;
        }
    free(w);
    free(g);
}
