# chaos: faults on real servers under load - kills, partitions, fail-overs - then the count
#
# Usage: ./dev chaos [scenario...] [--list] [--seed S] [--minutes M] [arguments]
#   --list   the scenarios; without a name all of them run, each for about 40 s
#
# Arguments go to the script: ./dev chaos --script-help. It starts servers of its own.
. dev.d/install.sh
. dev.d/build.sh
. dev.d/servers.sh
. dev.d/script.sh

verb_main() {
    PACKAGES_chaos="libfaketime pgbouncer"
    need chaos
    run_script chaos/chaos.py "$@"
}
