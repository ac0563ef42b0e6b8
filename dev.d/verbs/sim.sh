# sim: run the protocol core under seeded crashes, pauses and lost messages, for a while
#
# Usage: ./dev sim [--minutes M] [--seed S] [--planted] [arguments]
#   --minutes M   how long, one core (default 1)
#   --seed S      the first seed; they go up from there (default: from the clock)
#   --planted     instead: every planted bug must be found
#   --faults, --plant, --commands, --verbose ... go to the program; `./dev sim --program-help`
#
# Built optimised. A history that fails is printed, made smaller and appended to
# tests/sim/seeds.txt, which ./dev test replays: commit it with the mend. Exit codes: 0 all held,
# 1 not, 2 usage.
. dev.d/install.sh
. dev.d/build.sh

verb_main() {
    local minutes=1 seed=() rest=() timed=1
    while [ $# -gt 0 ]; do
        case "$1" in
        --minutes)
            [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || dev_usage "sim: --minutes needs a number"
            minutes=$2
            shift
            ;;
        --seed)
            [[ ${2:-} =~ ^[0-9]+$ ]] || dev_usage "sim: --seed needs a number"
            seed=(--seed "$2")
            shift
            ;;
        --program-help)
            rest+=(--help)
            timed=0
            ;;
        --planted | --replay | --seeds | --steps | --verbose)
            rest+=("$1")
            timed=0
            ;;
        *) rest+=("$1") ;;
        esac
        shift
    done
    need build
    build_preset release leat_sim
    if [ $timed = 1 ]; then
        [ ${#seed[@]} -gt 0 ] || seed=(--seed "$(date +%s)000")
        rest+=(--minutes "$minutes" --keep tests/sim/seeds.txt)
    fi
    exec build/release/bin/leat_sim ${seed[@]+"${seed[@]}"} ${rest[@]+"${rest[@]}"}
}
