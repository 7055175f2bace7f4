# The lab in a virtual machine: QEMU, with this machine's files shared over 9p. Sourced by tests/lab/run.
# shellcheck shell=bash

prepare_vm() {
    host_needs qemu-system-x86_64=qemu-system-x86 modprobe=kmod
    prepare_root
    prepare_kernel
    [ -e "$(accelerator_file)" ] || probe_kvm
}

# Hardware virtualisation may be there and still not work (inside another virtual machine it may hang), so it is tried
# once: the kernel must come up within 10 seconds. The result holds for this machine and this boot of it.
accelerator_file() { echo "$CACHE/accelerator-$(cat /proc/sys/kernel/random/boot_id)"; }

probe_kvm() {
    local found=tcg qemu_base
    name_qemu_base
    if [ -w /dev/kvm ] && timeout -k 1 10 qemu-system-x86_64 -accel kvm -cpu host "${qemu_base[@]}" -m 256M -serial stdio \
        -append "console=ttyS0 panic=-1 lab.probe" </dev/null 2>/dev/null | grep -q "lab: alive"; then
        found=kvm
    fi
    rm -f "$CACHE"/accelerator-*
    echo $found >"$(accelerator_file)"
    [ $found = kvm ] || say "no working hardware virtualisation: the virtual machine is emulated, about 15 times slower"
}

# Fills the array `qemu_base` with what every machine has.
name_qemu_base() { qemu_base=(-M q35 -nodefaults -no-user-config -display none -no-reboot -kernel "$(kernel_image)" -initrd "$(initramfs)"); }

processors() { local all; all=$(nproc); echo "${TANDEM_LAB_CPUS:-$((all < 4 ? all : 4))}"; }

# A path within an option of QEMU, where a comma separates.
option() { echo "${1//,/,,}"; }

# Fills the array `qemu` with the command line.
qemu_command() {
    # Emulated processors share one time-stamp counter, which the kernel cannot know: without the word, each reading of the
    # clock would be one of an emulated device, ten times as dear as a system call.
    local qemu_base append="console=ttyS0 quiet panic=-1 mitigations=off norandmaps tsc=reliable"
    qemu=(qemu-system-x86_64)
    if [ "$(cat "$(accelerator_file)")" = kvm ]; then qemu+=(-accel kvm -cpu host); else qemu+=(-accel "tcg,thread=multi" -cpu max); fi
    name_qemu_base
    qemu+=("${qemu_base[@]}" -smp "$(processors)" -m "${TANDEM_LAB_MEMORY:-2G}" -device virtio-serial-pci)
    qemu+=(-virtfs "local,path=/,mount_tag=host,security_model=passthrough,multidevs=remap,readonly=on")
    qemu+=(-virtfs "local,path=$(option "$(lab_root)"),mount_tag=root,security_model=passthrough,multidevs=remap,readonly=on")
    # What the guest makes here belongs to us, is never a device nor set-user-id: owner and mode go to attributes.
    qemu+=(-virtfs "local,path=$(option "$RUN/shared"),mount_tag=shared,security_model=mapped-xattr")
    qemu+=(-chardev "file,id=console,path=$(option "$RUN/console.log")" -serial chardev:console)
    if [ -n "$LAB_INTERACTIVE" ]; then
        qemu+=(-chardev "stdio,id=tty,signal=off" -device "virtconsole,chardev=tty")
        append+=" lab.interactive"
    else
        qemu+=(-chardev "file,id=out,path=$(option "$RUN/out.fifo")" -device "virtserialport,chardev=out,name=lab.out")
        qemu+=(-chardev "file,id=err,path=$(option "$RUN/err.fifo")" -device "virtserialport,chardev=err,name=lab.err")
    fi
    qemu+=(-append "$append")
}

run_in_vm() {
    local qemu status=0
    {
        echo "RUN_SHARED=$(quote "$RUN/shared") INSIDE=$(quote "$LAB/lib/inside.sh")"
        echo "MODULES=$(quote "$(kernel_folder)/lib/modules/$(kernel_version)")"
    } >"$RUN/shared/place"
    qemu_command
    trap 'end_vm; exit 130' INT
    trap 'end_vm; exit 143' TERM HUP
    if [ -n "$LAB_INTERACTIVE" ]; then run_on_terminal || status=$?; else run_streamed || status=$?; fi
    trap - INT TERM HUP
    finish $status
}

# QEMU writes what the job prints into two pipes; a `cat` each carries it to where our own output goes.
run_streamed() {
    local status=0 cats=()
    mkfifo "$RUN/out.fifo" "$RUN/err.fifo"
    cat "$RUN/out.fifo" & cats+=($!)
    cat "$RUN/err.fifo" >&2 & cats+=($!)
    # timeout ends a machine that hangs; setpriv sees to it that the machine ends if we are killed.
    setpriv --pdeathsig TERM timeout -k 5 "$LAB_LIMIT" "${qemu[@]}" </dev/null 2>"$RUN/qemu.log" &
    echo $! >"$RUN/pid"
    wait "$(cat "$RUN/pid")" || status=$?
    wait_for_output "${cats[@]}"
    rm -f "$RUN/pid" "$RUN"/*.fifo
    [ ! -s "$RUN/qemu.log" ] || [ -s "$RUN/shared/status" ] || cat "$RUN/qemu.log" >&2
    return $status
}

# Both pipes end when QEMU does. If it failed before it opened them, the `cat`s would wait for ever: we open them once.
wait_for_output() {
    : 4<>"$RUN/out.fifo" 5<>"$RUN/err.fifo"
    wait "$@" || true
}

run_on_terminal() {
    local status=0 saved
    saved=$(stty -g)
    echo $$ >"$RUN/pid"
    stty raw -echo
    timeout --foreground -k 5 "$LAB_LIMIT" "${qemu[@]}" 2>"$RUN/qemu.log" || status=$?
    stty "$saved"
    return $status
}

end_vm() { [ ! -e "$RUN/pid" ] || kill "$(cat "$RUN/pid")" 2>/dev/null || true; }
