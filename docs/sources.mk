# SPDX-License-Identifier: MIT
dist_man_MANS += docs/man/sparsevlm.1
