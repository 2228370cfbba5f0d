# SPDX-License-Identifier: MIT
dist_man_MANS += docs/man/sparsevlm.1
EXTRA_DIST += docs/ARCHITECTURE.md docs/BAD_INPUTS.md docs/KERNELS.md docs/PRUNING.md docs/SPEED.md \
	docs/TESTING.md HACKING.md NEWS
EXTRA_DIST += docs/explain.png docs/rates.svg
