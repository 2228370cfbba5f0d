#!/bin/sh
# SPDX-License-Identifier: MIT
# The installed program: exit codes, messages, JSON, stdin, signals, full disk, closed pipe.
set -u
bin=$top_builddir/sparsevlm
get=$top_builddir/tests/json_get
t1=$SVLM_TEST_DATA/models/t1/t1-f16.gguf            # its only mmproj file lies beside it
mm1=$SVLM_TEST_DATA/models/t1/mmproj-t1-f16.gguf
cat=$SVLM_TEST_DATA/images/square224.png
man=$top_srcdir/docs/man/sparsevlm.1
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
unset SPARSEVLM_MODEL
n_bad=0

bad() {
    n_bad=$((n_bad + 1))
    echo "FAILED: $*"
    sed 's/^/    /' "$dir/err"
}

# run CODE ARGS...: stdout and stderr to files, and the exit code must be CODE.
run() {
    want=$1
    shift
    "$bin" "$@" > "$dir/out" 2> "$dir/err" < "${stdin:-/dev/null}"
    rc=$?
    [ $rc -eq "$want" ] || bad "exit code $rc instead of $want: $*"
}

# say WORD: stderr is one line with WORD in it.
say() {
    [ "$(wc -l < "$dir/err")" -eq 1 ] || bad "not one line on stderr"
    grep -qF -e "$1" "$dir/err" || bad "no \"$1\" on stderr"
}

# usage, and options that are wrong
run 2
run 0 --help
run 0 --version
run 2 nonsense
say nonsense
for command in ask chat info eval bench explain convert quantize; do
    run 0 $command --help
    [ "$(wc -l < "$dir/out")" -le 24 ] || bad "$command --help is longer than a screen"
    [ "$(wc -L < "$dir/out")" -le 80 ] || bad "$command --help is wider than a screen"
    for option in $(grep -oE -e '--[a-z][a-z0-9-]*' "$dir/out" | sort -u); do
        sed 's/\\-/-/g' "$man" | grep -qE -e "$option( |\$|\")" || bad "$option of $command is not in the man page"
    done
    run 2 $command --no-such-option
    say --no-such-option
    run 2 $command -m
    say -m
    for n in 0 -1 x 1.5 99999999999; do
        run 2 $command -t $n
        say threads
    done
done
run 2 ask -m "$t1" "$cat" what --retain -5
say retain
run 2 ask -m "$t1" "$cat" what --temp nan
say temp
run 2 ask -m "$t1" "$cat" what --keep 3,2 --prune-layers 1
say prune-layers
run 2 ask -m "$t1" "$cat" what --keep 3,x --prune-layers 1,2
say keep
run 2 ask -m "$t1" "$cat" what --prune nonsense
say nonsense
run 2 ask -m "$t1" "$cat" what --positions nonsense
say nonsense
for option in lambda scale bias energy min-keep max-keep; do
    run 2 ask -m "$t1" "$cat" what --$option 1
    say "--$option goes with --prune"
done
for value in "lambda 1.5" "energy -0.1" "scale nan" "min-keep -1" "max-keep x"; do
    run 2 ask -m "$t1" "$cat" what --prune paper --$value
    say "--${value% *}"
done
run 2 ask -m "$t1" "$cat" what --prune energy --min-keep 5 --max-keep 4
say min_keep
run 2 ask -m "$t1" "$cat"
say question
run 2 ask -m "$t1" --template nonsense "$cat" what
say vicuna_v1

# files that cannot be used
run 3 ask -m "$dir/none.gguf" "$cat" what
say none.gguf
run 3 ask -m "$t1" "$dir/none.png" what
say none.png
run 3 ask -m "$t1" "$0" what
say cli.sh
run 3 ask -m "$cat" --mmproj "$mm1" "$cat" what
say square224.png
run 2 ask -m "$mm1" --mmproj "$t1" "$cat" what
say "not a language model"
run 3 eval -m "$t1" "$dir"
say questions.jsonl
cp "$t1" "$dir/alone.gguf"
run 2 ask -m "$dir/alone.gguf" "$cat" what
say --mmproj

