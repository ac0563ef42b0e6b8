# bench: measure throughput, latency and memory against the hand-written floor
#
# Usage: ./dev bench [arguments]      arguments go to the script: ./dev bench --script-help
. dev.d/install.sh
. dev.d/build.sh
. dev.d/servers.sh
. dev.d/script.sh

verb_main() {
    SCRIPT_TARGETS=bench_latency run_script tests/bench/bench.py "$@"
}
