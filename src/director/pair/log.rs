//! What happens between the directors as log lines (shell). Nothing parses these lines.

use crate::floating;
use crate::vrrp::complaint;
use crate::vrrp::event::Event;
use crate::vrrp::role::Role;
use tracing::{info, warn};

/// Writes one event of the election.
pub(super) fn vrrp(event: &Event) {
    match event {
        Event::Role { router, role: Role::Master, cause } => warn!(%router, "Master: {cause}"),
        Event::Role { router, role: Role::Backup, cause } => info!(%router, "Backup: {cause}"),
        Event::Role { router, role: Role::Fault, cause } => warn!(%router, "Fault: {cause}"),
        Event::Role { router, role: Role::Initialize, cause } => {
            info!(%router, "out of the election: {cause}")
        }
        Event::Contested { router, source, priority } => {
            warn!(%router, %source, priority, "another Master is heard, which has to give way; the addresses are announced anew");
        }
        Event::Dropped { router, family, source, kind, times } => {
            warn!(%router, %family, %source, times, "advertisements are not believed: {}", in_words(kind));
        }
        Event::Differs { router, source, kind } => {
            warn!(%router, %source, "the other director is set up differently: {}", in_words(kind));
        }
        Event::BadBeat { kind, times } => {
            warn!(times, "beats of another director are not believed: {}", in_words(kind));
        }
        Event::Conflict { router, address, hardware_address } => {
            let hardware_address = hardware_address.map(|byte| format!("{byte:02x}")).join(":");
            warn!(%router, %address, hardware_address, "another machine answers for this address: find it, and take the address from it");
        }
        Event::Peer { director, up: true } => info!(%director, "the other director is heard"),
        Event::Peer { director, up: false } => warn!(%director, "the other director is not heard any more"),
        Event::Renumbered { epoch } => warn!(
            "the other director refused what this one says, since it had accepted a run of a higher number: this director's \
             state was lost, after its clock had been ahead; it goes on as run {epoch}, which is believed"
        ),
        Event::Tracker { router, tracker, good: true } => info!(%router, %tracker, "good again"),
        Event::Tracker { router, tracker, good: false } => warn!(%router, %tracker, "bad"),
    }
}

/// Writes one event of the floating addresses.
pub(super) fn address(event: &floating::Event) {
    warn!("{event}");
}

/// A kind with its words, where there are some.
fn in_words(kind: &str) -> String {
    complaint::words(kind).map_or_else(|| kind.to_owned(), |words| format!("{kind}: {words}"))
}
