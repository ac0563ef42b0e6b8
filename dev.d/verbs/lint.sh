# lint: check the format, the rules of the tree (tests/tidy) and clang-tidy
#
# Usage: ./dev lint [--all]
#   --all     clang-tidy over every source, not only those changed since the upstream commit
. dev.d/install.sh
. dev.d/build.sh
. dev.d/sources.sh

verb_main() {
    local all=0 failed=0
    case "${1:-}" in
    '') ;;
    --all) all=1 ;;
    *) dev_usage "lint: unknown argument '$1'" ;;
    esac
    need build test lint
    c_unformatted || failed=1
    python3 tests/tidy/tidy.py || failed=1
    lint_clang_tidy "$all" || failed=1
    [ "$failed" = 0 ] || die "lint found something; './dev fmt' mends the format"
    say "dev: lint is clean"
}

# clang-tidy needs the generated headers, so the build comes first.
lint_clang_tidy() {
    build_preset dev
    local pick=c_changed
    [ "$1" = 0 ] || pick=c_sources
    $pick | grep -z -E '^(src|processors|tests/(sim|bench|fuzz))/.*\.c$' |
        xargs -0 -r -n 2 -P "$LEAT_JOBS" clang-tidy --quiet -p build/dev 2>/dev/null
}
