//! Tandem beside keepalived and FRR, preferred and not. The same course with only the others' programs (`bare`) shows that
//! the stage is right, whatever Tandem does.

use crate::handover::both_ways;
use crate::stage::program::Program::{self, Frr, Keepalived, Tandem};
use crate::stage::setting::{Checksum, Setting};

const V2: Setting = Setting::V2;
const V3: Setting = Setting::V3;
const V3_IPV6: Setting = Setting::V3_IPV6;

/// Tandem with a peer, in both roles.
macro_rules! beside {
    ($($name:ident: $peer:expr, $setting:expr;)*) => {
        $(mod $name {
            use super::*;

            const PEER: Program = $peer;

            #[test]
            fn tandem_is_preferred() {
                both_ways(Tandem, PEER, $setting);
            }

            #[test]
            fn the_peer_is_preferred() {
                both_ways(PEER, Tandem, $setting);
            }
        })*
    };
}

beside! {
    keepalived_v2: Keepalived, V2;
    keepalived_v2_with_a_password: Keepalived, V2.with_password();
    keepalived_v2_unicast: Keepalived, V2.unicast();
    keepalived_v2_unicast_with_a_password: Keepalived, V2.unicast().with_password();
    keepalived_v3: Keepalived, V3;
    keepalived_v3_unicast: Keepalived, V3.unicast();
    keepalived_v3_and_the_checksum_of_rfc_9568: Keepalived, Setting { checksum: Checksum::Rfc9568, ..V3 };
    keepalived_v3_ipv6: Keepalived, V3_IPV6;
    keepalived_v3_ipv6_unicast: Keepalived, V3_IPV6.unicast();
    frr_v3: Frr, V3;
    frr_v3_and_the_checksum_of_rfc_9568: Frr, Setting { checksum: Checksum::Rfc9568, ..V3 };
    frr_v3_ipv6: Frr, V3_IPV6;
}

/// Without Tandem.
mod bare {
    use super::*;

    #[test]
    fn keepalived_twice_v2() {
        both_ways(Keepalived, Keepalived, V2.with_password());
    }

    #[test]
    fn keepalived_twice_v2_unicast() {
        both_ways(Keepalived, Keepalived, V2.unicast());
    }

    #[test]
    fn keepalived_twice_v3() {
        both_ways(Keepalived, Keepalived, V3);
    }

    #[test]
    fn keepalived_twice_v3_ipv6() {
        both_ways(Keepalived, Keepalived, V3_IPV6);
    }

    #[test]
    fn keepalived_twice_v3_ipv6_unicast() {
        both_ways(Keepalived, Keepalived, V3_IPV6.unicast());
    }

    #[test]
    fn keepalived_before_frr() {
        both_ways(Keepalived, Frr, V3);
    }

    #[test]
    fn frr_before_keepalived() {
        both_ways(Frr, Keepalived, V3);
    }

    #[test]
    fn keepalived_before_frr_ipv6() {
        both_ways(Keepalived, Frr, V3_IPV6);
    }

    #[test]
    fn frr_before_keepalived_ipv6() {
        both_ways(Frr, Keepalived, V3_IPV6);
    }
}
