# The tree of files that every package holds. Sourced by packaging/build.
# shellcheck shell=bash

# stage TREE ZSH_FOLDER : where zsh looks for completions differs between the distributions.
stage() {
    local tree=$1 zsh=$2 program
    program=$(program)
    mkdir -p "$tree"/usr/sbin
    strip_program "$program" "$tree/usr/sbin/tandem" "$WORK/symbols"
    stage_system "$tree"
    stage_documents "$tree" "$program"
    stage_completions "$tree" "$program" "$zsh"
    settle "$tree"
}

put() { install -D -m "${3:-644}" "$1" "$2"; }

stage_system() {
    local lib=$1/usr/lib
    put "$PACKAGING/tandem.yaml" "$1/etc/tandem/tandem.yaml"
    put "$PACKAGING/systemd/tandem.service" "$lib/systemd/system/tandem.service"
    put "$PACKAGING/systemd/generator" "$lib/systemd/system-generators/tandem-generator" 755
    put "$PACKAGING/systemd/programs.conf" "$lib/tandem/unit/programs.conf"
    put "$PACKAGING/systemd/processes.conf" "$lib/tandem/unit/processes.conf"
    put "$PACKAGING/sysusers.d/tandem.conf" "$lib/sysusers.d/tandem.conf"
    put "$PACKAGING/sysctl.d/tandem.conf" "$lib/sysctl.d/50-tandem.conf"
    put "$PACKAGING/modules-load.d/tandem.conf" "$lib/modules-load.d/tandem.conf"
}

# stage_documents TREE PROGRAM
stage_documents() {
    local doc=$1/usr/share/doc/tandem man=$WORK/man folder page
    "$2" man --directory "$man" 2>/dev/null
    for page in "$man"/*; do
        mkdir -p "$1/usr/share/man/man${page##*.}"
        gzip -9n <"$page" >"$1/usr/share/man/man${page##*.}/${page##*/}.gz"
    done
    put "$PROJECT/README.md" "$doc/README.md"
    put "$PACKAGING/SECURITY.md" "$doc/SECURITY.md"
    for page in "$PROJECT"/conf/*.yaml; do put "$page" "$doc/examples/${page##*/}"; done
    for folder in prometheus grafana; do
        [ ! -d "$PACKAGING/$folder" ] || cp -r --no-preserve=mode "$PACKAGING/$folder" "$doc/examples/"
    done
    mkdir -p "$1/usr/share/tandem"
    "$2" schema >"$1/usr/share/tandem/tandem.schema.json"
    sbom >"$doc/tandem.cdx.json"
}

# stage_completions TREE PROGRAM ZSH_FOLDER
stage_completions() {
    local share=$1/usr/share
    mkdir -p "$share"/bash-completion/completions "$share"/fish/vendor_completions.d "$share/$3"
    "$2" completions bash >"$share/bash-completion/completions/tandem"
    "$2" completions fish >"$share/fish/vendor_completions.d/tandem.fish"
    "$2" completions zsh >"$share/$3/_tandem"
}
