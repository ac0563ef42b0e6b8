# test: build and run every test; ends with one line 'N passed, N failed'
#
# Usage: ./dev test [--list] [stage...]
#   --list    name the stages that exist in this tree
#
# Default: every stage. Logs of what failed are kept in build/test-logs. The servers are started
# as by './dev up' when a stage needs them, and stopped afterwards if the tests started them.
. dev.d/install.sh

verb_main() {
    if [ "${1:-}" != --list ]; then
        need build test lint fuzz package servers
    fi
    exec python3 tests/run "$@"
}
