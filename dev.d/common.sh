# Shared by the verbs of ./dev: messages, help, the machine's facts.

# Where things run. Each may be set in the environment, so that two clones can run side by side.
: "${LEAT_PG_PORT:=15432}" "${LEAT_KAFKA_PORT:=19092}" "${LEAT_REDIS_PORT:=16379}"
: "${LEAT_KAFKA_CONTROLLER_PORT:=$((LEAT_KAFKA_PORT + 1))}"
: "${LEAT_CACHE_DIR:=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/leat}"
: "${LEAT_NO_INSTALL:=0}"
LEAT_JOBS=${LEAT_JOBS:-$(nproc)}

say() { printf '%s\n' "$*" >&2; }
die() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}
dev_usage() {
    printf 'dev: %s\n' "$*" >&2
    exit 2
}

# A verb's help is the comment that opens its file; the first line is its summary.
dev_verb_help() {
    sed -n '/^#/!q; s/^# \{0,1\}//p' "dev.d/verbs/$1.sh"
}

dev_help() {
    if [ $# -gt 0 ] && [ -f "dev.d/verbs/$1.sh" ]; then
        dev_verb_help "$1"
        return
    fi
    echo "Usage: ./dev <verb> [arguments]     ('./dev <verb> --help' says more)"
    echo
    local file verb
    for verb in demo test up down build package bench crash chaos sim fuzz lint fmt; do
        file=dev.d/verbs/$verb.sh
        printf '  %-7s %s\n' "$verb" "$(sed -n '1s/^# [^:]*: //p' "$file")"
    done
    echo
    echo "Missing Debian packages are installed first (as root or through sudo);"
    echo "--no-install lists them and stops instead. Everything else stays inside build/ and"
    echo "the cache folder $LEAT_CACHE_DIR."
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# await <seconds> <what> <command...>: polls the command until it succeeds.
await() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            say "dev: gave up waiting for $what"
            return 1
        fi
        sleep 0.1
    done
}
