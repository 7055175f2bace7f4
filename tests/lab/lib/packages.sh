# What the lab needs of the distribution. Only what must run on this machine itself is installed on it (QEMU); all other
# programs are downloaded and unpacked into a folder of the cache, which the lab lays over this machine's files: no daemon
# starts here and nothing is left behind. Sourced by tests/lab/run.
# shellcheck shell=bash

# What the cases call inside. prometheus (for promtool) is fetched apart, since only one file of it is wanted.
INSIDE_PACKAGES=(
    bind9-dnsutils conntrack curl dnsmasq-base ethtool frr iproute2 iptables iputils-ping ipvsadm jq keepalived kmod nftables nginx
    openssl procps socat strace tcpdump tmux tshark
)

# The real servers that tests/servers probes, and what drives them. They are in a root of their own: databases are large, and
# all that is unpacked is copied into memory at each start.
SERVER_PACKAGES=(
    dnsmasq-base etcd-server exim4-daemon-light iproute2 libedit2 libseccomp2 mariadb-client-core mariadb-server-core memcached nginx
    openssl postgresql procps redis-server unbound
)
# Packages without what they depend on, which is named above. A time server may not be installed beside another one.
SERVER_PACKAGES_ALONE=(chrony)
# What reads the metrics in tests/monitoring. prometheus is a program without libraries; its own dependencies are for its page.
MONITORING_PACKAGES=(iproute2 kmod nftables openssl procps)
MONITORING_PACKAGES_ALONE=(prometheus)
INSIDE_PACKAGES_ALONE=()
WANTS_PROMTOOL=1

# Lays the servers over this machine's files, and not the lab's other programs.
want_servers() {
    INSIDE_PACKAGES=("${SERVER_PACKAGES[@]}")
    INSIDE_PACKAGES_ALONE=("${SERVER_PACKAGES_ALONE[@]}")
    WANTS_PROMTOOL=
}

# Lays Prometheus over this machine's files, and not the lab's other programs.
want_monitoring() {
    INSIDE_PACKAGES=("${MONITORING_PACKAGES[@]}")
    INSIDE_PACKAGES_ALONE=("${MONITORING_PACKAGES_ALONE[@]}")
    WANTS_PROMTOOL=
}

# The first process of the packages' test, where this machine has none: a container's image, say.
want_systemd() { [ -x /lib/systemd/systemd ] || INSIDE_PACKAGES+=(systemd); }

# host_needs COMMAND=PACKAGE... : installs what is missing, or says how to.
host_needs() {
    local pair missing=()
    for pair in "$@"; do
        have "${pair%%=*}" || missing+=("${pair##*=}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! have apt-get; then
        fail "this machine lacks $(first_words "$@"): install QEMU for x86 and kmod with your package manager; the rest of the lab then needs Debian or Ubuntu."
    fi
    is_root || fail "packages are missing; install them with: sudo apt-get install --no-install-recommends ${missing[*]}"
    say "installing ${missing[*]}"
    with_fresh_lists env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$CACHE/apt.log" 2>&1 ||
        fail "apt-get could not install ${missing[*]}: see $CACHE/apt.log"
}

# The commands among COMMAND=PACKAGE pairs that are missing here.
first_words() { local pair; for pair in "$@"; do have "${pair%%=*}" || printf '%s ' "${pair%%=*}"; done | sed 's/ $//'; }

needs_debian() {
    have apt-get || fail "the lab takes its programs from Debian's or Ubuntu's packages, and this machine has no apt-get: run it on one of these, or in a container of one."
}

# Runs a command of apt; if it fails, once more after the package lists have been renewed.
with_fresh_lists() { "$@" || { is_root && apt-get update -q && "$@"; }; }

# A name that changes when what we unpack would change.
root_key() {
    # shellcheck source=/dev/null
    (. /etc/os-release; printf '%s\n' "$ID$VERSION_ID" "${INSIDE_PACKAGES[@]}" "${INSIDE_PACKAGES_ALONE[@]}" "$(dpkg --print-architecture)" 3) | sha256sum | cut -c1-12
}

lab_root() { echo "$CACHE/root-$(root_key)"; }

prepare_root() {
    local root
    root=$(lab_root)
    [ ! -d "$root" ] || return 0
    needs_debian
    say "fetching the programs that run inside (once)"
    rm -rf "$CACHE/debs" "$root.new"
    download_closure || fail "apt-get could not download the packages: see $CACHE/apt.log; perhaps 'sudo apt-get update' helps."
    local deb
    for deb in "${INSIDE_PACKAGES_ALONE[@]}"; do
        download "$deb" "$CACHE/debs/archives" || fail "apt-get could not download $deb: see $CACHE/apt.log"
    done
    like_host_root "$root.new"
    for deb in "$CACHE"/debs/archives/*.deb; do unpack "$deb" "$root.new"; done
    [ -z "$WANTS_PROMTOOL" ] || unpack_promtool "$root.new"
    rm -rf "$CACHE/debs"
    mv "$root.new" "$root"
}

# Downloads the packages with all they need beyond what is installed here. No lock of apt is touched, so no root is needed.
download_closure() {
    mkdir -p "$CACHE/debs/archives/partial"
    with_fresh_lists apt-get install -y -q --download-only --no-install-recommends --no-upgrade --no-remove \
        -o Debug::NoLocking=1 -o Dir::Cache="$CACHE/debs" "${INSIDE_PACKAGES[@]}" >"$CACHE/apt.log" 2>&1
}

# download PACKAGE FOLDER : one package's file, without what it depends on.
download() { (mkdir -p "$2" && cd "$2" && with_fresh_lists apt-get download -q "$1" >>"$CACHE/apt.log" 2>&1); }

# An empty root with the same links as this machine's (/lib -> usr/lib ...): else an unpacked /lib would hide the host's.
like_host_root() {
    local link
    mkdir -p "$1/usr"
    for link in /bin /sbin /lib /lib32 /lib64 /libx32; do
        [ ! -L "$link" ] || { ln -s "$(readlink "$link")" "$1$link"; mkdir -p "$1/usr$link"; }
    done
}

# unpack DEB FOLDER [MEMBER...]
unpack() {
    local deb=$1 folder=$2
    shift 2
    mkdir -p "$folder"
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$folder" "$@"
}

# promtool is good to have, but the lab works without it (the cases that use it are skipped, and say so).
unpack_promtool() {
    if download prometheus "$CACHE/debs/prometheus"; then
        unpack "$CACHE"/debs/prometheus/prometheus_*.deb "$1" ./usr/bin/promtool
    else
        say "promtool could not be had; going on without it"
    fi
}
