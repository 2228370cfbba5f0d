/* SPDX-License-Identifier: MIT */
/* The published accounting of one layer: projections, attention, feed-forward. */
#include <sparsevlm/prune.h>

double svlm_layer_macs(double n_rows, double n_embd, double n_ff, double kv_share)
{
    return 2 * (1 + kv_share) * n_rows * n_embd * n_embd + 2 * n_rows * n_rows * n_embd +
           3 * n_rows * n_embd * n_ff;
}
