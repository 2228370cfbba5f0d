#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo model answers questions about clips of a shape that changes colour: about one
# second of them, and about all frames in one prompt with one budget for their rows.
set -u
bin=$top_builddir/sparsevlm
demo=$top_srcdir/models/sparsevlm-demo-q8_0.gguf
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
clip=$dir/clip.mp4
n_bad=0
[ -x "$top_builddir/tests/make_clip" ] || exit 77          # built without video

# is ANSWER QUESTION OPTIONS...: about the clip
is() {
    want=$1 question=$2
    shift 2
    got=$("$bin" ask -t 1 -m "$demo" --video "$clip" -p "$question" "$@" 2> "$dir/err")
    [ "$got" = "$want" ] && return
    n_bad=$((n_bad + 1))
    echo "FAILED: \"$got\" instead of \"$want\": $question $*"
    sed 's/^/    /' "$dir/err"
}

# about SHAPE COLOR THEN NEVER: a clip of it, a second each
about() {
    "$top_builddir/tests/make_clip" "$clip" white "$1:$2" "$1:$3" || exit 99
    is "$2" "What color is the $1?" --start 0 --end 1 --frames 1
    is "$3" "What color is the $1?" --start 1 --end 2 --frames 1
    is "$3" "What color is the $1?" --frames 2 --prune none
    for prune in sparsevlm none; do
        is yes "Is there a $2 $1?" --frames 2 --prune $prune
        is yes "Is there a $3 $1?" --frames 2 --prune $prune
        is no "Is there a $4 $1?" --frames 2 --prune $prune
    done
}

about circle red blue green
about square yellow purple red
about triangle black pink blue

[ $n_bad -eq 0 ]
