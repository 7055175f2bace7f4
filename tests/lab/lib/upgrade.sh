# An upgrade from the package of another commit to this one's, and back. Sourced by tests/lab/run.
# shellcheck shell=bash

# under_systemd SCRIPT FOLDER : a script of tests/packages, with the folder that holds two revisions of the package.
under_systemd() { inside "$PROJECT/tests/packages/boot" "$PROJECT/tests/packages/$1" "$2"; }

# Builds what is missing, then: the packages under a systemd, a pair with its advertisements on the wire, and a pair of IPVS with
# a hundred connections through each pool.
upgrade() {
    local before=$TARGET/before packages=$TARGET/packages program
    package_of "$1" "$before"
    "$PROJECT/tests/packages/look" "$packages"
    # The package of before is the first revision, and this one's the second.
    rm "$packages"/tandem_*-1_*.deb
    cp "$before"/tandem_*-1_*.deb "$packages"
    TANDEM_LAB_BEFORE=$before/root/usr/sbin/tandem
    export TANDEM_LAB_BEFORE
    (LAB_NEEDS=namespaces; want_systemd; under_systemd upgrade "$packages")
    program=$(build test pair)
    (LAB_NEEDS=namespaces; inside "$LAB/cases" "$program" upgrade)
    program=$(build test lab)
    inside "$LAB/cases" "$program" --ignored upgrade
}

# package_of COMMIT FOLDER : its package, and unpacked below FOLDER/root. What was built for it before is there still.
package_of() {
    local commit folder=$2
    commit=$(git -C "$PROJECT" rev-parse --verify "$1^{commit}") || fail "$1 is no commit"
    [ "$(cat "$folder/commit" 2>/dev/null)" != "$commit" ] || return 0
    say "building the package of $(git -C "$PROJECT" log -1 --format='%h, %s' "$commit")"
    rm -rf "$folder" && mkdir -p "$folder/source"
    git -C "$PROJECT" archive "$commit" | tar -x -C "$folder/source"
    SOURCE_DATE_EPOCH=$(git -C "$PROJECT" log -1 --format=%ct "$commit") "$folder/source/packaging/build" --fast --out "$folder" deb
    dpkg-deb -x "$folder"/tandem_*.deb "$folder/root"
    rm -rf "$folder/source"
    echo "$commit" >"$folder/commit"
}
