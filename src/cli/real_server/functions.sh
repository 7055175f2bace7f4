# What is claimed and what was found, until the next boot.
state=${TANDEM_REAL_SERVER_STATE:-/run/tandem-real-server}

fail() { echo "tandem real-server: $*" >&2; exit 1; }
key() { echo "$*" | tr '/ ' '++'; }

# Several pools may need the same thing on this host. Each claims it; only the last one that lets go takes it back. What was
# there before, and nobody claims, is somebody else's and stays.
claim() { mkdir -p "$state/$1"; : >"$state/$1/$pool"; }
is_claimed() { [ -d "$state/$1" ]; }
was_last() { rm -f "$state/$1/$pool"; rmdir "$state/$1" 2>/dev/null; }

# own_address ADDRESS... : the first of them that this host has.
own_address() {
    for candidate in "$@"; do
        if [ -n "$(ip -o address show to "$candidate")" ]; then echo "$candidate"; return 0; fi
    done
    fail "this host has none of the addresses $*: it is no real server of pool $pool"
}

# setting PATH TEST NUMBER [VALUE] : where "what is there TEST NUMBER" does not hold below /proc/sys, writes VALUE (the number
# itself) and keeps what was found.
setting() {
    name=$(key "$1")
    if [ "$(cat "/proc/sys/$1")" "$2" "$3" ]; then
        if is_claimed "$name"; then claim "$name"; fi
        return 0
    fi
    claim "$name"
    [ -e "$state/$name.found" ] || cat "/proc/sys/$1" >"$state/$name.found"
    echo "${4-$3}" >"/proc/sys/$1"
}
restore() {
    name=$(key "$1")
    was_last "$name" || return 0
    cat "$state/$name.found" >"/proc/sys/$1"
    rm -f "$state/$name.found"
}

# hold ADDRESS DEVICE OPTIONS...
hold() {
    address=$1 device=$2
    shift 2
    name=$(key "address $address $device")
    if has "$address" "$device"; then
        if is_claimed "$name"; then claim "$name"; fi
        return 0
    fi
    claim "$name"
    ip address add "$address" dev "$device" "$@"
}
let_go() {
    was_last "$(key "address $1 $2")" || return 0
    if has "$1" "$2"; then ip address del "$1" dev "$2"; fi
}
has() { [ -n "$(ip -o address show dev "$2" to "$1" 2>/dev/null)" ]; }
