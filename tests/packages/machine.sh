# The machine on which the packages live in their tests: its network, what is seen of it, and upgrades. Sourced with `folder` set,
# where two revisions of the package are.
# shellcheck shell=bash
# shellcheck disable=SC2154 # folder

export DEBIAN_FRONTEND=noninteractive
first=$(ls "$folder"/tandem_*-1_*.deb)
second=$(ls "$folder"/tandem_*-2_*.deb)
VIP=192.168.101.100
policy=/etc/tandem/tandem.yaml

# A container's image says that packages start nothing.
rm -f /usr/sbin/policy-rc.d
hostname lb-a

modprobe -q ip_vs 2>/dev/null || true
has_ipvs() { [ -e /proc/net/ip_vs ]; }

# --- The network: a client and a real server, each in a namespace, on one bridge with the director.
build_network() {
    local name
    ip link add eth0 type bridge
    ip link set eth0 up
    ip addr add 192.168.101.200/24 dev eth0
    for name in client:50 server:110; do
        ip netns add "${name%:*}"
        ip link add "to-${name%:*}" type veth peer name eth0 netns "${name%:*}"
        ip link set "to-${name%:*}" master eth0 up
        ip -n "${name%:*}" link set lo up
        ip -n "${name%:*}" link set eth0 up
        ip -n "${name%:*}" addr add "192.168.101.${name#*:}/24" dev eth0
    done
    ip netns exec server sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    ip -n server addr add $VIP/32 dev lo
}

# A line every 100 ms for as long as somebody listens.
serve() { socat TCP-LISTEN:8080,fork,reuseaddr SYSTEM:'while echo tick; do sleep 0.1; done' 2>/dev/null; }

start_server() {
    if has_ipvs; then ip netns exec server bash -c "$(declare -f serve); serve" & else serve & fi
}

# One connection, whose lines are counted while it lives.
start_client() {
    ip netns exec client socat -u "TCP:$VIP:8080,connect-timeout=5" OPEN:/tmp/ticks,creat,trunc 2>/tmp/client.log &
    client=$!
}
ticks() { wc -l </tmp/ticks; }
first_line() { ip netns exec client timeout 5 socat -u "TCP:$VIP:8080,connect-timeout=1" - 2>/dev/null | head -n 1 || true; }
served() { [ "$(first_line)" = tick ]; }
client_lives() { kill -0 "$client" 2>/dev/null; }
more_ticks() { [ "$(ticks)" -gt "$1" ]; }

# --- What the host looks like.
table() { if has_ipvs; then ipvsadm -Sn 2>/dev/null; fi; }
settings() { grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/send_redirects /proc/sys/net/ipv4/vs/{conntrack,expire_nodest_conn,conn_reuse_mode} 2>/dev/null; }
addresses() { ip -o addr show dev eth0 | awk '{print $4}' | grep -v '^fe80' | sort; }
host_state() { table; settings; addresses; nft list ruleset 2>/dev/null; }
ours() {
    find /etc /usr /run /var/lib -xdev \( -name '*tandem*' -o -path '*/tandem/*' \) -not -path '/var/lib/dpkg/*' -not -path '/run/packages/*' \
        -not -path '/run/systemd/*' -not -path "$folder*" 2>/dev/null | sort
}

install_package() { dpkg --force-confold -i "$1" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; return 1; }; }
main_pid() { systemctl show -P MainPID tandem; }
is_active() { systemctl --quiet is-active tandem; }
property() { systemctl show -P "$1" tandem; }
process_status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(main_pid)/status"; }
journal() { journalctl --no-pager -u tandem -o cat --since "@$began"; }
is_master() { tandem status | grep -q Master; }

