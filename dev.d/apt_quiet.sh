#!/usr/bin/env bash
# Runs as root: installs the packages named, so that no service starts and no Postgres cluster is
# made. What it puts in place for that (policy-rc.d, createcluster.conf) it takes away again.
set -euo pipefail
policy=/usr/sbin/policy-rc.d
cluster_conf=/etc/postgresql-common/createcluster.conf
undo=()
restore() {
    local step
    for step in "${undo[@]-}"; do
        eval "$step"
    done
}
trap restore EXIT

if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    undo+=("rm -f $policy")
elif [ "$("$policy" redis-server start >/dev/null 2>&1; echo $?)" != 101 ]; then
    mv "$policy" "$policy.leat-saved"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    undo+=("mv -f $policy.leat-saved $policy")
fi

if [ ! -e "$cluster_conf" ]; then
    mkdir -p "$(dirname "$cluster_conf")"
    echo 'create_main_cluster = false' >"$cluster_conf"
    packaged=/usr/share/postgresql-common/createcluster.conf
    undo+=("cp -f $packaged $cluster_conf || rm -f $cluster_conf")
fi

redis_was_there=$(dpkg-query -W -f='${db:Status-Status}' redis-server 2>/dev/null || true)
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"
# A Redis that only came for the tests does not start with the machine.
if [ "$redis_was_there" != installed ] && command -v systemctl >/dev/null; then
    systemctl disable redis-server.service || true
fi
