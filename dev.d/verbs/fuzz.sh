# fuzz: run the libFuzzer targets of tests/fuzz, each for a while
#
# Usage: ./dev fuzz [--seconds n] [target...]     default: every target, 300 s each, two at once
#
# Inputs that find new paths are kept in build/fuzz-corpus/<target>; the seeds are in
# tests/fuzz/corpus/<target>. An input that crashes is kept in build/fuzz-crashes.
. dev.d/install.sh
. dev.d/build.sh
. dev.d/fuzz.sh

verb_main() {
    local seconds=300 targets=() failed=0 target pid
    while [ $# -gt 0 ]; do
        case "$1" in
        --seconds)
            [[ ${2:-} =~ ^[0-9]+$ ]] || dev_usage "fuzz: --seconds needs a number"
            seconds=$2
            shift
            ;;
        -*) dev_usage "fuzz: unknown argument '$1'" ;;
        *) targets+=("$1") ;;
        esac
        shift
    done
    need build fuzz
    [ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(fuzz_targets)
    [ ${#targets[@]} -gt 0 ] || die "no fuzz targets in tests/fuzz"
    build_preset fuzz "${targets[@]/#/fuzz_}"
    local index=0
    for ((index = 0; index < ${#targets[@]}; index += 2)); do
        local pids=()
        for target in "${targets[@]:index:2}"; do
            fuzz_run "$target" "$seconds" &
            pids+=($!)
        done
        for pid in "${pids[@]}"; do
            wait "$pid" || failed=1
        done
    done
    return $failed
}
