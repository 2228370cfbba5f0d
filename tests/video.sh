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

# In plain C a question takes ten seconds: two will do.
case $("$bin" info -m "$demo" 2> "$dir/err") in
*'kernels   c,'*) is_slow=1 ;;
*) is_slow= ;;
esac

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
    [ -z "$is_slow" ] || return 0
    is "$3" "What color is the $1?" --frames 2 --prune none
    for prune in sparsevlm none; do
        is yes "Is there a $2 $1?" --frames 2 --prune $prune
        is yes "Is there a $3 $1?" --frames 2 --prune $prune
        is no "Is there a $4 $1?" --frames 2 --prune $prune
    done
}

if [ -z "$is_slow" ]; then
    about square yellow purple red
    about triangle black pink blue
fi
about circle red blue green
[ -z "$is_slow" ] || exit $((n_bad > 0))

bad() {
    n_bad=$((n_bad + 1))
    echo "FAILED: $*"
}

# number ARGS...: an item of the last --json
get=$top_builddir/tests/json_get
number() { "$get" "$@" < "$dir/json"; }
json() { "$bin" ask -t 1 -m "$demo" --video "$clip" -p "Is it red?" "$@" --json > "$dir/json"; }

# the budget, frame by frame: two frames and what was merged of each make up all visual rows
json --frames 2
for layer in 0 1 2 7; do
    sum=0
    for span in 0 1 2 3; do sum=$((sum + $(number spans $span rows_in $layer))); done
    [ $sum = "$(number visual_in $layer)" ] || bad "layer $layer: $sum rows in spans"
done
[ "$(number visual_in 0)" = 1152 ] || bad "not 1152 visual rows in two frames"
[ "$(number spans 2 n_rows)" = 576 ] || bad "not 576 rows in the second frame"
[ "$(number spans 2 seconds)" = 1.0 ] || bad "the second frame is not shown at 1.0 s"
[ "$(number spans 2 rows_in 7)" -lt 400 ] || bad "the second frame was not pruned"
rows=$(number n_prompt)
json --frames 2 --frame-times
[ "$(number n_prompt)" -gt $((rows + 10)) ] || bad "--frame-times adds no words"
rows=$(number spans)
json --frames 2 --frame-times --raters-between
[ "$(number spans)" != "$rows" ] || bad "--raters-between changes nothing"
"$bin" ask -m "$demo" --video "$clip" -p "Is it red?" --frames 2 -t 1 --stats 2> "$dir/err" > "$dir/out"
grep -q '^    2 at 1.00 s: 576, .* from layer 1' "$dir/err" || bad "--stats does not tell of frame 2"

# frames by default: no more than fit
json && [ "$(number n_visual)" = $((3 * 576)) ] || bad "not 3 frames in a context of 2048"
json -c 1100 && [ "$(number n_visual)" = 576 ] || bad "not 1 frame in a context of 1100"

# progress by frame, where standard error is a terminal
if command -v script > /dev/null; then
    script -qec "'$bin' ask -t 1 -m '$demo' '$clip' what --frames 2 -n 1" /dev/null < /dev/null > "$dir/out"
    grep -q '1 of 2 .*2 of 2 ' "$dir/out" || bad "no progress by frame"
fi

[ $n_bad -eq 0 ]
