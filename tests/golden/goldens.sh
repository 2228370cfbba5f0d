#!/bin/sh
# SPDX-License-Identifier: MIT
# Every case of the golden data that came with the sources.
set -eu
[ -z "${SVLM_QUICK:-}" ] || exit 77         # minutes under an emulator
# shellcheck disable=SC2086
exec ${EMULATOR:-} "$top_builddir/tests/golden/check-goldens" "$SVLM_TEST_DATA/goldens" \
    "$SVLM_TEST_DATA/models" "$SVLM_TEST_DATA/images"
