# Builds what the lab runs, outside of it: the compiler isn't needed inside. Sourced by tests/lab/run.
# shellcheck shell=bash

# Builds one of the lab's programs, "lab" (the cases) or "demo", and prints its path, as cargo reports it.
build_test() {
    (cd "$PROJECT" && cargo test --release --locked --test "$1" --no-run --message-format=json-render-diagnostics) |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1 | grep . || fail "cargo built no program $1"
}

# The same for a bench of tests/bench.
build_bench() {
    (cd "$PROJECT" && cargo bench --locked --bench "$1" --no-run --message-format=json-render-diagnostics) |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1 | grep . || fail "cargo built no bench $1"
}
