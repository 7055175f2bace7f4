# The virtual machine's kernel: the distribution's stock one, unpacked into the cache, and the initial RAM disk that mounts
# this machine's files over 9p. Sourced by tests/lab/run.
# shellcheck shell=bash

# What the initial RAM disk must load before it can reach the files; everything else is loaded from there.
EARLY_MODULES=(virtio_pci virtio_console 9pnet_virtio 9p overlay)

kernel_folder() { echo "$CACHE/kernel-${TANDEM_LAB_KERNEL:-stock}"; }
kernel_version() { local found=("$(kernel_folder)"/lib/modules/*); basename "${found[0]}"; }
kernel_image() { echo "$(kernel_folder)/boot/vmlinuz-$(kernel_version)"; }

# The initial RAM disk's name changes with what it is made of.
initramfs() { echo "$CACHE/initramfs-$(kernel_version)-$(cat "$LAB/lib/initramfs" "$LAB/lib/kernel.sh" | sha256sum | cut -c1-12)"; }

prepare_kernel() {
    [ -d "$(kernel_folder)" ] || unpack_kernel
    [ -e "$(initramfs)" ] || make_initramfs
}

unpack_kernel() {
    needs_debian
    [ "$(dpkg --print-architecture)" = amd64 ] || fail "the lab's virtual machine is made for amd64 (x86-64) only; on other machines use a kernel with IPVS and TANDEM_LAB=native."
    local name names new
    names=$(kernel_packages)
    new=$(kernel_folder).new
    say "fetching a kernel (once)"
    rm -rf "$CACHE/kernel-debs" "$new"
    for name in $names; do
        download "$name" "$CACHE/kernel-debs" || fail "apt-get could not download $name: see $CACHE/apt.log"
        unpack "$CACHE/kernel-debs/${name}"_*.deb "$new"
    done
    [ -d "$new/lib" ] || ln -s usr/lib "$new/lib"
    depmod -b "$new" "$(basename "$new"/lib/modules/*)"
    rm -rf "$CACHE/kernel-debs"
    mv "$new" "$(kernel_folder)"
}

# The packages with the kernel and its modules, which the package that always names the newest kernel depends on.
kernel_packages() {
    local meta found
    for meta in ${TANDEM_LAB_KERNEL:-linux-image-amd64 linux-image-generic}; do
        found=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$meta" 2>/dev/null |
            grep -E '^linux-(image|modules|modules-extra)-[0-9]' | grep -v dbg | sort -u)
        [ -z "$found" ] || { echo "$found"; return; }
    done
    fail "no kernel package is known here (neither linux-image-amd64 nor linux-image-generic): run 'apt-get update', or name one in TANDEM_LAB_KERNEL."
}

make_initramfs() {
    local work=$CACHE/initramfs.new
    rm -rf "$work"
    mkdir -p "$work"/{bin,modules,dev,proc,sys,new}
    download busybox-static "$work.debs" || fail "apt-get could not download busybox-static: see $CACHE/apt.log"
    unpack "$work.debs"/busybox-static_*.deb "$work.debs/x"
    cp "$(find "$work.debs/x" -path "*/bin/busybox")" "$work/bin/busybox"
    cp "$LAB/lib/initramfs" "$work/init"
    chmod 755 "$work/init" "$work/bin/busybox"
    copy_early_modules "$work/modules"
    (cd "$work" && find . | ./bin/busybox cpio -o -H newc | gzip -1) >"$(initramfs).new"
    mv "$(initramfs).new" "$(initramfs)"
    rm -rf "$work" "$work.debs"
}

# Copies the modules, numbered in the order in which they must be loaded. Newer distributions compress them.
copy_early_modules() {
    local file number=100
    modprobe -d "$(kernel_folder)" -S "$(kernel_version)" --show-depends -a "${EARLY_MODULES[@]}" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
        while read -r file; do
            number=$((number + 1))
            case $file in
                *.xz) xz -dc "$file" ;;
                *.zst) zstd -qdc "$file" ;;
                *) cat "$file" ;;
            esac >"$1/$number-$(basename "$file" | sed 's/\.ko.*/.ko/')"
        done
}
