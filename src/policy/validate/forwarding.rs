//! Forwarding methods with their options written out, and what they do not go together with.

use super::config::says;
use super::local_addresses;
use super::pool::Context;
use crate::model::{Encapsulation, Family, Forwarding, SourceTranslation, TunnelChecksum};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::Spanned;
use crate::policy::schema::{ChecksumWord, EncapsulationWord, ForwardingText, PoolText, TunText};
use crate::policy::source::Span;
use std::collections::BTreeSet;

/// The method with its options; `None` after a problem.
pub(super) fn build(text: &ForwardingText, span: Span, context: &mut Context<'_, '_>) -> Option<Forwarding> {
    match text {
        ForwardingText::Nat => Some(Forwarding::Nat),
        ForwardingText::DirectRouting => Some(Forwarding::DirectRouting),
        ForwardingText::Tunnelling(tun) => {
            encapsulation(tun, span, context.problems).map(Forwarding::Tunnelling)
        }
        ForwardingText::FullNat(full_nat) => {
            local_addresses::translation(full_nat, span, context).map(Forwarding::FullNat)
        }
    }
}

fn encapsulation(tun: &TunText, span: Span, problems: &mut Problems) -> Option<Encapsulation> {
    let word = tun.encapsulation.value().copied().unwrap_or(EncapsulationWord::IpIp);
    let checksum = tun.checksum.value().copied().unwrap_or(ChecksumWord::None);
    checksum_fits(tun, word, checksum, problems)?;
    let checksum = match checksum {
        ChecksumWord::None => TunnelChecksum::None,
        ChecksumWord::Full => TunnelChecksum::Full,
        ChecksumWord::Remote => TunnelChecksum::Remote,
    };
    match (word, tun.port.given()) {
        (EncapsulationWord::Gue, Some(port)) => {
            Some(Encapsulation::Gue { port: port.value.port(), checksum })
        }
        (EncapsulationWord::Gue, None) => {
            if tun.port.is_absent() {
                let at = tun.encapsulation.span().unwrap_or(span);
                let diagnostic = Diagnostic::new(
                    Code::GueNeedsPort,
                    at,
                    "gue does not say the UDP port that the real servers decapsulate at",
                );
                problems.push(
                    diagnostic
                        .help("add `port: 6080`, or the one that `ip fou add` names on the real servers"),
                );
            }
            None
        }
        (EncapsulationWord::IpIp | EncapsulationWord::Gre, Some(port)) => {
            let message = format!("only gue has a port, and this is {}", name(word));
            problems.push(
                Diagnostic::new(Code::GuePortOnly, port.span, message)
                    .help("leave `port` out, or write `encapsulation: gue`"),
            );
            None
        }
        (EncapsulationWord::IpIp, None) => Some(Encapsulation::IpIp),
        (EncapsulationWord::Gre, None) => Some(Encapsulation::Gre { checksum }),
    }
}

const fn name(word: EncapsulationWord) -> &'static str {
    match word {
        EncapsulationWord::IpIp => "ipip",
        EncapsulationWord::Gue => "gue",
        EncapsulationWord::Gre => "gre",
    }
}

fn checksum_fits(
    tun: &TunText,
    word: EncapsulationWord,
    checksum: ChecksumWord,
    problems: &mut Problems,
) -> Option<()> {
    let (message, help) = match (word, checksum) {
        (EncapsulationWord::IpIp, ChecksumWord::Full | ChecksumWord::Remote) => {
            ("ipip has no outer header that could carry a checksum", "leave `checksum` out")
        }
        (EncapsulationWord::Gre, ChecksumWord::Remote) => (
            "remote checksum offload is of gue only, and this is gre",
            "write `checksum: full`, or leave it out",
        ),
        _ => return Some(()),
    };
    problems.push(Diagnostic::new(Code::TunnelChecksum, tun.checksum.span()?, message).help(help));
    None
}

/// What full-NAT does not go together with in its pool.
pub(super) fn full_nat_rules(
    pool: &PoolText,
    forwarding: &Spanned<Forwarding>,
    families: &BTreeSet<Family>,
    problems: &mut Problems,
) {
    let Forwarding::FullNat(translation) = &forwarding.value else { return };
    if says(pool.one_packet.value()) {
        let span = pool.one_packet.span().unwrap_or(forwarding.span);
        let diagnostic = Diagnostic::new(
            Code::OnePacketFullNat,
            span,
            "one-packet scheduling does not go together with full-NAT",
        );
        problems.push(
            diagnostic
                .help("leave `one_packet` out, or forward with nat")
                .related(forwarding.span, "full-NAT is said here"),
        );
    }
    if says(pool.untracked.value()) {
        let span = pool.untracked.span().unwrap_or(forwarding.span);
        let diagnostic = Diagnostic::new(
            Code::UntrackedFullNat,
            span,
            "full-NAT needs connection tracking: it translates the source",
        );
        problems.push(
            diagnostic
                .help("leave `untracked` out, or forward with nat")
                .related(forwarding.span, "full-NAT is said here"),
        );
    }
    let SourceTranslation::LocalAddresses(addresses) = translation else { return };
    for family in
        families.iter().filter(|family| !addresses.iter().any(|address| Family::of(*address) == **family))
    {
        let message = format!("no local address is {family}, and services of this pool are");
        problems.push(
            Diagnostic::new(Code::LocalAddressFamily, forwarding.span, message)
                .help(format!("add an {family} address, or give these services a pool of their own")),
        );
    }
}
