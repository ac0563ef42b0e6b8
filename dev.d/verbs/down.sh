# down: stop the servers that './dev up' started
#
# Usage: ./dev down [--wipe] [postgres] [redis] [kafka]
#   --wipe    also delete their data
. dev.d/servers.sh

verb_main() {
    local arg wipe=0 servers=()
    for arg in "$@"; do
        case "$arg" in
        --wipe) wipe=1 ;;
        postgres | redis | kafka) servers+=("$arg") ;;
        *) dev_usage "down: unknown argument '$arg'" ;;
        esac
    done
    servers_down ${servers[@]+"${servers[@]}"}
    [ $wipe = 1 ] || return 0
    for arg in ${servers[@]:-postgres redis kafka}; do
        case "$arg" in
        postgres) rm -rf "$LEAT_SERVERS_DIR/pg" "$LEAT_SERVERS_DIR/pg-socket" ;;
        *) rm -rf "${LEAT_SERVERS_DIR:?}/$arg" ;;
        esac
    done
}
