# demo: run 20,000 leads from a CSV file through the whole pipeline and query them over HTTP
#
# Usage: ./dev demo [arguments]      arguments go to the script: ./dev demo --script-help
. dev.d/install.sh
. dev.d/build.sh
. dev.d/servers.sh
. dev.d/script.sh

verb_main() {
    run_script demo/demo.py "$@"
}
