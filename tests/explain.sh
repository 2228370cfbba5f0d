#!/bin/sh
# SPDX-License-Identifier: MIT
# sparsevlm explain: for every method a page a stage and an overview, and lists that agree.
set -eu
cd "$top_builddir"
t1=$SVLM_TEST_DATA/models/t1/t1-f16.gguf
t2=$SVLM_TEST_DATA/models/t2/t2-f16.gguf            # 256 patches: quicker than t1
t2_tower=$SVLM_TEST_DATA/models/t2/mmproj-t2-f16.gguf
t3=$SVLM_TEST_DATA/models/t3/t3-f32.gguf
image=$SVLM_TEST_DATA/images
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset SPARSEVLM_MODEL || true
get() { tests/json_get "$@" < "$dir/json"; }

# Width and height of a PNG file, from its header.
size_of() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }'; }

for method in sparsevlm sparsevlm+ rank paper energy random uniform fastv pdrop divprune \
              visionzip; do
    ./sparsevlm explain -m "$t2" --mmproj "$t2_tower" --prune $method --json -o "$dir/$method" \
        "$image/square224.png" "What is it?" > "$dir/json"
    [ "$(get method)" = $method ]
    [ -s "$dir/$method-all.png" ]
    [ "$(get files 0)" = "$dir/$method-all.png" ]
    [ -s "$(get files 1)" ]
    { get stages 0 keep; echo; } | tr -d '[]' | tr ',' '\n' > "$dir/keep"
    sort -n -u "$dir/keep" | cmp - "$dir/keep"                  # ascending, none twice
    [ "$(wc -l < "$dir/keep")" -lt 256 ]
    [ "$({ get stages 0 in_origin; echo; } | tr ',' '\n' | wc -l)" = 256 ]
    set -- $(size_of "$(get files 1)")
    [ "$1" -ge 900 ] && [ "$2" -ge 500 ]
done

# Three stages, each a page; the words are those of the question.
./sparsevlm explain -m "$t1" --prune-layers 2,6,15 --keep 300,200,100 --json -o "$dir/page" \
    "$image/square224.png" "What is it?" \
    > "$dir/json"
for layer in 2 6 15; do
    [ -s "$dir/page-layer$layer.png" ]
done
[ "$(get stages 2 layer)" = 15 ]
if get stages 3 2> "$dir/err"; then exit 1; fi
get text | grep -q '"rater":true'

# Two pictures in tiles: a view each for the whole and the detail, one below the other.
./sparsevlm explain -m "$t3" -o "$dir/two" "$image/wide.png" "$image/tall.png" "What?" > "$dir/out"
head -n 1 "$dir/out" | grep -q '^.*/two-all.png$'
set -- $(size_of "$(sed -n 2p "$dir/out")")
[ "$2" -ge 1200 ]

# Nothing to draw, nowhere to draw it: said, and nothing left behind.
fails() {
    want=$1
    shift
    rc=0
    ./sparsevlm explain "$@" > "$dir/out" 2> "$dir/err" || rc=$?
    [ $rc = "$want" ] && [ -s "$dir/err" ]
}
fails 2 -m "$t1" --prune none "$image/square224.png" "What is it?"
fails 2 -m "$t1" -p "What is it?"
fails 3 -m "$t1" "$dir/none.png" "What is it?"
fails 1 -m "$t1" -o "$dir/no/such/folder" "$image/square224.png" "What is it?"
if [ -e /dev/full ]; then
    rc=0
    ./sparsevlm explain -m "$t1" -o "$dir/full" "$image/square224.png" "What is it?" \
        > /dev/full 2> "$dir/err" || rc=$?
    [ $rc = 1 ]
fi
[ -z "$(find "$dir" -name '*.part')" ]
