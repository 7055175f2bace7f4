# The browser that shows the status page, on this machine itself: it needs nothing that only the lab has. Sourced by
# tests/lab/run.
# shellcheck shell=bash

# The automated check of accessibility, of the npm registry: fetched as a file, nothing of it is run here.
AXE=axe-core@4.14.1

want_browser() {
    mkdir -p "$CACHE"
    host_needs chromium=chromium chromedriver=chromium-driver npm=npm fc-list=fontconfig ip=iproute2
    # Fonts are no command: they are asked for where there is none at all.
    [ -n "$(fc-list | head -n 1)" ] || host_needs fonts-dejavu-core=fonts-dejavu-core
    [ ! -e "$(axe_file)" ] || return 0
    local folder
    folder=$(mktemp -d)
    (cd "$folder" && npm pack --silent "$AXE" >/dev/null && tar -xzf axe-core-*.tgz package/axe.min.js) ||
        fail "npm could not fetch $AXE"
    mv "$folder/package/axe.min.js" "$(axe_file)"
    rm -rf "$folder"
}

axe_file() { echo "$CACHE/${AXE//@/-}.min.js"; }

# Runs a program that writes its pictures into a run's folder.
beside_browser() {
    new_run_folder
    TANDEM_LAB_OUT=$RUN/shared/out TANDEM_LAB_AXE=$(axe_file) "$@"
}