# answers
run 0 ask -m "$t1" "$cat" "what is it?" -n 12 --precise
say "pruning: "
cp "$dir/out" "$dir/answer"
[ -s "$dir/answer" ] || bad "no answer"
run 0 ask -m "$t1" --mmproj "$mm1" --image "$cat" -p "what is it?" -n 12 --precise
cmp -s "$dir/out" "$dir/answer" || bad "named options give another answer"
printf 'what is it?\n' > "$dir/question"
stdin=$dir/question
run 0 ask -m "$t1" "$cat" - -n 12 --precise
cmp -s "$dir/out" "$dir/answer" || bad "the question from stdin gives another answer"
stdin=
run 2 ask -m "$t1" "$cat" -
say stdin
run 0 ask -m "$t1" "$cat" "what is it?" -n 12 --precise --prune none
[ ! -s "$dir/err" ] || bad "words on stderr without pruning"
run 0 ask -m "$t1" "$cat" "$cat" "what are they?" -n 2 --retain 64 -sys "" --template vicuna_v1
run 0 ask -m "$t1" "no picture" -n 2
run 0 ask -m "$t1" "$cat" "what is it?" -n 4 --stats
grep -q 'first word after' "$dir/err" || bad "no times with --stats"
SPARSEVLM_MODEL=$t1 "$bin" ask "$cat" "what is it?" -n 12 --precise > "$dir/out" 2> "$dir/err"
cmp -s "$dir/out" "$dir/answer" || bad "SPARSEVLM_MODEL is not used"
run 1 ask -m "$t1" "$cat" "what is it?" -c 64
say 64

# JSON
run 0 ask -m "$t1" "$cat" "what is it?" -n 12 --precise --json
"$get" answer < "$dir/out" | cmp -s - "$dir/answer" || bad "the answer differs with --json"
[ "$("$get" visual_in 0 < "$dir/out")" = 576 ] || bad "not 576 visual tokens in --json"
[ "$("$get" n_visual < "$dir/out")" = 576 ] || bad "not 576 visual tokens in --json"
[ ! -s "$dir/err" ] || bad "words on stderr with --json"
# options of pruning, by what is left: of two pictures, after the last of 18 layers
left() {
    run 0 ask -m "$t1" "$cat" "$SVLM_TEST_DATA/images/photo.jpg" "what are they?" -n 1 --json "$@"
    [ "$("$get" n_visual < "$dir/out")" = 1152 ] || bad "not two pictures"
    first=$(span 0) first_merged=$(span 1) second=$(span 2) second_merged=$(span 3)
    all=$((first + first_merged + second + second_merged))
}
untimed() { sed 's/"seconds".*//'; }
span() { "$get" spans "$1" rows_in 18 < "$dir/out"; }

left --per-image
[ $((first + first_merged - second - second_merged)) -le 4 ] &&
    [ $((second + second_merged - first - first_merged)) -le 4 ] || bad "--per-image: uneven shares"
left --no-recycle
[ $first_merged -eq 0 ] && [ $second_merged -eq 0 ] || bad "--no-recycle merges"
left
[ $((first_merged + second_merged)) -gt 0 ] || bad "nothing is merged without --no-recycle"
default=$(untimed < "$dir/out")
left --raters-question-only
[ "$(untimed < "$dir/out")" != "$default" ] ||
    bad "--raters-question-only changes nothing"
left --prune paper --lambda 0.9
few=$all
left --prune paper --lambda 0.3
[ $all -gt $((2 * few)) ] || bad "--lambda"
left --prune rank --bias 40 --no-recycle
[ $all -eq 40 ] || bad "--bias 40 keeps $all"
left --prune rank --scale 2 --no-recycle
few=$all
left --prune rank --scale 2 --bias 7 --no-recycle
[ $all -eq $((few + 7)) ] || bad "--bias adds $((all - few)) rows instead of 7"
left --prune energy --energy 0.5
few=$all
left --prune energy
[ $all -gt $((2 * few)) ] || bad "--energy"
left --prune energy --min-keep 900 --no-recycle
[ $all -eq 900 ] || bad "--min-keep 900 keeps $all"
left --prune energy --max-keep 50 --no-recycle
[ $all -le 50 ] && [ $all -gt 10 ] || bad "--max-keep 50 keeps $all"
t3=$SVLM_TEST_DATA/models/t3/t3-f32.gguf            # LLaVA-1.6: this picture has twelve lines of tiles
run 0 ask -m "$t3" "$SVLM_TEST_DATA/images/photo.jpg" "what is it?" -n 1 --json --retain 20
[ "$(span 1)" -lt 12 ] || bad "separators stay without --keep-separators"
run 0 ask -m "$t3" "$SVLM_TEST_DATA/images/photo.jpg" "what is it?" -n 1 --json --retain 20 --keep-separators
[ "$(span 1)" -ge 12 ] || bad "--keep-separators keeps $(span 1) of 12"

