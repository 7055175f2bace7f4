# The static program, and the container image made of it. Sourced by packaging/build.
# shellcheck shell=bash

# One file that needs no shared library: for an initial RAM disk, a rescue system, a container. The C library is glibc, linked
# in: musl's standard library for Rust would need a second toolchain, and glibc's own look-ups of names (files and DNS) work
# linked in since its version 2.34.
build_static() {
    static_program >/dev/null
    strip_program "$STATIC" "$OUT/tandem-$VERSION-$(machine)-static"
    done_with "$OUT/tandem-$VERSION-$(machine)-static"
}

STATIC=
static_program() {
    [ -n "$STATIC" ] || STATIC=${BINARY:-$(compile "$PROJECT/target/packaging-static" static)}
    ! readelf -l "$STATIC" | grep -q INTERP || die "$STATIC is not static: it asks for a dynamic loader"
}
