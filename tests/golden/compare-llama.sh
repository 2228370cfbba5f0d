#!/bin/sh
# SPDX-License-Identifier: MIT
# compare-llama.sh LLAMA_CLI GREEDY_TEXT MODEL...
#
# Token ids and greedy text of language models alone, beside those of a llama.cpp build
# whose llama-cli (or llama-completion) is given by path. Ids must be equal. Text may part
# after a while where weights are quantised, since theirs rounds activations to 8 bits: how
# much is the same is printed.
set -u
export LC_ALL=C                   # pieces of characters are printed beside the ids
if [ $# -lt 3 ] || [ ! -x "$1" ] || [ ! -x "$2" ]; then
    echo "usage: compare-llama.sh LLAMA_CLI GREEDY_TEXT MODEL...   (skipped: no such programs)"
    exit 77
fi
theirs=$1 ours=$2 n_bad=0 n_tokens=24
shift 2
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT

# One turn of plain text: no conversation, no prompt repeated, ids on stderr.
ask_theirs() {
    "$theirs" -m "$1" -p "$2" -n $n_tokens --temp 0 -t 1 --no-display-prompt --verbose-prompt \
        < /dev/null > "$dir/theirs" 2> "$dir/log"
    sed -n "s/^ *\([0-9][0-9]*\) -> '.*/\1/p" "$dir/log" | tr '\n' ' ' | sed 's/ $//' > "$dir/ids"
}

# Whole characters only, without the first word's space and what marks the end.
clean() {
    sed -e 's/ \[end of text\]//' -e '1s/^ //' "$1" | tr -d '\n' | iconv -c -f UTF-8 -t UTF-8 2> /dev/null |
        sed 's/\xef\xbf\xbd//g'
}

compare() {
    "$ours" "$1" $n_tokens "$2" > "$dir/ours" || return 1
    ask_theirs "$1" "$2"
    if [ "$(head -1 "$dir/ours")" != "$(cat "$dir/ids")" ]; then
        echo "DIFFERS  $(basename "$1")  ids of \"$2\""
        head -1 "$dir/ours"
        cat "$dir/ids"
        echo
        return 1
    fi
    sed 1d "$dir/ours" > "$dir/answer"
    clean "$dir/answer" > "$dir/a"
    clean "$dir/theirs" > "$dir/b"
    if [ "$(cat "$dir/a")" = "$(cat "$dir/b")" ]; then
        echo "same     $(basename "$1")  \"$2\""
    else
        at=$(cmp -l "$dir/a" "$dir/b" 2> /dev/null | awk 'NR == 1 { print $1 }')
        echo "part     $(basename "$1")  \"$2\": text differs at byte ${at:-(the end)} of $(wc -c < "$dir/a")"
    fi
}

for model in "$@"; do
    for text in "The quick brown fox" "  two  spaces, a tab	and 123,456.789" \
        "Grüße, 你好, 👩‍💻!" "USER: What is it? ASSISTANT:"; do
        compare "$model" "$text" || n_bad=$((n_bad + 1))
    done
done
[ $n_bad -eq 0 ]
