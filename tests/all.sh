#!/bin/bash
# Every configuration, one after the other, each in its own build directory under
# build-all/. Names as arguments run only those: tests/all.sh gcc arm. The last
# line adds up all test programs; a configuration that does not build is one failure.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
out=$top/build-all
jobs=$(getconf _NPROCESSORS_ONLN)
static=--disable-shared           # half the compiling: the shared library is gcc's and dist's to test
passed=0 failed=0

say() { printf '== %4ds %s\n' "$SECONDS" "$*"; }

# Adds up the "# PASS: 3" lines of a log; says which tests failed.
count() {
    local log=$1 p f
    p=$(sed -n 's/^# PASS: *//p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    f=$(sed -nE 's/^# (FAIL|ERROR|XPASS): *//p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    if [ "$2" -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
        tail -n 25 "$log"
    fi
    grep -E '^(FAIL|ERROR):' "$log" | sort -u
    passed=$((passed + p)) failed=$((failed + f))
    say "$3: $p passed, $f failed"
}

configure() {                     # directory, options...
    local dir=$out/$1
    shift
    mkdir -p "$dir" && cd "$dir" && "$top/configure" --quiet "$@"
}

# A configuration: name, what to run after configuring ("check" is make check), options...
config() {
    local name=$1 log=$out/$1.log
    shift
    { configure "$name" "$@" && make -s -j"$jobs" && make -s -j"$jobs" check ${tests:+"TESTS=$tests"}; } \
        >"$log" 2>&1
    count "$log" $? "$name"
    cd "$top" || exit 1
}

# The tests of a directory already built, with a lower instruction set.
again() {                         # directory, label, assignment...
    local dir=$out/$1 log=$out/$1-$2.log
    { cd "$dir" && env "$3" make -s -j"$jobs" check; } >"$log" 2>&1
    count "$log" $? "$1-$2"
    cd "$top" || exit 1
}

gcc_all() {
    config gcc --enable-werror --enable-simd=require
    for isa in $("$out/gcc/tests/isas" 2>/dev/null | sed '$d'); do
        again gcc "$isa" "SPARSEVLM_ISA=$isa"
    done
}

# Without assertions, which gcc's build has: nothing that came from outside may rest on one.
clang_all() {
    config clang --enable-werror --enable-simd=require $static CC=clang CXX=clang++ CPPFLAGS=-DNDEBUG
}

sanitizers() { config sanitizers --enable-werror --enable-sanitizers $static CFLAGS="-O1 -g"; }

bare() { config bare --enable-werror --without-blas --without-video --disable-simd $static; }

# libgomp is not built for the thread sanitizer: without OpenMP a chat is one thread, and the
# tests that use a model from several threads are what it watches.
threads() {
    local tests="tests/unit/base tests/unit/api tests/unit/api_chat tests/unit/bad_calls tests/unit/reuse"
    config threads --enable-werror --disable-openmp --without-blas --without-video \
        --enable-sanitizers=thread $static CFLAGS="-O1 -g"
}

arm() {
    local log=$out/arm.log lib=/usr/lib/aarch64-linux-gnu cpu quick
    if ! command -v aarch64-linux-gnu-gcc >/dev/null || ! command -v qemu-aarch64 >/dev/null; then
        say "arm: skipped, no cross compiler or qemu-user"
        return
    fi
    { configure arm --host=aarch64-linux-gnu --enable-werror --enable-simd=require \
        --without-blas --without-video --disable-shared EMULATOR=qemu-aarch64 \
        PKG_CONFIG_LIBDIR=$lib/pkgconfig \
        && make -s -j"$jobs"; } >"$log" 2>&1 || { count "$log" 1 arm; cd "$top"; return; }
    for cpu in cortex-a72 cortex-a76 max; do        # the goldens once, with the best kernels
        quick=1
        [ $cpu = max ] && quick=
        (cd "$out/arm" && QEMU_CPU=$cpu SVLM_QUICK=$quick make -s -j"$jobs" check) >"$out/arm-$cpu.log" 2>&1
        count "$out/arm-$cpu.log" $? "arm-$cpu"
    done
    cd "$top" || exit 1
}

dist() {
    local log=$out/dist.log
    { configure dist && make -s -j"$jobs" distcheck; } >"$log" 2>&1
    count "$log" $? dist
    cd "$top" || exit 1
}

mkdir -p "$out"
[ -x configure ] || ./autogen.sh >"$out/autogen.log" 2>&1 || { tail -n 25 "$out/autogen.log"; exit 1; }
[ $# -gt 0 ] || set -- gcc_all clang_all sanitizers bare threads arm dist
for c; do
    [ "$c" = gcc ] && c=gcc_all
    [ "$c" = clang ] && c=clang_all
    "$c"
done
say "logs are in build-all/"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
