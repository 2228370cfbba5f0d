#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples run, and do what they are there to show.
set -eu
cd "$top_builddir/examples"
t1=$SVLM_TEST_DATA/models/t1/t1-f16.gguf
mmproj=$SVLM_TEST_DATA/models/t1/mmproj-t1-f16.gguf
picture=$SVLM_TEST_DATA/images/square224.png
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

./describe "$t1" "$mmproj" "$picture" "What is it?" > "$dir/c"
./describe_cxx "$t1" "$mmproj" "$picture" "What is it?" > "$dir/cxx"
[ -s "$dir/c" ]
cmp "$dir/c" "$dir/cxx"
if ./describe "$t1" "$mmproj" /nonexistent.png "What is it?" 2> "$dir/err"; then exit 1; fi
grep -q /nonexistent.png "$dir/err"

./many_questions "$t1" "$mmproj" "$picture" "What is it?" "Where is it?" > "$dir/many"
[ "$(grep -c 'known to the first layers' "$dir/many")" = 2 ]
[ "$(grep -c ' 0 of them known' "$dir/many")" = 1 ]         # the first question only

printf 'What is it?\nAnd where?\n' | ./chat "$t1" "$mmproj" "$picture" > "$dir/chat"
[ "$(wc -l < "$dir/chat")" -ge 2 ]

./my_hook "$t1" "$mmproj" "$picture" "What is it?" > "$dir/hook"
grep -q '^288 of 576 visual rows enter layer 3$' "$dir/hook"

if [ -x ../tests/make_clip ]; then
    ../tests/make_clip "$dir/clip.mp4"
    t2=$SVLM_TEST_DATA/models/t2                            # eight times 256 rows
    ./video "$t2/t2-f16.gguf" "$t2/mmproj-t2-f16.gguf" "$dir/clip.mp4" "What happens?" > "$dir/video"
    [ -s "$dir/video" ]
    if ./video "$t1" "$mmproj" "$picture" "What happens?" 2> "$dir/err"; then exit 1; fi
    grep -q 'is a PNG picture' "$dir/err"
else
    if ./video "$t1" "$mmproj" "$picture" "What happens?" 2> "$dir/err"; then exit 1; fi
    grep -q 'built without video' "$dir/err"
fi
