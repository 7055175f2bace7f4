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
    [[ $(readelf -lW "$STATIC") != *INTERP* ]] || die "$STATIC is not static: it asks for a dynamic loader"
}

# A container image of it, by whichever tool is there. Its recipe is packaging/container/Containerfile.
build_image() {
    local tool archive context=$WORK/image name=localhost/tandem:$VERSION
    archive=$OUT/tandem-$VERSION-$(machine)-image.tar
    tool=$(image_tool) || die "no tool for container images is there: install buildah, podman or docker"
    static_program
    mkdir -p "$context/etc/ssl/certs" "$context/etc/tandem" "$context/usr/sbin"
    strip_program "$STATIC" "$context/usr/sbin/tandem"
    cp "$PACKAGING/tandem.yaml" "$context/etc/tandem/tandem.yaml"
    cp /etc/ssl/certs/ca-certificates.crt "$context/etc/ssl/certs/" || die "no certificate authorities: apt-get install ca-certificates"
    # The names that the program asks for: of the user of `exec` checks, and of the control socket's group.
    printf 'root:x:0:0:root:/:/\nnobody:x:65534:65534:nobody:/:/\n' >"$context/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\ntandem:x:990:\n' >"$context/etc/group"
    settle "$context"
    rm -f "$archive"
    case $tool in
        docker)
            docker build -q -t "$name" -f "$PACKAGING/container/Containerfile" "$context" >/dev/null
            docker save -o "$archive" "$name"
            ;;
        *)
            "$tool" build --timestamp "$SOURCE_DATE_EPOCH" -t "$name" -f "$PACKAGING/container/Containerfile" "$context" >/dev/null
            "$tool" push -q "$name" "docker-archive:$archive:$name" 2>/dev/null
            ;;
    esac
    done_with "$archive"
}

image_tool() {
    local tool
    for tool in buildah podman docker; do
        if command -v "$tool" >/dev/null; then echo "$tool"; return; fi
    done
    return 1
}
