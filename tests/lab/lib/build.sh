# Builds what the lab runs, outside of it: the compiler isn't needed inside. Sourced by tests/lab/run.
# shellcheck shell=bash

# Builds one program and prints its path, as cargo reports it: `test lab` (the cases), `test demo`, `bench NAME`.
# Cargo builds Tandem itself along with a test, and reports both in an order of its own.
build() {
    local what=$1 name=$2 options=(--locked --no-run --message-format=json-render-diagnostics)
    [ "$what" = test ] && options+=(--profile "${TANDEM_LAB_PROFILE:-release}")
    (cd "$PROJECT" && cargo "$what" "--$what" "$name" "${options[@]}") |
        sed -n '/"kind":\["'"$what"'"\].*"name":"'"$name"'"/s/.*"executable":"\([^"]*\)".*/\1/p' |
        tail -n 1 | grep . || fail "cargo built no $what $name"
}
