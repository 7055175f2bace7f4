# Debian's package. Sourced by packaging/build.
# shellcheck shell=bash

build_deb() {
    needs dpkg-deb=dpkg dpkg-shlibdeps=dpkg-dev readelf=binutils
    local tree=$WORK/deb name
    stage "$tree" zsh/vendor-completions
    name=tandem_$VERSION-${REVISION}_$(architecture)
    document_for_debian "$tree"
    mkdir -p "$tree/DEBIAN"
    for script in postinst prerm postrm; do put "$PACKAGING/debian/$script" "$tree/DEBIAN/$script" 755; done
    (cd "$tree" && find etc -type f -printf '/%p\n' | sort) >"$tree/DEBIAN/conffiles"
    control "$PACKAGING/debian/control" "$tree"
    pack "$tree" "$OUT/$name.deb"
    [ -n "$FAST" ] || build_symbols
}

# Policy's own two files: the licences (12.5), and what has changed (12.7).
document_for_debian() {
    local doc=$1/usr/share/doc/tandem
    { cat "$PACKAGING/debian/copyright.head"; sed 's/^$/./; s/^/ /' "$PROJECT/LICENSE-MIT"; } >"$doc/copyright"
    notices | gzip -9n >"$doc/NOTICES.gz"
    {
        printf 'tandem (%s-%s) unstable; urgency=medium\n\n' "$VERSION" "$REVISION"
        printf '  * Built from the sources; their history says what has changed.\n\n'
        printf ' -- %s  %s\n' "$MAINTAINER" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
    } | gzip -9n >"$doc/changelog.Debian.gz"
}

# control TEMPLATE TREE [BUILD_ID]
control() {
    local size depends
    size=$(du -k -s --apparent-size --exclude=DEBIAN "$2" | cut -f1)
    depends=$(shared_libraries "$2")
    sed -e "s/@VERSION@/$VERSION-$REVISION/g" -e "s/@ARCHITECTURE@/$(architecture)/" -e "s/@MAINTAINER@/$MAINTAINER/" \
        -e "s/@SIZE@/$size/" -e "s/@DEPENDS@/$depends/" -e "s/@BUILD_ID@/${3-}/" "$1" >"$2/DEBIAN/control"
}

# What the program is linked with, in versions that this distribution's symbols tell.
shared_libraries() {
    [ -e "$1/usr/sbin/tandem" ] || return 0
    mkdir -p "$WORK/shlibs/debian"
    printf 'Source: tandem\n\nPackage: tandem\nArchitecture: any\n' >"$WORK/shlibs/debian/control"
    (cd "$WORK/shlibs" && dpkg-shlibdeps -O "$1/usr/sbin/tandem" 2>"$WORK/shlibs/log") | sed 's/^shlibs:Depends=//' ||
        die "dpkg-shlibdeps failed: $(cat "$WORK/shlibs/log")"
}

# Where gdb and coredumpctl look: by the number that the linker gave the program.
build_symbols() {
    local tree=$WORK/deb-symbols id
    id=$(build_id "$WORK/symbols")
    [ -n "$id" ] || { say "the program has no build id: no package of its symbols"; return; }
    put "$WORK/symbols" "$tree/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
    mkdir -p "$tree/usr/share/doc" "$tree/DEBIAN"
    ln -s tandem "$tree/usr/share/doc/tandem-dbgsym"
    control "$PACKAGING/debian/control.symbols" "$tree" "$id"
    pack "$tree" "$OUT/tandem-dbgsym_$VERSION-${REVISION}_$(architecture).deb"
}

build_id() { readelf -n "$1" 2>/dev/null | sed -n 's/.*Build ID: //p' | head -n 1; }

pack() {
    local compression=(-Zxz)
    [ -z "$FAST" ] || compression=(-Zgzip -z1)
    (cd "$1" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$1/DEBIAN/md5sums"
    settle "$1"
    dpkg-deb --root-owner-group "${compression[@]}" --build "$1" "$2" >/dev/null
    done_with "$2"
}
