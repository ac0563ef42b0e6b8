# Running fuzz targets. Sourced by the verbs.

# Names of the targets: the files of tests/fuzz without 'fuzz_' and '.c'.
fuzz_targets() {
    local file name
    for file in tests/fuzz/*.c; do
        name=$(basename "$file" .c)
        [ "$name" = replay_main ] || [ "$name" = '*' ] || echo "${name#fuzz_}"
    done
}

# fuzz_run <target> <seconds>: shows libFuzzer's last lines; fails on the first finding.
fuzz_run() {
    local log=build/fuzz-$1.log
    mkdir -p build/fuzz-crashes
    say "dev: fuzzing $1 for $2 s"
    if ! bash dev.d/fuzz_item.sh "$1" "build/fuzz/bin/fuzz_$1" "$2" \
        "-artifact_prefix=build/fuzz-crashes/$1-" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        return 1
    fi
    grep -E 'number_of_executed_units|^#.*DONE' "$log" >&2 || true
}