# --- Policies.
write_router() {
    cat >$policy <<POLICY
policy_version: 1
directors: {lb-a: {address: 192.168.101.200}, lb-b: {address: 192.168.101.201}}
virtual_routers:
  outside: {interface: eth0, vrid: 51, prefer: [lb-a, lb-b], virtual_addresses: [192.168.101.99/24]}
POLICY
}
write_pool() {
    if has_ipvs; then
        cat >$policy <<POLICY
policy_version: 1
virtual_addresses: [{address: $VIP/24, interface: eth0}]
pools:
  web: {virtual_services: [tcp://$VIP:8080], forwarding: dr, check: {tcp: {}}, real_servers: [192.168.101.110]}
POLICY
    else
        printf 'policy_version: 1\nvirtual_addresses: [{address: %s/24, interface: eth0}]\n' $VIP >$policy
    fi
}

# --- Upgrades.
# Seconds between two advertisements on the wire, at most, from the capture's start to its end.
longest_gap() { tcpdump -Z root -tt -n -r /tmp/adverts.pcap 2>/dev/null | awk '{ if (NR > 1 && $1 - last > most) most = $1 - last; last = $1 } END { print NR, most + 0 }'; }

# To the second revision, back, and once more, as Master.
upgrade_while_it_advertises() {
    ip netns exec client tcpdump -Z root -U -q -i eth0 -w /tmp/adverts.pcap 'ip proto 112' 2>/tmp/tcpdump.log &
    capture=$!
    check "the capture runs" until_true 10 contains_file /tmp/tcpdump.log 'listening on'
    for package in "$second" "$first" "$second" "$first"; do
        pid=$(main_pid)
        check "$(basename "$package") installs" install_package "$package"
        check "another process runs" refused same "$pid" "$(main_pid)"
        check "it is Master still" is_master
    done
    sleep 1
    kill "$capture" || true; wait "$capture" 2>/dev/null || true
    read -r adverts gap <<<"$(longest_gap)"
    echo "        $adverts advertisements, $gap s apart at most, at an interval of 0.1 s"
    check "they came all the time" test "$adverts" -gt 20
    # Where the machine gives no real time to the thread (above), it is late as often as the machine is.
    check "and never so late that another director would have taken over" awk "BEGIN { exit !($gap < 0.3) }"
}

# upgrade_under_traffic PACKAGE WORD : the connection lives through it, and the log of the process before has that word.
upgrade_under_traffic() {
    local pid served_by began_at
    pid=$(main_pid)
    served_by=$(table)
    began_at=$(ticks)
    check "the package installs" install_package "$1"
    check "another process runs" until_true 30 refused same "$pid" "$(main_pid)"
    check "the one before says: $2" contains "$(journalctl --no-pager -o cat "_PID=$pid")" "$2"
    check "the director runs" until_true 30 is_active
    check "the table is the same" same "$served_by" "$(table)"
    check "the edited policy stays" same "$edited" "$(sha256sum <$policy)"
    check "the connection lives, and its lines come" until_true 10 more_ticks $((began_at + 5))
    check "it was never reset" client_lives
    check "new ones come in" until_true 10 served
}

# Nobody answers there: so it is where the director is too old to be taken over.
hide_socket() { mv /run/tandem/tandem.sock /run/tandem/hidden.sock; }

# By takeover and by restart, there and back; the second revision stays.
upgrade_by_each_way() {
    edited=$(sha256sum <$policy)
    start_client
    check "a connection is open" until_true 20 more_ticks 5
    echo "== upgraded under traffic, by takeover"
    upgrade_under_traffic "$second" 'handed on to'
    echo "== and back"
    upgrade_under_traffic "$first" 'handed on to'
    echo "== upgraded under traffic, by restart"
    hide_socket
    upgrade_under_traffic "$second" 'stopping'
    echo "== and back"
    hide_socket
    upgrade_under_traffic "$first" 'stopping'
    check "and once more by takeover" install_package "$second"
    kill "$client"; wait "$client" 2>/dev/null || true
}

began=$(date +%s)

build_network
start_server
before=$(host_state)
ours_before=$(ours)
