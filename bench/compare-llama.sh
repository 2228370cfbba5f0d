#!/bin/bash
# Side by side with llama.cpp and ik_llama.cpp on the same files, engines taking turns.
#
#   bench/compare-llama.sh [-b BUILD] [-r ROUNDS] [-t THREADS] [-w DIR] [-T TYPES] [-p TOKENS] [-n DECODED] [-e] LLAMA_BUILD [IK_BUILD]
#
# LLAMA_BUILD and IK_BUILD are build directories of the peers (made for this machine, Release,
# native); "-" or an absent one is skipped with a message. BUILD is ours (./build). Model pairs of
# LLaVA-1.5-7B's shape with random weights are made in DIR (./build/models) when they are not
# there. TYPES is a list like "Q4_0 Q4_K_M Q8_0", TOKENS one like 32,192,256,640 ("": neither
# prefill nor decoding). -e also measures picture to first word.
# Prints one line a figure: medians of the rounds with least and most, and ratios taken within rounds.
set -u
build=build rounds=5 threads=$(getconf _NPROCESSORS_ONLN) dir= types="Q4_0" end_to_end=0 tokens=192,640 decoded=16
while getopts b:r:t:w:T:p:n:e o; do
    case $o in
    b) build=$OPTARG ;;
    r) rounds=$OPTARG ;;
    t) threads=$OPTARG ;;
    w) dir=$OPTARG ;;
    T) types=$OPTARG ;;
    p) tokens=$OPTARG ;;
    n) decoded=$OPTARG ;;
    e) end_to_end=1 ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
dir=${dir:-$build/models}
mkdir -p "$dir"
out=$dir/compare.tsv
: >"$out"

declare -A bin
have() {                          # name, build directory
    if [ -n "${2:-}" ] && [ -x "$2/bin/llama-bench" ]; then
        bin[$1]=$2/bin
    else
        echo "$1: no build at '${2:-}', skipped" >&2
    fi
}
have llama "${1:-}"
have ik "${2:-}"

note() { printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$out"; }     # type round engine what value

json() { "$build/tests/json_get" "$@"; }

peer_flags() { [ "$1" = ik ] && echo "-fa 1 -rtr 1 -thp 1 -w 0" || echo "-fa 1 --no-warmup"; }

# tokens a second of one peer: llama-bench's csv has named columns
peer() {                          # engine, type, round, model
    # shellcheck disable=SC2046
    "${bin[$1]}/llama-bench" -m "$4" -t "$threads" -p "$tokens" -n "$decoded" -r 1 -o csv $(peer_flags "$1") 2>/dev/null |
        awk -v e="$1" -v t="$2" -v r="$3" '
            /^build_commit/ { n = split($0, h, ","); for (i = 1; i <= n; i++) c[h[i]] = i; next }
            c["avg_ts"] { gsub(/^"|"$/, ""); split($0, v, "\",\"")
                          what = v[c["n_prompt"]] > 0 ? "prefill " v[c["n_prompt"]] : "decode"
                          printf "%s\t%s\t%s\t%s\t%s\n", t, r, e, what, v[c["avg_ts"]] }' >>"$out"
}

ours() {                          # label, type, round, model, mmproj, tokens, options...
    local label=$1 type=$2 round=$3 model=$4 mmproj=$5 tokens=$6
    shift 6
    "$build/sparsevlm" bench -m "$model" --mmproj "$mmproj" -t "$threads" --tokens "$tokens" \
        --settings none --repeat 1 -n "$decoded" --json "$@" 2>/dev/null >"$dir/ours.json" || return
    local i t p d
    for ((i = 0; i < $(tr , '\n' <<<"$tokens" | wc -l); i++)); do
        t=$(json rows "$i" tokens <"$dir/ours.json")
        p=$(json rows "$i" prefill_seconds median <"$dir/ours.json")
        d=$(json rows "$i" decode_rate median <"$dir/ours.json")
        note "$type" "$round" "$label" "prefill $t" "$(awk -v t="$t" -v p="$p" 'BEGIN { print t / p }')"
    done
    note "$type" "$round" "$label" decode "$d"
}

first_word_peer() {               # engine, type, round, model, mmproj, picture
    local fa="-fa on"
    [ "$1" = ik ] && fa="-fa 1"
    [ -x "${bin[$1]}/llama-mtmd-cli" ] || return
    # shellcheck disable=SC2086
    "${bin[$1]}/llama-mtmd-cli" -m "$4" --mmproj "$5" --image "$6" -p "Describe the image." -n 4 \
        --temp 0 --chat-template vicuna -t "$threads" -c 2048 $fa >"$dir/mtmd.log" 2>&1
    # encode: "image slice encoded in 2500 ms"; the rest: "prompt eval time = 1234.56 ms"
    awk -v e="$1" -v t="$2" -v r="$3" '
        match($0, /encoded in [0-9.]+ ms/) { split(substr($0, RSTART, RLENGTH), a, " "); encode = a[3] }
        /prompt eval time/ { for (i = 1; i <= NF; i++) if ($i == "=") prompt = $(i + 1) }
        END { if (prompt) { printf "%s\t%s\t%s\tencode\t%s\n", t, r, e, encode / 1000
                            printf "%s\t%s\t%s\tfirst word\t%s\n", t, r, e, (encode + prompt) / 1000 } }' \
        "$dir/mtmd.log" >>"$out"
}

first_word_ours() {               # label, type, round, model, mmproj, picture, options...
    local label=$1 type=$2 round=$3 model=$4 mmproj=$5 picture=$6
    shift 6
    "$build/sparsevlm" ask -m "$model" --mmproj "$mmproj" --image "$picture" -p "Describe the image." \
        -n 4 -t "$threads" --json "$@" 2>/dev/null >"$dir/ask.json"
    note "$type" "$round" "$label" encode "$(json seconds encode <"$dir/ask.json")"
    note "$type" "$round" "$label" "first word" "$(json seconds first_word <"$dir/ask.json")"
}

for type in $types; do
    name=$dir/7b-$type
    [ -f "$name.gguf" ] || "$build/bench/random_model" --shape llava-7b --type "$type" "$name" || exit 1
    mmproj=$dir/mmproj-7b-$type.gguf
    picture=models/samples/sample-06.png
    for ((round = 1; round <= rounds; round++)); do
        echo "$type round $round of $rounds" >&2
        if [ -n "$tokens" ]; then
            ours ours "$type" "$round" "$name.gguf" "$mmproj" "$tokens"
            ours repacked "$type" "$round" "$name.gguf" "$mmproj" 32 --repack      # for decoding
            for engine in llama ik; do
                [ -n "${bin[$engine]:-}" ] && peer "$engine" "$type" "$round" "$name.gguf"
            done
        fi
        [ "$end_to_end" = 1 ] || continue
        first_word_ours "ours none" "$type" "$round" "$name.gguf" "$mmproj" "$picture" --prune none
        first_word_ours "ours 192" "$type" "$round" "$name.gguf" "$mmproj" "$picture" --retain 192
        first_word_ours "ours 64" "$type" "$round" "$name.gguf" "$mmproj" "$picture" --retain 64
        for engine in llama ik; do
            [ -n "${bin[$engine]:-}" ] && first_word_peer "$engine" "$type" "$round" "$name.gguf" "$mmproj" "$picture"
        done
    done
done

# Medians, and our rate over each peer's within the same round (for times: theirs over ours).
awk -F'\t' '
    function median(list,    n, v, i, j, x) {
        n = split(list, v, " ")
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { x = v[j]; v[j] = v[j - 1]; v[j - 1] = x }
        low = v[1]; high = v[n]
        return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    $5 != "" { key = $1 "\t" $4
         if (!(key in seen)) { seen[key] = 1; keys[++n_keys] = key }
         if (!(($3) in engine)) { engine[$3] = 1; engines[++n_engines] = $3 }
         values[key, $3] = values[key, $3] " " $5; at[key, $3, $2] = $5; if ($2 > rounds) rounds = $2 }
    END { for (i = 1; i <= n_keys; i++) { split(keys[i], k, "\t"); slower = k[2] ~ /encode|word/
            for (e = 1; e <= n_engines; e++) if (values[keys[i], engines[e]] != "") {
                m = median(values[keys[i], engines[e]])
                printf "%-8s %-12s %-10s %9.2f (%.2f to %.2f) %s", k[1], k[2], engines[e], m, low, high,
                       slower ? "s" : "tokens/s"
                for (p = 1; p <= n_engines; p++) if (engines[p] ~ /^(llama|ik)$/ && engines[e] !~ /^(llama|ik)$/) {
                    list = ""
                    for (r = 1; r <= rounds; r++) { a = at[keys[i], engines[e], r]; b = at[keys[i], engines[p], r]
                        if (a > 0 && b > 0) list = list " " (slower ? b / a : a / b) }
                    if (list != "") { m = median(list); printf "  %.2fx %s (%.2f to %.2f)", m, engines[p], low, high } }
                printf "\n" } } }' "$out"
