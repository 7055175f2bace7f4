//! The table of all diagnostics: stable code, severity, and what it is about.
//!
//! Codes are part of the interface: scripts and documentation name them. A code is never given a second meaning; one that
//! is no longer needed is not used again. Every code has a fixture in `tests/policy/bad`, which a test asserts.

use std::fmt;

/// Whether a problem refuses the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// The policy runs, and probably not as its writer thinks.
    Warning,
}

macro_rules! codes {
    ($( $severity:ident $code:ident $name:literal $about:literal, )*) => {
        /// Kind of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $( #[doc = $about] $code, )*
        }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The stable name, kebab-case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name),* }
            }

            /// Whether it refuses the policy.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity),* }
            }

            /// What it is about, one sentence for the documentation.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$code => $about),* }
            }
        }
    };
}

codes! {
    // Files and YAML.
    Error FileUnreadable "file-unreadable" "A file of the policy cannot be read.",
    Error FileTooLarge "file-too-large" "A file is larger than a policy can be.",
    Error FileNotUtf8 "file-not-utf8" "A file is not UTF-8 text.",
    Error IncludeMissing "include-missing" "An included file does not exist or cannot be read.",
    Warning IncludeMatchesNothing "include-matches-nothing" "An include pattern matches no file.",
    Error IncludeLoop "include-loop" "A file includes itself, directly or by others.",
    Error IncludeTooMuch "include-too-much" "Includes are nested too deep, or name too many files.",
    Error YamlSyntax "yaml-syntax" "The text is not YAML, or uses a part of YAML that a policy has no use for.",
    Error YamlTooLarge "yaml-too-large" "The YAML is nested too deep, holds too many values, or its aliases repeat too much.",
    Error UnquotedIpv6 "unquoted-ipv6" "An IPv6 address that YAML reads as structure is not in quotes.",
    Error DuplicateKey "duplicate-key" "A key is there twice in one mapping.",
    Error DuplicateDefinition "duplicate-definition" "Two files say the same name or section.",
    Warning TooManyWarnings "too-many-warnings" "More warnings than are worth showing at once.",
    Error TooManyProblems "too-many-problems" "More problems than are worth showing at once.",

    // Shape.
    Error UnknownKey "unknown-key" "A key that no version knows.",
    Error NotYet "not-yet" "A key or word that belongs to a later version.",
    Error MissingKey "missing-key" "A key that must be said is not there.",
    Error WrongType "wrong-type" "A value of another shape than its key takes.",
    Error UnknownWord "unknown-word" "A word that is none of those that its key takes.",
    Error NotABoolean "not-a-boolean" "Only true and false are booleans.",
    Error OutOfRange "out-of-range" "A number or duration outside its bounds.",
    Error DurationWithoutUnit "duration-without-unit" "A duration is a bare number.",
    Error BadDuration "bad-duration" "A duration that cannot be read.",
    Error BadSize "bad-size" "A size that cannot be read, or has no unit.",
    Error BadName "bad-name" "A name with characters that names don't have.",
    Error BadText "bad-text" "A text that its place does not allow.",
    Error SecretLiteral "secret-literal" "A secret is written into the policy.",
    Error PolicyVersion "policy-version" "A policy version that this program does not know.",

    // Addresses.
    Error BadAddress "bad-address" "An address, port, mark, service or range that cannot be read.",
    Error PortMissing "port-missing" "A virtual service does not say its port.",
    Error RangeTooLarge "range-too-large" "A range or list expands to too many addresses or services.",
    Error UnusableAddress "unusable-address" "An address that no client or server can have here.",
    Warning Ipv6PortLookalike "ipv6-port-lookalike" "The last group of an IPv6 address looks like a port.",

    // The API.
    Error ApiBeyondLoopback "api-beyond-loopback" "The API is to be reached from other hosts without TLS, or without a token.",
    Error ApiToken "api-token" "Two tokens of the API have one name, or there are too many.",
    Error ApiHost "api-host" "A name in `allowed_hosts` that no request can have.",

    // References.
    Error UnknownCheck "unknown-check" "A check that is not under `checks`.",
    Error UnknownServerSet "unknown-server-set" "A set that is not under `server_sets`.",
    Error UnknownScheduler "unknown-scheduler" "A scheduler that the kernel does not have.",

    Error UnknownDirector "unknown-director" "A director that is not under `directors`.",
    Error UnknownRouter "unknown-router" "A router, or sync group, that the policy does not have.",
    Error UnknownPool "unknown-pool" "A pool that is not under `pools`.",
    Error UnknownServer "unknown-server" "A real server that its pool does not have.",

    // The pair: directors.
    Error DirectorNotFound "director-not-found" "This host, or the name given, is none of the directors.",
    Error DirectorAddress "director-address" "A director without an address of its own, or with one of another family.",
    Error DirectorFamilyMissing "director-family-missing" "Unicast in a family of which a director has no address.",
    Error DirectorsDisagree "directors-disagree" "The differences of a director change what both must have alike.",

    // The pair: virtual routers.
    Error RoutersWithoutDirectors "routers-without-directors" "Virtual routers, and no directors that could hold them.",
    Error PriorityMissing "priority-missing" "A router does not give every director a priority.",
    Error PriorityTwice "priority-twice" "A router says its priorities twice.",
    Error PriorityReserved "priority-reserved" "A priority that is kept for directors in Fault.",
    Error OwnerPriority "owner-priority" "A router has a director's own address, whose priority is not 255.",
    Warning NotTheOwner "not-the-owner" "Priority 255 of a director that owns no address of the router.",
    Error TwoOwners "two-owners" "Two directors with priority 255.",
    Error AdvertisementInterval "advertisement-interval" "An interval that the version of VRRP cannot say.",
    Error AcceptVersions "accept-versions" "A router that would not accept what it sends itself.",
    Error Version2Ipv6 "version-2-ipv6" "Version 2 of VRRP with IPv6 addresses.",
    Error UnicastWithoutPeers "unicast-without-peers" "Unicast where no other director is.",
    Error PeerWithoutDirectors "peer-without-directors" "A channel between the directors, and no other director.",
    Warning PeerUnreachable "peer-unreachable" "A channel between directors that have no addresses of one family.",
    Error DuplicateVrid "duplicate-vrid" "Two routers with one VRID on one interface.",
    Error FloatingAddressTwice "floating-address-twice" "An address that floats with a router is there a second time.",
    Warning HeldByEveryDirector "held-by-every-director" "An address of `virtual_addresses` that all directors would hold at once.",
    Error V2PasswordVersion "v2-password-version" "Version 2's password with version 3.",
    Warning V2Password "v2-password" "A password that everybody on the network can read.",
    Error AuthenticationKeys "authentication-keys" "Keys of advertisements that cannot be used.",
    Error HookProgram "hook-program" "A hook without the whole path of a program.",
    Error EventMail "event-mail" "A mail at events that cannot be sent: no such address, nobody who gets it, or a password that all could read.",
    Error EventHook "event-hook" "A hook of `on_event` that does nothing, several things, or says what has no meaning for it.",
    Warning HeartbeatOwnInterface "heartbeat-own-interface" "A heartbeat on the router's own interface.",
    Warning HeartbeatUnsealed "heartbeat-unsealed" "A heartbeat without a key that proves from whom it is.",
    Error VerdictUnheard "verdict-unheard" "A pool is judged by both directors, and there is no other one or no channel to it.",
    Error TrackerKind "tracker-kind" "A tracker that says nothing, or several things.",
    Error TrackerTwice "tracker-twice" "A router that tracks one thing twice.",
    Error TrackedCheckTarget "tracked-check-target" "A tracked check that does not say whom it asks.",

    // The pair: what moves together.
    Error RouterInTwoGroups "router-in-two-groups" "A router is there twice in sync groups.",
    Warning GroupOfOne "group-of-one" "A sync group without two routers.",
    Error GroupPreference "group-preference" "Routers of one sync group rank the directors differently.",
    Warning NatGatewayFixed "nat-gateway-fixed" "A NAT pool of a pair whose gateway does not move with its service.",
    Warning MasqueradeInPair "masquerade-in-pair" "Full-NAT in a pair with addresses that don't move: connections die in a failover.",
    Error LocalAddressesOfPair "local-addresses-of-pair" "Full-NAT's local addresses do not fit the directors.",
    Warning LocalAddressesApart "local-addresses-apart" "Full-NAT's local addresses float with another router than the service, outside its sync group.",
    Error SyncFamilyMix "sync-family-mix" "Connection synchronisation with a real server of another family than its service.",
    Error ServerIsDirector "server-is-director" "A real server is a director, without synchronisation that follows the roles.",

    // Checks.
    Error CheckWithoutKind "check-without-kind" "A check does not say what it probes.",
    Error CheckWithSeveralKinds "check-with-several-kinds" "A check says more than one kind of probe.",
    Error CheckCondition "check-condition" "Several checks of a server that are not said as they can be.",
    Error RealPath "real-path" "A probe through the real path where there is none.",
    Error TrackCircle "track-circle" "Servers that track one another in a circle, or too many of them.",
    Error CheckNotSaid "check-not-said" "A pool says neither a check nor `check: none`.",
    Error CheckNeedsPort "check-needs-port" "A checked server has no port that the probe could go to.",
    Error CheckAddressTwice "check-address-twice" "A ping says its address inside and beside it.",
    Error CheckSourceFamily "check-source-family" "A probe's source address is of another family than its target.",
    Error BodyRule "body-rule" "A rule for a body that says nothing, several things, or cannot be read.",
    Error ClientCertificate "client-certificate" "A client certificate without its key, or a key without its certificate.",
    Error ProgramNotSaid "program-not-said" "An exec check does not say the program by its absolute path.",
    Error TcpExchange "tcp-exchange" "A tcp check whose exchange is said twice, says nothing, or waits for no answer.",
    Error BadRegex "bad-regex" "A regular expression that cannot be read, or that anything matches.",
    Error DnsName "dns-name" "A name that no name server can be asked for.",
    Warning MySqlWithoutUser "mysql-without-user" "A mysql check without a user: the server may block this host.",
    Warning CheckKeyUnused "check-key-unused" "A check says what its kind of probe has no use for.",
    Warning TimeoutOverInterval "timeout-over-interval" "A probe may last longer than the time to the next.",
    Warning ProbesPerSecond "probes-per-second" "The checks ask for more probes a second than may start.",
    Warning UnverifiedTls "unverified-tls" "A check does not verify the certificate.",
    Warning TlsNameMissing "tls-name-missing" "A certificate is verified against an address, since no name is said.",

    // Pools: services and the modes.
    Error NoServices "no-services" "A pool without a virtual service.",
    Error DuplicateService "duplicate-service" "A virtual service is there twice.",
    Error PortZeroWithoutPersistence "port-zero-without-persistence" "A service of every port without persistence.",
    Error ForwardingNotSaid "forwarding-not-said" "A pool does not say how it forwards.",
    Error FamilyMix "family-mix" "Service and real server are of different families, and the mode is not TUN.",
    Error DrCannotMapPorts "dr-cannot-map-ports" "A DR real server with another port than its service.",
    Error TunCannotMapPorts "tun-cannot-map-ports" "A TUN real server with another port than its service.",
    Error ServerPortMissing "server-port-missing" "A NAT or full-NAT real server without a port where there is no single port to take over.",
    Error OnePacketNotUdp "one-packet-not-udp" "One-packet scheduling of a service that is not UDP.",
    Error OnePacketFullNat "one-packet-full-nat" "One-packet scheduling with full-NAT.",
    Error UntrackedFullNat "untracked-full-nat" "Full-NAT without connection tracking.",
    Error MixedFullNat "mixed-full-nat" "A pool whose servers need different source translations.",
    Error LocalAddressFamily "local-address-family" "Full-NAT has no local address of the service's family.",
    Error GueNeedsPort "gue-needs-port" "GUE without the port that the real servers listen on.",
    Error GuePortOnly "gue-port-only" "A tunnel port with an encapsulation that has none.",
    Error TunnelChecksum "tunnel-checksum" "A tunnel checksum that the encapsulation does not have.",
    Error JoinPorts "join-ports" "Joined ports of services that cannot be joined.",
    Error SchedulerFlags "scheduler-flags" "Flags of a scheduler that has none of them.",
    Error SipNotUdp "sip-not-udp" "The sip persistence engine with a service that is not UDP.",
    Warning QuiesceUdp "quiesce-udp" "Quiescing UDP servers: clients stay on a dead one.",
    Warning QuiesceWithoutFallback "quiesce-without-fallback" "Quiescing under a hash scheduler that has no fallback: clients of a dead server are refused.",
    Warning VipNotHeld "vip-not-held" "Neither `virtual_addresses` nor a virtual router holds the address of a service.",
    Error DuplicateVip "duplicate-vip" "An address is there twice in `virtual_addresses`.",
    Error BadLabel "bad-label" "A label that metrics cannot carry.",

    // Pools: the rules beyond checks.
    Error QuorumUnit "quorum-unit" "A quorum that counts both servers and weight.",
    Error QuorumTooLarge "quorum-too-large" "A quorum that all the pool's servers together don't reach.",
    Error HysteresisOrder "hysteresis-order" "What ends a state asks for less than what began it.",
    Error SorryServerMissing "sorry-server-missing" "A rule brings the sorry server, and the pool has none.",
    Warning SorryServerUnused "sorry-server-unused" "A sorry server that no rule ever brings.",
    Error OnlyBackups "only-backups" "A pool whose servers are all backup servers.",
    Error WeightSource "weight-source" "Weights shall come from nowhere, or from several sources.",
    Warning WeightsIgnored "weights-ignored" "A rule moves weights under a scheduler that does not look at them.",
    Warning SlowStartCoarse "slow-start-coarse" "A weight that is too small for the steps of slow start.",

    // Pools: servers.
    Error DuplicateServer "duplicate-server" "A real server is there twice in a pool.",
    Error DuplicateServerName "duplicate-server-name" "Two real servers of a pool have the same name.",
    Error ServerIsVip "server-is-vip" "A real server with the address of its own virtual service.",
    Error SetWithPort "set-with-port" "A host of a server set with a port: the pool says it.",
    Error ThresholdOrder "threshold-order" "The lower threshold is above the upper one.",

    // What only the host can tell.
    Warning NatServerNotOnLink "nat-server-not-on-link" "A NAT real server outside every directly connected network.",
    Warning DrServerBehindGateway "dr-server-behind-gateway" "A DR real server that is reached through a gateway.",
    Warning ServerUnreachable "server-unreachable" "No route leads to a real server.",
    Warning ServerIsLocal "server-is-local" "A real server has an address of this host.",
    Warning LocalAddressNotHeld "local-address-not-held" "A full-NAT local address that this host does not hold.",
    Warning CaUnreadable "ca-unreadable" "A file of certificates, or of a key, cannot be read here.",
    Warning ProgramUnreadable "program-unreadable" "The program of an exec check or of a hook is not here, or cannot be read.",
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_in_kebab_case() {
        let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        let kebab = |name: &&str| {
            name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
        };
        assert!(names.iter().all(kebab));
    }
}
