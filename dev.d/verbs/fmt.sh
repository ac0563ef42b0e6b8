# fmt: rewrite the C sources in the tree's format (clang-format)
#
# Usage: ./dev fmt [file...]      default: every tracked or new .c and .h file
. dev.d/install.sh
. dev.d/sources.sh

verb_main() {
    need lint
    if [ $# -gt 0 ]; then
        clang-format -i "$@"
    else
        c_sources | xargs -0 -r clang-format -i
    fi
}
