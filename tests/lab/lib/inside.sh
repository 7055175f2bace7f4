# The lab's inner half: the first process of the virtual machine or of the namespaces. It makes the place ready, runs the
# job, and leaves its exit status in the shared folder.
# inside.sh SHARED_FOLDER vm|native
# shellcheck shell=bash
shared=$1
place=$2
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/run/home TERM=dumb TANDEM_LAB_PLACE=$place

# Modules that nothing loads by itself when it is first used. (Schedulers are left out on purpose: the kernel asks for them
# through /proc/sys/kernel/modprobe, and a case should see that work.)
modules=(
    ip_vs nf_conntrack nf_tables nft_chain_nat nft_nat nft_masq nft_ct nft_fib_inet nft_numgen nf_conntrack_netlink
    ipip ip6_tunnel sit fou fou6 ip_gre ip6_gre veth bridge macvlan dummy nlmon sch_netem
)

mount_folders() {
    mkdir -p /dev/pts /dev/shm /run
    mountpoint -q /dev/pts || mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/netns /run/lock "$HOME"
    [ "$place" = native ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

name_the_place() {
    hostname lab
    echo "127.0.0.1 localhost lab" >/etc/hosts
    echo "::1 localhost" >>/etc/hosts
    : >/etc/resolv.conf
    ip link set lo up
}

# Programs are unpacked here and not installed, so nobody has made the users that they ask for by name.
add_users() {
    local name
    add_group frrvty
    for name in frr Debian-exim; do
        add_group "$name"
        getent passwd "$name" >/dev/null ||
            printf '%s:x:%s:%s::/nonexistent:/usr/sbin/nologin\n' "$name" "$(free_number passwd)" "$(getent group "$name" | cut -d: -f3)" >>/etc/passwd
    done
}

# frr is a member of each group, which only frrvty needs.
add_group() { getent group "$1" >/dev/null || printf '%s:x:%s:frr\n' "$1" "$(free_number group)" >>/etc/group; }

# free_number passwd|group : the first number of 900 and above that nobody there has.
free_number() { local number=900; while getent "$1" "$number" >/dev/null; do number=$((number + 1)); done; echo $number; }

mount_folders
name_the_place
add_users
modprobe -a -q "${modules[@]}" 2>/dev/null || true
# The tunnel modules put seven devices of their own into every new network namespace: they cost time and say nothing.
[ "$place" = native ] || echo 1 >/proc/sys/net/core/fb_tunnels_only_for_init_net

# The port of the virtual machine that the host reads as this name.
port() {
    local folder
    for folder in /sys/class/virtio-ports/*; do
        [ "$(cat "$folder/name")" != "$1" ] || echo "/dev/$(basename "$folder")"
    done
}

run_job() {
    if [ "$place" = native ]; then
        bash "$shared/job"
    elif grep -q lab.interactive /proc/cmdline; then
        setsid --ctty --wait bash "$shared/job" <>/dev/hvc0 >&0 2>&0
    else
        setsid --wait bash "$shared/job" </dev/null >"$(port lab.out)" 2>"$(port lab.err)"
    fi
}

run_job
status=$?
echo "$status" >"$shared/status"
sync
[ "$place" = vm ] || exit "$status"
# Off, at once: nothing here is worth an orderly end.
echo o >/proc/sysrq-trigger
sleep 60