run 0 info "$t1"
grep -q 576 "$dir/out" || bad "info does not know 576"
run 0 info "$t1" --json
[ "$("$get" vision n_image_tokens < "$dir/out")" = 576 ] || bad "not 576 in info --json"
[ "$("$get" chat_bytes < "$dir/out")" -gt 1000000 ] || bad "info --json has no chat_bytes"
run 0 bench -m "$t1" --tokens 40 --repeat 1 -n 2 --settings none,64 --json
"$get" rows 1 prefill_seconds median < "$dir/out" > /dev/null || bad "bench --json"
run 0 bench -m "$t1" --tokens 40 --repeat 1 -n 2
run 2 bench -m "$t1" --settings none,x
say settings

# an evaluation by the demo model, which is right once: an answer must be equal
demo=$top_srcdir/models/sparsevlm-demo-q8_0.gguf
mkdir "$dir/pack" && cp "$top_srcdir/models/samples/sample-01.png" "$dir/pack/a.png"
line='{"image": "a.png", "family": "%s", "question": "what colour is the cross?", "answer": "%s"}\n'
printf "$line" one green one wrong two "green " > "$dir/pack/questions.jsonl"
run 0 eval -m "$demo" "$dir/pack" -v
[ "$(grep -c '^right' "$dir/err")" = 1 ] || bad "eval -v does not show one right answer"
run 0 eval -m "$demo" "$dir/pack" --json
[ "$("$get" all n < "$dir/out")" = 3 ] || bad "eval did not ask 3 questions"
[ "$("$get" all right < "$dir/out")" = 1 ] || bad "eval did not find 1 right answer"
run 0 eval -m "$demo" "$dir/pack" --limit 2
grep -q '^one  *2 ' "$dir/out" || bad "eval --limit"

# on both paths: the demo model answers alike, a random one's tokens lie too close together
# for that, and what is listed is what each path says by itself
run 0 eval -m "$demo" "$dir/pack" --against-precise --json
[ "$("$get" all equal < "$dir/out")" = 3 ] || bad "the demo model's answers are not equal"
[ "$("$get" all right_precise < "$dir/out")" = 1 ] || bad "not 1 right answer on the precise path"
t4=$SVLM_TEST_DATA/models/t4/t4-q4_k_m.gguf
run 0 eval -m "$t4" "$dir/pack" -n 24 --limit 1 --against-precise --json
[ "$("$get" all equal < "$dir/out")" = 0 ] || bad "a random model's answers are equal"
fast=$("$get" different 0 answer < "$dir/out")
precise=$("$get" different 0 precise < "$dir/out")
run 0 eval -m "$t4" "$dir/pack" -n 24 --limit 1 -v
grep -qF -e "$fast" "$dir/err" || bad "the answer listed is not the fast path's"
run 0 eval -m "$t4" "$dir/pack" -n 24 --limit 1 --precise -v
grep -qF -e "$precise" "$dir/err" || bad "the answer listed is not the precise path's"
run 2 eval "$dir/pack" --precise --against-precise
say compared
printf '{"image": "a.png"}\n' > "$dir/pack/questions.jsonl"
run 3 eval -m "$t1" "$dir/pack"
grep -q 'line 1' "$dir/err" || bad "eval does not name the line"

