# crash: kill and pause processes under load for minutes, then count that nothing is lost or doubled
#
# Usage: ./dev crash [arguments]      arguments go to the script: ./dev crash --script-help
. dev.d/install.sh
. dev.d/build.sh
. dev.d/servers.sh
. dev.d/script.sh

verb_main() {
    run_script chaos/crash.py "$@"
}
