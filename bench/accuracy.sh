#!/bin/bash
# SPDX-License-Identifier: MIT
# Accuracy of the pruning methods on an evaluation pack: method x budget, and no pruning.
#
#   bench/accuracy.sh [-b BUILD] [-m LLM.gguf] [-p MMPROJ.gguf] [-e PACK] [-n QUESTIONS]
#                     [-j JOBS] [-r "192 128 96 64"] [-o DIR] [METHOD...]
#
# BUILD is ./build, the model and the pack are the demo model's in models/ unless given.
# QUESTIONS: only the first so many. JOBS runs at a time, each on one thread. What each run
# found is kept in DIR (BUILD/accuracy) as JSON, so a second call does only what is missing.
# Prints a table for docs/PRUNING.md: per cent of the short questions answered exactly, the
# 95 % interval (Wilson), and the visual rows that entered a layer on average.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
build=build model=$here/models/sparsevlm-demo-q8_0.gguf pack=$here/models/eval
mmproj='' limit=0 jobs=1 budgets="192 128 96 64" dir=''
while getopts b:m:p:e:n:j:r:o: o; do
    case $o in
    b) build=$OPTARG ;;
    m) model=$OPTARG ;;
    p) mmproj=$OPTARG ;;
    e) pack=$OPTARG ;;
    n) limit=$OPTARG ;;
    j) jobs=$OPTARG ;;
    r) budgets=$OPTARG ;;
    o) dir=$OPTARG ;;
    *) sed -n '4,14s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- sparsevlm sparsevlm+ rank paper energy fastv pdrop random uniform \
    divprune visionzip
mmproj=${mmproj:-$(dirname "$model")/mmproj-$(basename "$model")}
dir=${dir:-$build/accuracy}
mkdir -p "$dir"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

# Rules that decide by content have no budget: they are run once, in the first column.
takes_budget() { [ "$1" != rank ] && [ "$1" != energy ] && [ "$1" != none ]; }

measure() {                       # method, budget
    local out=$dir/$1-$2.json retain=()
    [ ! -s "$out" ] || return 0
    takes_budget "$1" && retain=(--retain "$2")
    "$build/sparsevlm" eval -t 1 -m "$model" --mmproj "$mmproj" --prune "$1" "${retain[@]}" \
        --limit "$limit" --json "$pack" >"$out.part" 2>"$out.err" && mv "$out.part" "$out" &&
        rm -f "$out.err"
}

first=${budgets%% *}
for method in none "$@"; do
    for budget in $budgets; do
        takes_budget "$method" || [ "$budget" = "$first" ] || continue
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        measure "$method" "$budget" &
    done
done
wait

number() { sed -n 's/.*"all_but_caption": {[^}]*"'"$2"'": \([0-9.]*\)[,}].*/\1/p' "$1"; }

cell() {                          # method, budget
    local f=$dir/$1-$2.json
    if ! takes_budget "$1" && [ "$2" != "$first" ]; then
        return
    elif [ ! -s "$f" ]; then
        printf 'failed: %s' "$(head -c 60 "$f.err" 2>/dev/null)"
        return
    fi
    awk -v p="$(number "$f" accuracy)" -v l="$(number "$f" low)" -v h="$(number "$f" high)" \
        -v v="$(sed -n 's/.*"visual_average": \([0-9.]*\).*/\1/p' "$f")" \
        'BEGIN { printf "%.1f (%.1f to %.1f), %.0f rows", 100 * p, 100 * l, 100 * h, v }'
}

printf '| method |'
for budget in $budgets; do printf ' %s |' "$budget"; done
printf '\n| --- |'
for budget in $budgets; do printf ' --- |'; done
printf '\n'
for method in none "$@"; do
    printf '| %s |' "$method"
    for budget in $budgets; do printf ' %s |' "$(cell "$method" "$budget")"; done
    printf '\n'
done
