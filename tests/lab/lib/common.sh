# The lab's common parts: where things are, how messages look, which place the lab runs in, and the job file that says
# what to run there. Sourced by tests/lab/run.
# shellcheck shell=bash

TARGET=$PROJECT/target/lab
CACHE=$(realpath -m "${TANDEM_LAB_CACHE:-$TARGET/cache}")
RUNS=$TARGET/runs # one folder a run, so that several runs at once don't disturb each other
RUNS_KEPT=10
RUN= # this run's folder, see new_run_folder
LAB_INTERACTIVE=${LAB_INTERACTIVE-}

# Exit statuses of our own, beside those of the command that ran: the lab itself failed; its time was up.
LAB_FAILED=125
LAB_TIMED_OUT=124

say() { printf 'lab: %s\n' "$*" >&2; }

# die STATUS MESSAGE
die() {
    local status=$1
    shift
    say "$*"
    exit "$status"
}

# The lab itself failed.
fail() { die "$LAB_FAILED" "$@"; }

is_root() { [ "$(id -u)" = 0 ]; }

have() { command -v "$1" >/dev/null 2>&1; }

# IPVS appears in a kernel when its module is loaded, which only root can do.
kernel_has_ipvs() { [ -e /proc/net/ip_vs ] || { is_root && modprobe -q ip_vs 2>/dev/null && [ -e /proc/net/ip_vs ]; }; }

# What a job needs of the kernel: "ipvs", or only "namespaces" (with veth and bridges). Timings are real natively, and user
# code in an emulated machine is 15 times slower: what can do without IPVS should.
LAB_NEEDS=ipvs

kernel_suffices() {
    case $LAB_NEEDS in
        ipvs) kernel_has_ipvs ;;
        namespaces) kernel_has_namespaces ;;
    esac
}

# Tried, in a namespace that ends with the try: neither containers nor kernels say it in advance.
kernel_has_namespaces() {
    unshare --mount --net --pid --uts --ipc --fork sh -c \
        'ip link add one type veth peer name two && ip link add three type bridge && ip link add four link one type macvlan' \
        >/dev/null 2>&1
}

# Prints "native" or "vm".
choose_place() {
    case ${TANDEM_LAB:-auto} in
        native)
            is_root || fail "TANDEM_LAB=native needs root: run it with sudo, or without TANDEM_LAB for a virtual machine."
            echo native
            ;;
        vm) echo vm ;;
        auto) if is_root && kernel_suffices; then echo native; else echo vm; fi ;;
        *) die 2 "TANDEM_LAB is '$TANDEM_LAB', but can only be native or vm." ;;
    esac
}

# Fetches what a place needs. One run at a time does so; a second waits and then finds the work done.
prepare() {
    mkdir -p "$CACHE"
    exec 9>"$CACHE/lock"
    flock -n 9 || { say "waiting for another run that fills $CACHE"; flock 9; }
    "prepare_$1"
    exec 9>&-
}

new_run_folder() {
    mkdir -p "$RUNS"
    RUN=$(mktemp -d "$RUNS/$(date +%Y%m%d-%H%M%S)-XXXX")
    chmod 755 "$RUN"
    mkdir "$RUN/shared" "$RUN/shared/out"
    ln -sfn "$(basename "$RUN")" "$RUNS/last"
    forget_old_runs
}

# Keeps the newest folders. One with a live process id in it is in use.
forget_old_runs() {
    local old
    find "$RUNS" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n "+$((RUNS_KEPT + 1))" | cut -d' ' -f2- |
        while read -r old; do
            if [ ! -e "$old/pid" ] || ! kill -0 "$(cat "$old/pid")" 2>/dev/null; then rm -rf "$old"; fi
        done
}

# Writes the script that runs inside. It carries a few settings over; all else of the caller's environment, HOME among it,
# stays outside. The folder is the caller's, since paths are the same inside.
write_job() {
    local name
    {
        echo "cd $(quote "$PWD")"
        for name in TERM RUST_BACKTRACE RUST_LOG NO_COLOR KILLS SEED ${!TANDEM_@}; do
            [ -z "${!name-}" ] || echo "export $name=$(quote "${!name}")"
        done
        echo "export TANDEM_LAB_PROJECT=$(quote "$PROJECT") TANDEM_LAB_OUT=$(quote "$RUN/shared/out")"
        echo "exec$(for name in "$@"; do printf ' '; quote "$name"; done)"
    } >"$RUN/shared/job"
}

# Quotes one word for bash.
quote() { printf '%q' "$1"; }

# Ends the lab: with the status that the job left, or with the reason why there is none.
# finish STATUS_OF_THE_PLACE
finish() {
    local status
    if [ -s "$RUN/shared/status" ]; then
        status=$(cat "$RUN/shared/status")
        return "$status"
    fi
    [ "$1" != "$LAB_TIMED_OUT" ] || say "ended after ${LAB_LIMIT} s: TANDEM_LAB_TIMEOUT=SECONDS allows more."
    say "the lab ended without a result. The end of $RUN/console.log:"
    tail -n 30 "$RUN/console.log" >&2 || true
    [ "$1" = "$LAB_TIMED_OUT" ] || return "$LAB_FAILED"
    return "$LAB_TIMED_OUT"
}

LAB_LIMIT=${TANDEM_LAB_TIMEOUT:-3600}
