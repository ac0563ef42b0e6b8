#!/usr/bin/env bash
# fuzz_item.sh <name> <program> <seconds> <artifact option>: one fuzz target as a test that prints
# 'ok' or 'FAIL'. The seeds of tests/fuzz/corpus/<name> are replayed first, as libFuzzer does.
set -uo pipefail
name=$1 program=$2 seconds=$3 artifacts=$4
corpus=build/fuzz-corpus/$name
mkdir -p "$corpus"
options=("-max_total_time=$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1)
options+=("$artifacts")
# A test explores the same way each time; ./dev fuzz looks for what is new.
[ -n "${LEAT_FUZZ_SEED:-}" ] && options+=("-seed=$LEAT_FUZZ_SEED")
[ -f "tests/fuzz/$name.dict" ] && options+=("-dict=tests/fuzz/$name.dict")
[ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name") || seeds=()
if "$program" "${options[@]}" "$corpus" ${seeds[@]+"${seeds[@]}"}; then
    echo "ok fuzz_$name"
else
    echo "FAIL fuzz_$name: libFuzzer found something; the input is kept beside this log"
    exit 1
fi
