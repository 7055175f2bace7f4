
# unwrap DEVICE TYPE-AND-OPTIONS... : a device that takes the outer header off. What comes out of it has a client's address,
# to which answers leave by another interface: no test of the return path.
unwrap() {
    device=$1
    shift
    claim "$(key "device $device")"
    is_there "$device" || ip link add "$device" "$@"
    echo 0 >"/proc/sys/net/ipv4/conf/$device/rp_filter"
    ip link set "$device" up
}
remove() {
    was_last "$(key "device $1")" || return 0
    if is_there "$1"; then ip link del "$1"; fi
}
is_there() { ip link show dev "$1" >/dev/null 2>&1; }
