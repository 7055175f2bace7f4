//! What the election and the floating addresses tell, as events. Pure.

use super::Draft;
use crate::control::Subject;
use crate::floating;
use crate::model::{EventKind, RouterName};
use crate::vrrp::complaint;
use crate::vrrp::event::Event;
use crate::vrrp::role::Role;

/// The event of what the election tells.
pub(crate) fn of_vrrp(event: &Event) -> Draft {
    match event {
        Event::Role { router, role, cause } => {
            let (kind, word) = match role {
                Role::Master => (EventKind::RouterMaster, "Master"),
                Role::Backup => (EventKind::RouterBackup, "Backup"),
                Role::Fault => (EventKind::RouterFault, "in Fault"),
                Role::Initialize => (EventKind::RouterOut, "out of the election"),
            };
            Draft::new(kind, cause.name(), format!("{router} is {word}: {cause}")).about(of_router(router))
        }
        Event::Contested { router, source, priority } => {
            let message = format!(
                "{router}: {source} is heard as Master with priority {priority} and has to give way; the addresses are announced anew"
            );
            let subject = Subject { address: Some(source.to_string()), ..of_router(router) };
            Draft::new(EventKind::RouterContested, "lower_priority", message).about(subject)
        }
        Event::Dropped { router, family, source, kind, times } => {
            let message = format!(
                "{router}: {times} advertisements ({family}) of {source} are not believed: {}",
                in_words(kind)
            );
            let subject = Subject { address: Some(source.to_string()), ..of_router(router) };
            Draft::new(EventKind::AdvertisementsDropped, *kind, message).about(subject)
        }
        Event::Differs { router, source, kind } => {
            let message = format!("{router}: {source} is set up differently: {}", in_words(kind));
            let subject = Subject { address: Some(source.to_string()), ..of_router(router) };
            Draft::new(EventKind::PeerDiffers, *kind, message).about(subject)
        }
        Event::BadBeat { kind, times } => {
            let message = format!("{times} beats of another director are not believed: {}", in_words(kind));
            Draft::new(EventKind::BeatsDropped, *kind, message)
        }
        Event::Conflict { router, address, hardware_address } => {
            let hardware_address = hardware_address.map(|byte| format!("{byte:02x}")).join(":");
            let message = format!(
                "{router}: another machine, {hardware_address}, answers for {address}: find it, and take the address from it"
            );
            let subject = Subject { address: Some(address.to_string()), ..of_router(router) };
            Draft::new(EventKind::AddressConflict, "arp", message).about(subject)
        }
        Event::Peer { director, up } => {
            let (kind, reason, words) = match up {
                true => (EventKind::PeerUp, "heard", "is heard"),
                false => (EventKind::PeerDown, "silent", "is not heard any more"),
            };
            let subject = Subject { peer: Some(director.to_string()), ..Subject::default() };
            Draft::new(kind, reason, format!("{director} {words}")).about(subject)
        }
        Event::Renumbered { epoch } => Draft::new(
            EventKind::RunRenumbered,
            "behind",
            format!(
                "the other director had accepted a run of a higher number; this one goes on as run {epoch}"
            ),
        ),
        Event::Tracker { router, tracker, good } => {
            let (kind, word) = match good {
                true => (EventKind::TrackerGood, "good"),
                false => (EventKind::TrackerBad, "bad"),
            };
            Draft::new(kind, "tracker", format!("{router}: {tracker} is {word}")).about(of_router(router))
        }
    }
}

/// The event of what the keeper of the floating addresses tells.
pub(crate) fn of_address(event: &floating::Event) -> Draft {
    use floating::Event as Kept;
    let (kind, reason, router) = match event {
        Kept::TakenAway { router, .. } => (EventKind::AddressesTakenAway, "other_program", Some(router)),
        Kept::Expired { router, .. } => (EventKind::AddressesExpired, "lifetime", Some(router)),
        Kept::Refused { router, .. } => (EventKind::AddressRefused, "kernel", Some(router)),
        Kept::Obstructed { router, .. } => (EventKind::AddressObstructed, "other_prefix", Some(router)),
        Kept::InterfaceGone { .. } => (EventKind::InterfaceGone, "gone", None),
        Kept::InterfaceReturned { .. } => (EventKind::InterfaceReturned, "returned", None),
        Kept::AdvertThreadSilent => (EventKind::AdvertThreadSilent, "stalled", None),
        Kept::AdvertThreadReturned => (EventKind::AdvertThreadReturned, "returned", None),
        Kept::Trouble { .. } => (EventKind::Trouble, "addresses", None),
    };
    Draft::new(kind, reason, event.to_string()).about(router.map(of_router).unwrap_or_default())
}

/// The event of what the thread of the advertisements could not do.
pub(crate) fn of_trouble(message: &str) -> Draft {
    Draft::new(EventKind::Trouble, "adverts", message)
}

fn of_router(router: &RouterName) -> Subject {
    Subject { router: Some(router.to_string()), ..Subject::default() }
}

/// A kind with its words, where there are some.
fn in_words(kind: &str) -> String {
    complaint::words(kind).map_or_else(|| kind.to_owned(), |words| format!("{kind}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;
    use crate::vrrp::role::Cause;

    #[test]
    fn a_role_is_told_with_its_cause_as_word_and_sentence() {
        let role = |role, cause| of_vrrp(&Event::Role { router: "outside".into(), role, cause });
        let master = role(Role::Master, Cause::Silence);
        assert_eq!((master.kind, master.reason.as_str()), (EventKind::RouterMaster, "silence"));
        assert_eq!(master.message, "outside is Master: no Master was heard for a down interval");
        assert_eq!(master.subject.router.as_deref(), Some("outside"));
        assert_eq!(role(Role::Fault, Cause::LinkDown).severity, Severity::Error);
    }

    #[test]
    fn what_another_program_takes_away_is_told_of_its_router() {
        let addresses = vec![std::net::IpAddr::from([192, 0, 2, 1])];
        let told = of_address(&floating::Event::TakenAway { router: "outside".into(), addresses });
        assert_eq!(
            (told.kind, told.subject.router.as_deref()),
            (EventKind::AddressesTakenAway, Some("outside"))
        );
        assert!(told.message.contains("192.0.2.1"), "{}", told.message);
    }
}
