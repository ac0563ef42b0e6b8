# Configuring and building a preset. Sourced by the verbs.

# build_preset <preset> [target...]: configures when needed; quiet unless it fails.
build_preset() {
    local preset=$1 log=build/build-$1.log
    shift
    mkdir -p build
    if [ ! -f "build/$preset/build.ninja" ]; then
        cmake --preset "$preset" >"$log" 2>&1 || {
            tail -n 30 "$log" >&2
            die "could not configure preset '$preset'; log in $log"
        }
    fi
    if [ -t 2 ]; then
        cmake --build "build/$preset" -j "$LEAT_JOBS" ${1+--target "$@"} >&2 ||
            die "could not build preset '$preset'"
    else
        cmake --build "build/$preset" -j "$LEAT_JOBS" ${1+--target "$@"} >"$log" 2>&1 || {
            grep -E -A12 'error|FAILED' "$log" | head -n 60 >&2
            die "could not build preset '$preset'; log in $log"
        }
    fi
}
