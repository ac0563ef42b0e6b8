# The verbs that end in a script of another folder. Sourced by those verbs.

# run_script <verb> <script> [argument...]: packages, the release build, servers up, then the
# script with KAFKA, STORE_URL, REDIS_URL and LEAT_BIN in its environment.
run_script() {
    local verb=$1 script=$2
    shift 2
    [ -f "$script" ] || die "$verb: $script does not exist in this tree yet"
    if [ "${1:-}" = --script-help ]; then
        exec python3 "$script" --help
    fi
    need build servers
    build_preset release
    servers_up
    set -a
    . build/servers/env
    set +a
    export LEAT_BIN=$LEAT_ROOT/build/release/bin/leat LEAT_ROOT
    exec python3 "$script" "$@"
}
