# build: configure and build one or more presets (dev, release, asan, tsan, fuzz, coverage)
#
# Usage: ./dev build [preset...] [-- target...]
#
# Default: dev. The result is in build/<preset>; the program is build/<preset>/bin/leat.
# LEAT_JOBS (default: the number of processors) bounds the parallel compilers.
. dev.d/install.sh
. dev.d/build.sh

verb_main() {
    local presets=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        case "$1" in
        dev | release | asan | tsan | fuzz | coverage) presets+=("$1") ;;
        *) dev_usage "build: unknown preset '$1'" ;;
        esac
        shift
    done
    [ $# -gt 0 ] && shift
    local groups=(build) preset
    for preset in "${presets[@]:-dev}"; do
        case "$preset" in
        fuzz) groups+=(fuzz) ;;
        *) groups+=(test) ;;
        esac
    done
    need "${groups[@]}"
    for preset in "${presets[@]:-dev}"; do
        build_preset "$preset" "$@"
    done
}
