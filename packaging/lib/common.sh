# What every package has in common: names, version, time, architecture, and the folder that the work is done in. Sourced by
# packaging/build.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the parts use what is set here

OUT=$PROJECT/target/packages
BINARY=
# Cargo's; another than `dist` is for trying the packaging itself.
PROFILE=${TANDEM_PACKAGE_PROFILE:-dist}
REVISION=1
FAST=
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$PROJECT/Cargo.toml" | head -n 1)
MAINTAINER="Tandem maintainers <maintainers@tandem.invalid>"
WORK= # removed at the end

say() { printf 'packaging: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# needs COMMAND=PACKAGE...
needs() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair##*=}")
    done
    [ ${#missing[@]} -eq 0 ] || die "programs are missing; install them with: apt-get install --no-install-recommends ${missing[*]}"
}

begin() {
    # Modes of what is packaged are not the caller's affair.
    umask 022
    export LC_ALL=C TZ=UTC
    export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(commit_time)}
    mkdir -p "$OUT"
    OUT=$(realpath "$OUT")
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
}

# Of the commit, or without git of the newest source.
commit_time() {
    git -C "$PROJECT" log -1 --format=%ct 2>/dev/null ||
        find "$PROJECT/src" "$PROJECT/Cargo.toml" -type f -printf '%Ts\n' | sort -n | tail -n 1
}

machine() { uname -m; }

# Debian's name of it.
architecture() { dpkg --print-architecture; }

# Gives every file of a tree the one time.
settle() { find "$1" -depth -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"; }

done_with() { say "$1: $(du -h "$1" | cut -f1)"; }
