#!/bin/sh
# Includes point one way: reads every #include "folder/..." and fails on an arrow that
# docs/ARCHITECTURE.md does not have. Headers of outside libraries are kept to their one place.
set -u
cd "${top_srcdir:-.}" || exit 1
bad=0

complain() { echo "$1"; bad=1; }

# folder: what its files may include besides itself
allowed() {
    case $1 in
    simd) echo "" ;;
    base) echo "" ;;
    gguf) echo "base" ;;
    tensor) echo "base simd" ;;
    image) echo "base" ;;
    text) echo "base gguf" ;;
    vision) echo "base gguf image tensor simd" ;;
    llm) echo "base gguf tensor simd text vision" ;;
    prune) echo "base simd tensor" ;;
    api) echo "base gguf tensor simd image vision text llm prune" ;;
    esac
}

for folder in simd base gguf tensor image text vision llm prune api; do
    dir=lib/$folder
    [ "$folder" = simd ] && dir=simd
    for file in $(find "$dir" -name '*.[ch]'); do
        for to in $(sed -nE 's|^#include "([a-z_0-9]+)/.*"$|\1|p' "$file" | sort -u); do
            case " $folder $(allowed $folder) " in
            *" $to "*) ;;
            *) complain "$file includes $to/, which $folder must not know" ;;
            esac
        done
    done
done

# public headers a folder may see: simd none; prune the hook and its own only
for file in $(grep -lE '^#include <sparsevlm/' -r simd); do
    complain "$file includes a public header"
done
for file in $(grep -lE '^#include <sparsevlm/(chat|sparsevlm)\.h>' -r lib/prune); do
    complain "$file: pruners see the engine through hook.h only"
done

# outside headers have one place each
only() {                          # pattern, place
    for file in $(grep -lE "^#include <$1" -r lib simd tools examples include 2>/dev/null); do
        case $file in
        $2) ;;
        *) complain "$file includes <$1...>, whose place is $2" ;;
        esac
    done
}
only 'omp\.h' 'lib/base/threads.c'
only 'cblas\.h' 'lib/tensor/matmul_blas.c'
only 'stb_image\.h' 'lib/image/*'
only 'lib(av|sw)' 'lib/image/*'
only '(immintrin|arm_neon)\.h' 'simd/*'
only 'png\.h' 'tools/*'
only 'jansson\.h' 'tools/*'
exit $bad
