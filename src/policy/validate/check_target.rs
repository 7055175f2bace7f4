//! Whom a check probes: its own address and port, what its kind has no use for, and where its probes come from.

use crate::model::{Check, ProbeSpec};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::schema::CheckUseText;
use crate::policy::source::Span;
use std::net::{IpAddr, Ipv4Addr};

/// The address that the check says itself: beside its kind, or inside a ping.
pub(super) fn address(text: &CheckUseText, problems: &mut Problems) -> Option<IpAddr> {
    let beside = text.address.given();
    let inside = text.ping.value().and_then(|ping| ping.0.address.given());
    if let (Some(beside), Some(inside)) = (beside, inside) {
        let message = format!("this ping says its address twice: {} and {}", inside.value.0, beside.value.0);
        problems.push(
            Diagnostic::new(Code::CheckAddressTwice, inside.span, message)
                .related(beside.span, "the other one")
                .help("keep one of the two"),
        );
    }
    inside.or(beside).map(|address| address.value.0)
}

/// Leaves out what the kind of probe has no use for. Where a named check of another kind said it, nobody is warned.
pub(super) fn leave_out_unused(check: &mut Check, text: &CheckUseText, whole: Span, problems: &mut Problems) {
    let kind = check.probe.kind();
    let mut warn = |key: &str, span: Option<Span>| {
        let Some(span) = span.filter(|span| whole.contains(*span)) else { return };
        let message = format!("`{key}` means nothing to {kind}");
        problems.push(Diagnostic::new(Code::CheckKeyUnused, span, message).help("leave it out"));
    };
    match &check.probe {
        ProbeSpec::Tcp
        | ProbeSpec::Dialogue(_)
        | ProbeSpec::Preset(_)
        | ProbeSpec::Tls(_)
        | ProbeSpec::Http(_)
        | ProbeSpec::Grpc(_)
        | ProbeSpec::Smtp(_)
        | ProbeSpec::Udp(_)
        | ProbeSpec::Dns(_)
        | ProbeSpec::Agent(_) => {}
        ProbeSpec::Ping(_) => {
            warn("port", text.port.span());
            check.port = None;
        }
        ProbeSpec::Exec(_) => {
            warn("source", text.source.span());
            warn("interface", text.interface.span());
            warn("mark", text.mark.span());
            (check.source, check.interface, check.mark) = (None, None, None);
        }
        ProbeSpec::File(_) => {
            warn("port", text.port.span());
            warn("address", text.address.span());
            warn("source", text.source.span());
            warn("interface", text.interface.span());
            warn("mark", text.mark.span());
            (check.source, check.interface, check.mark) = (None, None, None);
            // One address for all its servers: the file is read once for all of them.
            (check.address, check.port) = (Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), None);
        }
    }
}

/// Reports a source of another family than the address that is probed.
pub(super) fn source_fits(check: &Check, address: IpAddr, span: Span, problems: &mut Problems) {
    let Some(source) = check.source.filter(|source| source.is_ipv4() != address.is_ipv4()) else { return };
    let message = format!("probes of {address} cannot come from {source}: it is of the other family");
    problems.push(
        Diagnostic::new(Code::CheckSourceFamily, span, message)
            .help("write a source of the same family, or give the families a check each"),
    );
}
