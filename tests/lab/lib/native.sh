# The lab on this machine's own kernel: new namespaces, and a root file system in memory laid over the real one.
# Sourced by tests/lab/run.
# shellcheck shell=bash

prepare_native() { prepare_root; }

run_in_native() {
    local status=0
    kernel_suffices || say "this kernel lacks what the job needs ($LAB_NEEDS): what uses it will fail"
    trap 'end_native; exit 130' INT
    trap 'end_native; exit 143' TERM HUP
    # --kill-child: with its first process, everything in the namespaces ends.
    setpriv --pdeathsig TERM timeout -k 5 --foreground "$LAB_LIMIT" \
        unshare --mount --net --pid --uts --ipc --fork --kill-child \
        bash "$LAB/lib/native-root.sh" "$(lab_root)" "$RUN/shared" "$LAB/lib/inside.sh" "$PROJECT" <"$(native_input)" &
    echo $! >"$RUN/pid"
    wait $! || status=$?
    rm -f "$RUN/pid"
    : >>"$RUN/console.log"
    trap - INT TERM HUP
    finish $status
}

native_input() { if [ -n "$LAB_INTERACTIVE" ]; then tty; else echo /dev/null; fi; }

end_native() { [ ! -e "$RUN/pid" ] || kill "$(cat "$RUN/pid")" 2>/dev/null || true; }
