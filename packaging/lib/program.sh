# The program itself, built so that it is the same wherever it is built. Sourced by packaging/build.
# shellcheck shell=bash

# Prints the path of the program that is packaged: the one named, or a build of its own.
program() {
    [ -n "$BINARY" ] || BINARY=$(compile "$PROJECT/target/packaging" "")
    echo "$BINARY"
}

# compile TARGET_FOLDER STATIC : builds from the sources as they lie there, and prints where the program is.
#
# What would tell where it was built is replaced: the checkout, cargo's folder and the target's, in Rust's and in C's
# words. (`trim-paths`, cargo's own way, is not stable yet.)
compile() {
    local target=$1 static=$2 cargo_home=${CARGO_HOME:-$HOME/.cargo} flags=() c_flags=() triple
    local -A names=([$PROJECT]=/usr/src/tandem [$cargo_home]=/usr/src/cargo [$target]=/usr/src/target)
    # The last that fits wins: the target folder may lie in the checkout.
    for folder in "$PROJECT" "$cargo_home" "$target"; do
        flags+=("--remap-path-prefix=$folder=${names[$folder]}")
        c_flags+=("'-ffile-prefix-map=$folder=${names[$folder]}'")
    done
    [ -z "$static" ] || flags+=("-Ctarget-feature=+crt-static")
    triple=$(rustc -vV | sed -n 's/^host: //p')
    # With the target named, the flags are the program's alone and not those of build scripts, which cannot be static.
    # The crate `cc` reads the quotes when it is told to.
    (cd "$PROJECT" && CC_SHELL_ESCAPED_FLAGS=1 CFLAGS="${c_flags[*]}" CARGO_TARGET_DIR=$target CARGO_ENCODED_RUSTFLAGS=$(join_flags "${flags[@]}") \
        CARGO_INCREMENTAL=0 cargo build --profile "$PROFILE" --locked --bin tandem --target "$triple" >&2)
    # Cargo's folder for `dev` is called `debug`.
    echo "$target/$triple/${PROFILE/#dev/debug}/tandem"
}

# As CARGO_ENCODED_RUSTFLAGS wants them: a folder may have a space in its name.
join_flags() { local IFS=$'\x1f'; echo "$*"; }

# strip_program FROM TO [SYMBOLS_TO] : the program without its symbols, which may go to a file of their own.
strip_program() {
    needs objcopy=binutils
    [ -z "${3-}" ] || [ -n "$FAST" ] || objcopy --only-keep-debug --compress-debug-sections "$1" "$3"
    objcopy --strip-all --remove-section=.comment "$1" "$2"
    chmod 755 "$2"
}