# chat
printf '/image %s\nwhat is it?\nand now?\n/reset\n/nonsense\nhello\n/quit\n' "$cat" > "$dir/question"
stdin=$dir/question
run 0 chat -m "$t1" -n 4
[ "$(wc -l < "$dir/out")" -ge 3 ] || bad "chat gave fewer than 3 answers"
printf 'what is it?\n/image %s\nanother?' "$dir/none.png" > "$dir/question"
run 0 chat -m "$t1" -n 4 "$cat" --reprune
grep -q none.png "$dir/err" || bad "chat does not name the missing picture"
stdin=

# wait_for FILE: until the background job wrote something there, or ended
wait_for() {
    until [ -s "$1" ] || ! kill -0 $! 2> /dev/null; do sleep 0.1; done
}

# Ctrl-C ends an answer cleanly; background jobs ignore it until the program asks for it
: > "$dir/out"
"$bin" ask -m "$t1" "$cat" what --precise > "$dir/out" 2> "$dir/err" &
wait_for "$dir/out"
kill -INT $!
wait $!
[ $? -eq 130 ] || bad "Ctrl-C in an answer does not end with 130"
[ -z "$(tail -c 1 "$dir/out" | tr -d '\n')" ] || bad "a broken off answer does not end its line"
mkfifo "$dir/fifo"
exec 3<> "$dir/fifo"
"$bin" chat -m "$t1" < "$dir/fifo" > "$dir/out" 2> "$dir/err" &
while kill -INT $! 2> /dev/null; do sleep 0.1; done
wait $!
[ $? -eq 130 ] || bad "Ctrl-C while waiting for a line does not end with 130"

# convert, quantize what came out, and ask it
t2=$SVLM_TEST_DATA/models/t2
run 2 convert "$t2/hf"
say -o
run 3 convert "$SVLM_TEST_DATA/images" -o "$dir/none"
say config.json
mkdir "$dir/new"
f16=$dir/new/t2.gguf mm2=$dir/new/mmproj-t2.gguf q=$dir/new/q.gguf
run 0 convert "$t2/hf" -o "$dir/new/t2"
run 2 quantize "$f16" "$q" Q9
say Q9
run 2 quantize "$f16" "$f16" Q8_0
run 3 quantize "$t2/t2-q4_0.gguf" "$q" Q8_0
say already
[ ! -e "$q" ] || bad "a refused source left an output"
run 3 quantize "$f16" /nonexistent/q.gguf Q8_0
run 2 quantize --verify -p what "$mm2" "$q" Q8_0
run 0 quantize --verify -p what --image "$cat" --mmproj "$mm2" "$f16" "$q" Q5_K_M
grep -q '^blk.0.attn_q.weight .*F16 -> Q5_1' "$dir/out" || bad "--verify does not list a tensor"
grep -q '^logits differ by' "$dir/out" || bad "--verify -p does not compare logits"
run 0 ask -m "$q" --mmproj "$mm2" -n 2 "$cat" what

# a mapped file that vanishes: noticed at the next question, or by a bus error
: > "$dir/out"
cp "$t1" "$dir/short.gguf"
"$bin" chat -m "$dir/short.gguf" -n 4 < "$dir/fifo" > "$dir/out" 2> "$dir/err" &
printf 'hello\n' >&3
wait_for "$dir/out"
printf x > "$dir/short.gguf"
printf 'hello\n' >&3
until grep -q shorter "$dir/err" || ! kill -0 $! 2> /dev/null; do sleep 0.1; done
kill -BUS $!
wait $!
[ $? -eq 74 ] || bad "a bus error does not end with 74"
grep -q 'vanished.*short.gguf' "$dir/err" || bad "a bus error does not name the file"
exec 3>&-

# output that does not arrive
if [ -w /dev/full ]; then
    "$bin" ask -m "$t1" "$cat" what -n 4 > /dev/full 2> "$dir/err"
    [ $? -eq 1 ] || bad "a full disk does not end with 1"
    "$bin" info "$t1" > /dev/full 2> "$dir/err"
    [ $? -eq 1 ] || bad "a full disk does not end with 1"
    grep -q 'cannot write' "$dir/err" || bad "a full disk says nothing"
fi
{ sleep 0.2; "$bin" info "$t1" 2> "$dir/err"; echo $? > "$dir/rc"; } | true
[ "$(head -1 "$dir/rc")" = 1 ] || bad "a closed pipe does not end with 1"

[ $n_bad -eq 0 ]
