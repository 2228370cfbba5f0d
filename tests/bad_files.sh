#!/bin/sh
# SPDX-License-Identifier: MIT
# The program among files that are none and in odd surroundings: an exit
# code and one sentence, never a signal, never a wait without end.
set -u
bin=$top_builddir/sparsevlm
t1=$SVLM_TEST_DATA/models/t1/t1-f16.gguf            # its only mmproj file lies beside it
mm1=$SVLM_TEST_DATA/models/t1/mmproj-t1-f16.gguf
cat=$SVLM_TEST_DATA/images/square224.png
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
export OMP_NUM_THREADS=1
n_bad=0

bad() {
    n_bad=$((n_bad + 1))
    echo "FAILED: $*"
    sed 's/^/    /' "$dir/err"
}

# run CODE ARGS...: as tests/cli.sh does, but not for longer than two minutes.
run() {
    want=$1
    shift
    timeout 120 "$bin" "$@" > "$dir/out" 2> "$dir/err" < /dev/null
    rc=$?
    [ $rc -eq "$want" ] || bad "exit code $rc instead of $want: $*"
}

say() {
    [ "$(wc -l < "$dir/err")" -eq 1 ] || bad "not one line on stderr"
    grep -qF -e "$1" "$dir/err" || bad "no \"$1\" on stderr"
}

# files that are no models
mkdir "$dir/folder" && mkfifo "$dir/fifo" && : > "$dir/empty" && printf GGU > "$dir/three"
ln -s loop "$dir/loop"
printf secret > "$dir/locked" && chmod 0 "$dir/locked"
for name in missing folder fifo empty three loop locked; do
    run 3 info "$dir/$name"
    say "$dir/$name"
done
printf 'GGUF\033[31m' > "$dir/$(printf 'red\033[31m')"
run 3 info "$dir/$(printf 'red\033[31m')"
if grep -q "$(printf '\033')" "$dir/err"; then bad "an escape code reached the terminal"; fi

# files that are no pictures: each is called what it is
printf 'GIF89a\1\0\1\0\0\0\0' > "$dir/gif"
printf 'RIFF\44\0\0\0WEBPVP8 ' > "$dir/WebP"
printf '\0\0\0\40ftypavif\0\0\0\0' > "$dir/AVIF"
printf '\0\0\0\40ftypheic\0\0\0\0' > "$dir/HEIC"
printf '<svg xmlns="http://www.w3.org/2000/svg"/>' > "$dir/SVG"
printf '<!DOCTYPE html><html>404 Not Found</html>' > "$dir/HTML"
printf 'a letter\n' > "$dir/text"
for name in gif WebP AVIF HEIC SVG HTML text empty; do
    run 3 ask -m "$t1" --mmproj "$mm1" --image "$dir/$name" -p what -n 1
    tail -1 "$dir/err" > "$dir/last" && mv "$dir/last" "$dir/err"
    say "$dir/$name"
    sed "s,$dir/$name,," "$dir/err" | grep -qi "$name" || bad "$name is not recognised"
done

# files with the names of videos are told what videos are, also in containers we do not read
if [ -x "$top_builddir/tests/make_clip" ]; then
    for i in 1 2 3; do printf 'G%187s' stream; done > "$dir/an MPEG transport stream.ts"
    for i in 1 2 3; do printf 'timeG%187s' disc; done > "$dir/an MPEG transport stream.m2ts"
    printf '\0\0\1\272DVD' > "$dir/an MPEG program stream.mpg"
    printf 'OggS\0\2' > "$dir/an Ogg file.ogv"
    printf 'FLV\1\5' > "$dir/a Flash video.flv"
    printf 'interface A {}\n' > "$dir/text.ts"
    for file in "$dir"/*.ts "$dir"/*.m2ts "$dir"/*.mpg "$dir"/*.ogv "$dir"/*.flv; do
        name=${file##*/}
        run 3 ask -m "$t1" --mmproj "$mm1" "$file" what -n 1
        say "$name is ${name%.*}; videos must be MP4, QuickTime, Matroska, WebM or AVI"
    done
fi

# a model that is bigger on disk than what it holds: 5 GB, most of them a hole
ask() {
    timeout 120 "$bin" ask --mmproj "$mm1" -p "what is it?" -n 8 -t 1 --precise --prune none \
        --image "$cat" "$@" 2> "$dir/err"
}
ask -m "$t1" > "$dir/answer" || bad "no answer"
cp "$t1" "$dir/big.gguf"
if truncate -s 5G "$dir/big.gguf" 2> "$dir/err"; then
    ask -m "$dir/big.gguf" | cmp -s - "$dir/answer" || bad "another answer from a file of 5 GB"
fi
rm -f "$dir/big.gguf"

# surroundings that change nothing
env -i LC_ALL=de_DE.UTF-8 TZ=Nowhere/None OMP_NUM_THREADS=1 \
    LD_LIBRARY_PATH="${LD_LIBRARY_PATH-}" "$bin" ask --mmproj "$mm1" -p "what is it?" -n 8 \
    -t 1 --precise --prune none --image "$cat" -m "$t1" 2> "$dir/err" |
    cmp -s - "$dir/answer" || bad "another answer without an environment"
(umask 0 && ask -m "$t1") | cmp -s - "$dir/answer" || bad "another answer with umask 0"
SPARSEVLM_ISA=c ask -m "$t1" | cmp -s - "$dir/answer" || bad "another answer with SPARSEVLM_ISA=c"

# a file cut while a conversation waits for its next question
cp "$t1" "$dir/cut.gguf"
exec 3<> "$dir/fifo"
timeout 120 "$bin" chat -m "$dir/cut.gguf" --mmproj "$mm1" -n 2 -t 1 < "$dir/fifo" \
    > "$dir/out" 2> "$dir/err" &
printf 'hello\n' >&3
until [ -s "$dir/out" ] || ! kill -0 $! 2> /dev/null; do sleep 0.1; done
sleep 0.3
truncate -s 100000 "$dir/cut.gguf"
printf 'and now?\n/quit\n' >&3
wait $!
[ $? -eq 0 ] || bad "a file that shrinks ends the conversation"
grep -q 'cut.gguf has become shorter' "$dir/err" || bad "the file that shrank is not named"
exec 3>&-

# a file too big for what this process may write: no part of it stays
(ulimit -f 100; trap '' XFSZ; timeout 120 "$bin" quantize "$t1" "$dir/q.gguf" Q8_0) \
    > "$dir/out" 2> "$dir/err"
[ $? -eq 3 ] || bad "a full disk does not end quantize with 3"
grep -q 'q.gguf' "$dir/err" || bad "the file that could not be written is not named"
if ls "$dir" | grep -q q.gguf; then bad "quantize left a part of its file"; fi

[ $n_bad -eq 0 ]
