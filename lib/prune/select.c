/* SPDX-License-Identifier: MIT */
/* Which rows stay: the best by score, with one rule for ties everywhere (score
 * descending, index ascending), and NaN below everything. */
#include "prune/parts.h"

#include <math.h>

/* Is row a to come before row b? A total order even when scores are NaN. */
static int before(const float *score, int32_t a, int32_t b)
{
    float x = score[a], y = score[b];
    if (isnan(x) != isnan(y))
        return isnan(y);
    if (isnan(x) || x == y)
        return a < b;
    return x > y;
}

/* Sinks order[at] until no child of it belongs behind it. */
static void sink(int32_t *order, int at, int n, const float *score)
{
    for (;;) {
        int child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && before(score, order[child], order[child + 1]))
            child++;
        if (!before(score, order[at], order[child]))
            return;
        int32_t t = order[at];
        order[at] = order[child];
        order[child] = t;
        at = child;
    }
}

/* Heapsort, because qsort may allocate. */
void sv_order_by_score(int32_t *order, const float *score, int n)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n / 2; i-- > 0;)
        sink(order, i, n, score);
    for (int end = n - 1; end > 0; end--) {
        int32_t last = order[0];
        order[0] = order[end];
        order[end] = last;
        sink(order, 0, end, score);
    }
}

void sv_share(int32_t *quota, int k, const int32_t *size, int n_buckets)
{
    int64_t total = 0, left = k;
    for (int b = 0; b < n_buckets; b++)
        total += size[b];
    for (int b = 0; b < n_buckets; b++) {
        quota[b] = total ? (int32_t)((int64_t)k * size[b] / total) : 0;
        left -= quota[b];
    }
    for (; total && left > 0; left--) {          /* fewer than n_buckets times */
        int best = 0;
        int64_t most = -1;
        for (int b = 0; b < n_buckets; b++) {
            int64_t remainder = (int64_t)k * size[b] - (int64_t)quota[b] * total;
            if (remainder > most) {
                most = remainder;
                best = b;
            }
        }
        quota[best]++;
    }
}

void sv_select(uint8_t *kept, const int32_t *order, int n, const int32_t *bucket, int32_t *quota)
{
    for (int i = 0; i < n; i++)
        if (kept[i] && quota[bucket ? bucket[i] : 0] > 0)
            quota[bucket ? bucket[i] : 0]--;
    for (int i = 0; i < n; i++) {
        int32_t row = order[i], *left = &quota[bucket ? bucket[row] : 0];
        if (!kept[row] && *left > 0) {
            kept[row] = 1;
            --*left;
        }
    }
}

int sv_energy_count(const int32_t *order, const float *score, int n, double share)
{
    double total = 0, sum = 0;
    for (int i = 0; i < n; i++)
        total += score[order[i]] > 0 ? score[order[i]] : 0;
    if (!(total > 0))
        return n;
    int k = 0;
    while (k < n && sum < share * total) {
        float s = score[order[k++]];
        sum += s > 0 ? s : 0;
    }
    return k;
}
