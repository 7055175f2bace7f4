# How the checks of the packages are told: one line each, what was seen where one fails, and their number at the end.
# shellcheck shell=bash

PASSED=0
FAILED=0

# check WHAT COMMAND... : the command's exit status says whether it is so.
check() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        PASSED=$((PASSED + 1))
        printf 'ok      %s\n' "$what"
    else
        FAILED=$((FAILED + 1))
        printf 'FAILED  %s\n' "$what"
        printf '%s\n' "$output" | tail -n 20 | sed 's/^/        /'
    fi
}

# The command must fail.
refused() { ! "$@"; }

# same WANTED FOUND
same() { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); }

# contains TEXT PATTERN
contains() { grep -qE -- "$2" <<<"$1" || { printf 'no %s in: %s\n' "$2" "$1"; return 1; }; }

# contains_file FILE PATTERN
contains_file() { contains "$(cat "$1")" "$2"; }

# until_true SECONDS COMMAND... : tried again until it is true.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

end_of_checks() {
    printf '%s passed, %s failed\n' "$PASSED" "$FAILED"
    [ "$FAILED" = 0 ]
}
