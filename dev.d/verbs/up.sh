# up: start Postgres, Redis and Kafka on their own ports and wait until each answers
#
# Usage: ./dev up [--fresh] [postgres] [redis] [kafka]
#   --fresh   stop them and throw their data away first
#
# Prints the addresses for clients and writes them to build/servers/env. Does nothing for a server
# that is already up. Ports and folder come from LEAT_PG_PORT (15432), LEAT_REDIS_PORT (16379),
# LEAT_KAFKA_PORT (19092; the controller uses the next one) and LEAT_SERVERS_DIR (build/servers).
. dev.d/install.sh
. dev.d/servers.sh

verb_main() {
    local arg fresh=0 servers=()
    for arg in "$@"; do
        case "$arg" in
        --fresh) fresh=1 ;;
        postgres | redis | kafka) servers+=("$arg") ;;
        *) dev_usage "up: unknown argument '$arg'" ;;
        esac
    done
    need servers
    if [ $fresh = 1 ]; then
        . dev.d/verbs/down.sh
        (verb_main --wipe) || exit 1
    fi
    servers_up ${servers[@]+"${servers[@]}"}
    servers_env
}
