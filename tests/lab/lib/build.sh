# Builds what the lab runs, outside of it: the compiler isn't needed inside. Sourced by tests/lab/run.
# shellcheck shell=bash

# Builds one of the lab's programs, "lab" (the cases) or "demo", and prints its path.
build_test() { (cd "$PROJECT" && cargo test --release --locked --test "$1" --no-run --message-format=json-render-diagnostics) | executable test "$1"; }

# The same for a bench of tests/bench.
build_bench() { (cd "$PROJECT" && cargo bench --locked --bench "$1" --no-run --message-format=json-render-diagnostics) | executable bench "$1"; }

# Picks the path of a program out of what cargo reports; it builds our main program too, in an order of its own.
executable() {
    sed -n '/"kind":\["'"$1"'"\].*"name":"'"$2"'"/s/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1 | grep . || fail "cargo built no $1 $2"
}
