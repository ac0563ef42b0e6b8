# Running fuzz targets. Sourced by the verbs.

# Names of the targets: the files of tests/fuzz without 'fuzz_' and '.c'.
fuzz_targets() {
    local file name
    for file in tests/fuzz/*.c; do
        name=$(basename "$file" .c)
        [ "$name" = replay_main ] || [ "$name" = '*' ] || echo "${name#fuzz_}"
    done
}

# fuzz_run <target> <seconds>: prints libFuzzer's last lines; fails on the first finding.
fuzz_run() {
    local corpus=build/fuzz-corpus/$1 seeds=tests/fuzz/corpus/$1 dictionary=tests/fuzz/$1.dict
    local log=build/fuzz-$1.log
    mkdir -p "$corpus" build/fuzz-crashes
    [ -d "$seeds" ] || seeds=
    [ -f "$dictionary" ] && dictionary=-dict=$dictionary || dictionary=
    say "dev: fuzzing $1 for $2 s"
    if ! build/fuzz/bin/fuzz_"$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 $dictionary "-artifact_prefix=build/fuzz-crashes/$1-" \
        "$corpus" $seeds >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        say "dev: fuzzing $1 found something (log in $log)"
        return 1
    fi
    grep -E 'number_of_executed_units|^#.*DONE' "$log" >&2 || true
}
