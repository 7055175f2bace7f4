
# open_port -4|-6 PORT : the kernel takes the UDP header off what comes to this port.
open_port() {
    name=$(key "gue $1 $2")
    if ip "$1" fou add port "$2" gue 2>/dev/null || is_claimed "$name"; then claim "$name"; return 0; fi
    ip fou show 2>/dev/null | grep -Eq "port $2( |\$)" || fail "cannot unwrap gue at port $2: has this kernel the module fou?"
}
close_port() {
    was_last "$(key "gue $1 $2")" || return 0
    ip "$1" fou del port "$2"
}
