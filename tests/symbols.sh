#!/bin/sh
# The shared library exports exactly the names of tests/symbols.txt; every global name of the
# static parts begins with svlm_ or sv_.
set -u
nm=${NM:-nm}
so=$top_builddir/.libs/libsparsevlm.so
list=$top_srcdir/tests/symbols.txt
bad=0
if [ -f "$so" ]; then
    $nm -D --defined-only "$so" | awk '$2 ~ /[TDBRVW]/ { print $3 }' | grep -v '^_' | sort >symbols.got
    sort "$list" | diff - symbols.got >symbols.diff || {
        echo "exported names differ from tests/symbols.txt (< listed, > exported):"
        cat symbols.diff
        bad=1
    }
    rm -f symbols.got symbols.diff
fi
other=$($nm -g --defined-only "$top_builddir/.libs/libcore.a" 2>/dev/null \
    | awk 'NF == 3 && $2 ~ /[TDBRC]/ { print $3 }' | grep -vE '^(sv_|svlm_|_|\.)')
if [ -n "$other" ]; then
    echo "global names without our prefix: $other"
    bad=1
fi
exit $bad
