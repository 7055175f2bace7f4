# Builds what the lab runs, outside of it: the compiler isn't needed inside. Sourced by tests/lab/run.
# shellcheck shell=bash

build_release() { (cd "$PROJECT" && cargo build --release --locked >&2); }

# Builds the lab's test program and prints its path, as cargo reports it.
# Cargo builds Tandem itself along with it.
build_tests() {
    (cd "$PROJECT" && cargo test --release --locked --test lab --no-run --message-format=json-render-diagnostics) |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1 | grep . || fail "cargo built no lab test program"
}
