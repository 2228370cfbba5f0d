# SPDX-License-Identifier: MIT
dist_man_MANS += docs/man/sparsevlm.1
EXTRA_DIST += docs/BAD_INPUTS.md docs/KERNELS.md docs/PRUNING.md
EXTRA_DIST += docs/explain.png
