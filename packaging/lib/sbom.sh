# The program's parts, as CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/): what Cargo.lock pins and the program is
# built from, without what only builds or tests it on the way. Sourced by packaging/build.
# shellcheck shell=bash

build_sbom() {
    sbom >"$OUT/tandem-$VERSION.cdx.json"
    done_with "$OUT/tandem-$VERSION.cdx.json"
}

# Prints it. Checksums are Cargo.lock's, over each crate's archive.
sbom() {
    [ -s "$WORK/sbom.json" ] || make_sbom >"$WORK/sbom.json"
    cat "$WORK/sbom.json"
}

make_sbom() {
    needs jq=jq
    local metadata=$WORK/metadata.json
    [ -s "$metadata" ] ||
        (cd "$PROJECT" && cargo metadata --locked --format-version 1 --filter-platform "$(rustc -vV | sed -n 's/^host: //p')") >"$metadata"
    jq --sort-keys --argjson time "$SOURCE_DATE_EPOCH" --argjson sums "$(checksums)" -f "$PACKAGING/lib/sbom.jq" "$metadata"
}

# {"NAME VERSION": "SHA-256"} of Cargo.lock.
checksums() {
    awk -F '"' '/^name = /{name=$2} /^version = /{version=$2} /^checksum = /{print name " " version " " $2}' "$PROJECT/Cargo.lock" |
        jq -Rn '[inputs | split(" ") | {key: "\(.[0]) \(.[1])", value: .[2]}] | from_entries'
}

# What the crates' licences ask to be passed on with the program: each text once. Where there is a choice, it is not Apache's
# that is taken: that one is the same for all, and comes with the distribution or beside this file.
notices() {
    local name folder text sum
    local -A seen=()
    sbom >/dev/null
    printf 'What Tandem is linked with, and under which terms.\n'
    while IFS=$'\t' read -r name folder; do
        for text in "$folder"/{LICENSE,LICENCE,COPYING,COPYRIGHT,NOTICE,license}*; do
            case ${text##*/} in *APACHE* | *apache* | *Apache* | *'*') continue ;; esac
            sum=$(sha256sum <"$text" | cut -d' ' -f1)
            if [ -n "${seen[$sum]-}" ]; then
                printf '\n== %s: as %s\n' "$name" "${seen[$sum]}"
            else
                seen[$sum]=$name
                printf '\n== %s\n\n%s\n' "$name" "$(tr -d '\r' <"$text")"
            fi
        done
    done < <(linked_crates)
}

# NAME VERSION <TAB> FOLDER of each.
linked_crates() {
    jq -r --argjson names "$(sbom | jq '[.components[] | "\(.name) \(.version)"]')" \
        '.packages[] | select("\(.name) \(.version)" as $name | $names | index($name)) | "\(.name) \(.version)\t\(.manifest_path | rtrimstr("/Cargo.toml"))"' \
        "$WORK/metadata.json"
}
