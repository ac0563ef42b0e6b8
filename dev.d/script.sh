# The verbs that end in a script of another folder. Sourced by those verbs.

# run_script <script> [argument...]: packages, the release build, servers up, then the script with
# KAFKA, STORE_URL, REDIS_URL, LEAT_BIN and LEAT_ROOT in its environment. Only the program, the
# modules and the tests' Kafka client are built, and what SCRIPT_TARGETS names.
run_script() {
    local script=$1
    shift
    [ -f "$script" ] || die "$script does not exist in this tree"
    if [ "${1:-}" = --script-help ]; then
        exec python3 "$script" --help
    fi
    need build servers
    build_preset release leat modules kafka_tool ${SCRIPT_TARGETS:-}
    servers_up
    set -a
    . build/servers/env
    set +a
    export LEAT_BIN=$LEAT_ROOT/build/release/bin/leat LEAT_ROOT
    exec python3 "$script" "$@"
}
