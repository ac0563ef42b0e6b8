# The three servers of the tests and the demo: Postgres, Redis and a Kafka 4 broker (KRaft), with
# their data in one folder, on loopback ports of their own. Sourced by the verbs.

KAFKA_VERSION=4.1.1
SERVERS_ALL="postgres redis kafka"

# Postgres refuses to run as root, so root hands it to the user below, and needs a data folder
# that this user can reach.
servers_setup() {
    PG_AS=()
    if [ "$(id -u)" = 0 ]; then
        PG_USER=postgres
        id "$PG_USER" >/dev/null 2>&1 || die "no user 'postgres'; is postgresql installed?"
        PG_AS=(setpriv "--reuid=$PG_USER" "--regid=$PG_USER" --init-groups env HOME=/)
    fi
    mkdir -p build/servers
    if [ -z "${LEAT_SERVERS_DIR:-}" ]; then
        LEAT_SERVERS_DIR=$LEAT_ROOT/build/servers
        if [ ${#PG_AS[@]} -gt 0 ] && ! "${PG_AS[@]}" test -x "$LEAT_SERVERS_DIR"; then
            LEAT_SERVERS_DIR=/var/tmp/leat-servers-$(cksum <<<"$LEAT_ROOT" | cut -d' ' -f1)
        fi
    fi
    mkdir -p "$LEAT_SERVERS_DIR"
    LEAT_SERVERS_DIR=$(cd "$LEAT_SERVERS_DIR" && pwd)
    PG_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    [ -x "$PG_BIN/initdb" ] || PG_BIN=$(dirname "$(command -v initdb || echo /nonexistent/initdb)")
    KAFKA_ADDRESS=127.0.0.1:$LEAT_KAFKA_PORT
    STORE_ADDRESS=postgresql://leat@127.0.0.1:$LEAT_PG_PORT/leat
    REDIS_ADDRESS=redis://127.0.0.1:$LEAT_REDIS_PORT/0
}

# One up or down at a time for this data folder; the lock is not inherited by the servers.
servers_lock() {
    exec 9>"$LEAT_SERVERS_DIR/lock"
    flock -w 180 9 || die "another './dev up' or './dev down' holds $LEAT_SERVERS_DIR/lock"
}

# owned_pid <pid file> <text in its command line>: prints the pid if that process is ours.
owned_pid() {
    local pid
    [ -s "$1" ] || return 1
    read -r pid <"$1"
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$2" || return 1
    echo "$pid"
}

# refuse_taken_port <server> <port> <variable>: somebody else's server is never used by accident.
refuse_taken_port() {
    port_open "$2" || return 0
    die "port $2 is taken by another process, so $1 cannot start; choose another: $3=<port> ./dev …"
}

give_up() {
    say "dev: $1 did not start; the end of $2:"
    tail -n 15 "$2" >&2 || true
    exit 1
}

postgres_pid() { owned_pid "$LEAT_SERVERS_DIR/pg/postmaster.pid" "$LEAT_SERVERS_DIR/pg"; }
redis_pid() { owned_pid "$LEAT_SERVERS_DIR/redis/redis.pid" "$LEAT_SERVERS_DIR/redis"; }
kafka_pid() { owned_pid "$LEAT_SERVERS_DIR/kafka/kafka.pid" "$LEAT_SERVERS_DIR/kafka"; }

postgres_settings() {
    local socket=$LEAT_SERVERS_DIR/pg-socket
    # A socket path has at most 107 bytes; a deeper clone does with TCP alone.
    [ ${#socket} -gt 85 ] && socket=
    cat <<EOF
listen_addresses = '127.0.0.1'
port = $LEAT_PG_PORT
unix_socket_directories = '$socket'
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 15min
fsync = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
EOF
}

postgres_create() {
    local dir=$LEAT_SERVERS_DIR
    say "dev: creating the Postgres data folder $dir/pg"
    rm -rf "$dir/pg"
    install -d -m 0700 ${PG_USER:+-o "$PG_USER"} "$dir/pg" "$dir/pg-socket"
    (cd / && "${PG_AS[@]}" "$PG_BIN/initdb" -D "$dir/pg" -U leat -A trust -E UTF8 --locale=C \
        --no-instructions) >"$dir/initdb.log" 2>&1 || give_up initdb "$dir/initdb.log"
    echo "include 'leat.conf'" >>"$dir/pg/postgresql.conf"
}

postgres_psql() {
    psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$LEAT_PG_PORT" -U leat "$@"
}

postgres_up() {
    postgres_pid >/dev/null && return
    refuse_taken_port Postgres "$LEAT_PG_PORT" LEAT_PG_PORT
    local dir=$LEAT_SERVERS_DIR
    [ -f "$dir/pg/created" ] || postgres_create
    postgres_settings >"$dir/pg/leat.conf"
    touch "$dir/pg.log"
    [ ${#PG_AS[@]} -gt 0 ] && chown "$PG_USER" "$dir/pg.log" "$dir/pg/leat.conf"
    (cd / && "${PG_AS[@]}" "$PG_BIN/pg_ctl" -D "$dir/pg" -l "$dir/pg.log" -w -t 60 -s start) \
        >"$dir/pg_ctl.log" 2>&1 9>&- </dev/null || give_up Postgres "$dir/pg.log"
    if [ ! -f "$dir/pg/created" ]; then
        postgres_psql -d postgres -c 'CREATE DATABASE leat'
        touch "$dir/pg/created"
    fi
    say "dev: Postgres is up on 127.0.0.1:$LEAT_PG_PORT"
}

postgres_down() {
    local pid
    pid=$(postgres_pid) || return 0
    kill -INT "$pid" # fast shutdown: roll back, checkpoint, end
    await 60 "Postgres to stop" gone "$pid" || kill -QUIT "$pid"
    say "dev: Postgres stopped"
}

redis_up() {
    redis_pid >/dev/null && return
    refuse_taken_port Redis "$LEAT_REDIS_PORT" LEAT_REDIS_PORT
    local dir=$LEAT_SERVERS_DIR/redis
    mkdir -p "$dir"
    cat >"$dir/redis.conf" <<EOF
bind 127.0.0.1
port $LEAT_REDIS_PORT
dir $dir
pidfile $dir/redis.pid
logfile $dir/redis.log
daemonize yes
set-proc-title no
appendonly yes
maxmemory 256mb
maxmemory-policy noeviction
EOF
    touch "$dir/redis.log"
    redis-server "$dir/redis.conf" >/dev/null 2>&1 9>&- </dev/null || give_up Redis "$dir/redis.log"
    await 15 "Redis on port $LEAT_REDIS_PORT" redis_answers || give_up Redis "$dir/redis.log"
    say "dev: Redis is up on 127.0.0.1:$LEAT_REDIS_PORT"
}

redis_answers() {
    [ "$(redis-cli -h 127.0.0.1 -p "$LEAT_REDIS_PORT" ping 2>/dev/null)" = PONG ] &&
        redis_pid >/dev/null
}

redis_down() { stop_process "$(redis_pid || true)" Redis; }

# The broker's jars come from Maven Central once and are shared by all clones of this user.
kafka_jars() {
    KAFKA_JARS=$LEAT_CACHE_DIR/kafka-$KAFKA_VERSION
    [ -f "$KAFKA_JARS/complete" ] && return
    mkdir -p "$LEAT_CACHE_DIR"
    exec 8>"$LEAT_CACHE_DIR/kafka.lock"
    flock -w 600 8 || die "another process fetches Kafka for too long ($LEAT_CACHE_DIR/kafka.lock)"
    if [ ! -f "$KAFKA_JARS/complete" ]; then
        say "dev: fetching Kafka $KAFKA_VERSION from Maven Central into $KAFKA_JARS"
        rm -rf "$KAFKA_JARS.part"
        mvn -q -B -f dev.d/kafka-pom.xml "-Dkafka.version=$KAFKA_VERSION" \
            dependency:copy-dependencies "-DoutputDirectory=$KAFKA_JARS.part" \
            >"$LEAT_SERVERS_DIR/mvn.log" 2>&1 || give_up "the download" "$LEAT_SERVERS_DIR/mvn.log"
        touch "$KAFKA_JARS.part/complete"
        rm -rf "$KAFKA_JARS"
        mv "$KAFKA_JARS.part" "$KAFKA_JARS"
    fi
    exec 8>&-
}

kafka_properties() {
    cat <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$LEAT_KAFKA_CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$LEAT_KAFKA_PORT,CONTROLLER://127.0.0.1:$LEAT_KAFKA_CONTROLLER_PORT
advertised.listeners=PLAINTEXT://$KAFKA_ADDRESS
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$LEAT_SERVERS_DIR/kafka/data
auto.create.topics.enable=false
delete.topic.enable=true
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
EOF
}


kafka_format() {
    local dir=$LEAT_SERVERS_DIR/kafka id
    say "dev: creating the Kafka data folder $dir/data"
    rm -rf "$dir/data"
    id=$(java -cp "$KAFKA_JARS/*" kafka.tools.StorageTool random-uuid 2>"$dir/format.log") ||
        give_up "Kafka's storage tool" "$dir/format.log"
    java -cp "$KAFKA_JARS/*" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" \
        >>"$dir/format.log" 2>&1 || give_up "Kafka's storage tool" "$dir/format.log"
}

kafka_start() {
    local dir=$LEAT_SERVERS_DIR/kafka
    refuse_taken_port Kafka "$LEAT_KAFKA_PORT" LEAT_KAFKA_PORT
    refuse_taken_port "Kafka's controller" "$LEAT_KAFKA_CONTROLLER_PORT" LEAT_KAFKA_CONTROLLER_PORT
    mkdir -p "$dir"
    kafka_jars
    kafka_properties >"$dir/server.properties"
    [ -f "$dir/data/meta.properties" ] || kafka_format
    : >"$dir/kafka.log"
    setsid java -Xms256m -Xmx1g -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError \
        "-Dlog4j2.configurationFile=$LEAT_ROOT/dev.d/kafka-log4j2.properties" \
        -cp "$KAFKA_JARS/*" kafka.Kafka "$dir/server.properties" \
        >>"$dir/kafka.log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/kafka.pid"
    disown
}

kafka_up() {
    local started=0 dir=$LEAT_SERVERS_DIR/kafka
    if ! kafka_pid >/dev/null; then
        kafka_start
        started=1
    fi
    await 150 "Kafka on port $LEAT_KAFKA_PORT" kafka_started_or_gone ||
        give_up Kafka "$dir/kafka.log"
    kafka_started || give_up Kafka "$dir/kafka.log"
    [ $started = 0 ] || say "dev: Kafka is up on $KAFKA_ADDRESS"
}

kafka_started() {
    grep -q 'Kafka Server started' "$LEAT_SERVERS_DIR/kafka/kafka.log" &&
        port_open "$LEAT_KAFKA_PORT"
}

kafka_started_or_gone() {
    kafka_started || gone "$(cat "$LEAT_SERVERS_DIR/kafka/kafka.pid")"
}

kafka_down() { stop_process "$(kafka_pid || true)" Kafka; }

gone() { [ ! -e "/proc/$1" ] || [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" = Z ]; }

# stop_process <pid or nothing> <name>
stop_process() {
    [ -n "$1" ] || return 0
    kill -TERM "$1"
    await 40 "$2 to stop" gone "$1" || kill -KILL "$1"
    say "dev: $2 stopped"
}

# Clients read these: `. build/servers/env`.
servers_env() {
    cat <<EOF
export KAFKA=$KAFKA_ADDRESS
export STORE_URL=$STORE_ADDRESS
export REDIS_URL=$REDIS_ADDRESS
EOF
}

# servers_up [server...]: default all; returns when each of them answers.
servers_up() {
    local server
    servers_setup
    servers_lock
    for server in ${@:-$SERVERS_ALL}; do
        "${server}_up"
    done
    servers_env >"$LEAT_ROOT/build/servers/env"
    exec 9>&-
}

servers_down() {
    local server
    servers_setup
    servers_lock
    for server in ${@:-kafka redis postgres}; do
        "${server}_down"
    done
    exec 9>&-
}
