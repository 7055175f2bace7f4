# The language server that editors ask about a policy, on this machine itself: it needs nothing that only the lab has. Sourced by
# tests/lab/run.
# shellcheck shell=bash

# Of the npm registry, with what it depends on; no script of theirs is run. A later version wants a newer Node.js than Debian has.
LANGUAGE_SERVER=yaml-language-server@1.19.2

want_language_server() {
    mkdir -p "$CACHE"
    host_needs node=nodejs npm=npm
    [ ! -e "$(language_server)" ] || return 0
    local folder
    folder=$(language_server_folder)
    rm -rf "$folder" "$folder.new"
    mkdir "$folder.new"
    npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix "$folder.new" "$LANGUAGE_SERVER" >/dev/null ||
        fail "npm could not fetch $LANGUAGE_SERVER"
    mv "$folder.new" "$folder"
}

language_server_folder() { echo "$CACHE/${LANGUAGE_SERVER//@/-}"; }

language_server() { echo "$(language_server_folder)/node_modules/yaml-language-server/bin/yaml-language-server"; }

beside_language_server() { TANDEM_LAB_LANGUAGE_SERVER=$(language_server) "$@"; }
