//! What the kernel says: messages of netlink, frames, tables in text; and connections that another director tells. Nothing
//! panics, and what can be asked for in the same words is read again as the same.

use super::bytes::Bytes;
use std::sync::Once;
use tandem::connections::Entry;
use tandem::connections::message::{Packer, omission, read};
use tandem::connections::services::Binding;
use tandem::floating::keeper::{Operation, OperationKind};
use tandem::floating::macvlan::{KIND, MODE_BRIDGE, Macvlan};
use tandem::kernel::wire;
use tandem::model::{ConntrackEntry, Family, ForwardingMethod, Timeouts};
use tandem::reconcile::Change;

/// Bytes of the header that a family puts before its attributes: of generic netlink, an address, a link.
const HEADERS: [usize; 4] = [4, 8, 16, 0];
/// `CTA_ID`, which the kernel adds to what it was asked.
const CTA_ID: [u8; 8] = [8, 0, 12, 0, 1, 2, 3, 4];

/// Where the library that reads rtnetlink lives: it panics over some attributes of another length than it knows, which fails the
/// call in `kernel::routing` and is no finding of ours.
const LIBRARY: &str = "netlink-packet-route";
/// libFuzzer's hook ends the process at every panic.
static SPARED: Once = Once::new();

fn spare_the_library() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|place| place.file().contains(LIBRARY)) {
            before(panic);
        }
    }));
}

/// The first byte says what the others are: as they came, or a recipe for attributes whose lengths fit.
pub fn run(data: &[u8]) {
    SPARED.call_once(spare_the_library);
    let mut bytes = Bytes(data);
    let choice = bytes.byte();
    let message = if choice & 0x80 == 0 {
        bytes.0.to_vec()
    } else {
        let mut message = bytes.slice(HEADERS[usize::from(choice >> 4 & 3)]).to_vec();
        attributes(&mut bytes, &mut message, 0);
        message
    };
    match choice & 0x0f {
        0 => service(&message),
        1 => destination(&message),
        2 => of_ipvs(&message),
        3 => address(&message),
        4 => link(&message),
        5 => tracked(&message),
        6 => frame(&message),
        7 => text(&message),
        8 => drop(wire::ruleset_digest(&message)),
        9 => drop(wire::host_fact(&message)),
        11 => told(message),
        _ => datagram(&message),
    }
}

/// Attributes of the kinds that the input says, each with a value or with attributes inside.
fn attributes(bytes: &mut Bytes<'_>, message: &mut Vec<u8>, depth: u32) {
    while !bytes.is_empty() {
        let [kind, form] = bytes.array();
        if form == 0xff && depth > 0 {
            return;
        }
        let start = message.len();
        message.extend([0, 0, kind & 0x3f, if kind & 0x40 == 0 { 0 } else { 0x80 }]);
        match form {
            0x80.. if depth < 4 => attributes(bytes, message, depth + 1),
            length => message.extend(bytes.slice(usize::from(length & 0x1f))),
        }
        let length = u16::try_from(message.len() - start).unwrap_or(u16::MAX);
        message[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
    }
}

fn service(payload: &[u8]) {
    let Some((key, config)) = wire::service(payload) else { return };
    let family = key.family();
    // A netmask that is no prefix, and bits of a netmask without persistence, are nothing that we would ask for.
    if config.persistence.is_some_and(|persistence| persistence.prefix > family.bits()) {
        return;
    }
    let written = wire::change(&Change::AddService { service: key, config: config.clone() });
    assert_eq!(wire::service(&written.expect("a change of IPVS")), Some((key, config)));
}

fn destination(payload: &[u8]) {
    for family in [Family::Ipv4, Family::Ipv6] {
        let Some((key, destination)) = wire::destination(payload, family) else { continue };
        let service = wire::service(payload).map(|(key, _)| key);
        let service = service.unwrap_or(tandem::model::ServiceKey::FirewallMark { family, mark: 1 });
        let written = wire::change(&Change::AddDestination { service, key, destination });
        assert_eq!(wire::destination(&written.expect("a change of IPVS"), family), Some((key, destination)));
    }
}

fn of_ipvs(payload: &[u8]) {
    if let Some(daemon) = wire::sync_daemon(payload) {
        let written = wire::change(&Change::StartSyncDaemon { daemon: daemon.clone() });
        assert_eq!(wire::sync_daemon(&written.expect("a change of IPVS")), Some(daemon));
    }
    let to: Timeouts = wire::timeouts(payload);
    let written = wire::change(&Change::SetTimeouts { to });
    assert_eq!(wire::timeouts(&written.expect("a change of IPVS")), to);
    let _ = (wire::ipvs_info(payload), wire::gue_port(payload));
}

fn address(payload: &[u8]) {
    let Some((index, held)) = wire::held_address(payload) else { return };
    // The kernel knows no address whose life has ended.
    if held.valid.is_some_and(|valid| valid.is_zero()) {
        return;
    }
    let kind = OperationKind::Add;
    let operation = Operation { kind, address: held.address, index, lifetime: held.valid };
    let again = wire::held_address(&wire::operation(&operation)).expect("what was written can be read");
    assert_eq!((again.0, again.1.address, again.1.valid), (index, held.address, held.valid));
}

fn link(payload: &[u8]) {
    let Some((found, link)) = wire::found_link(payload) else { return };
    assert_eq!((found.index, found.up, found.hardware_address), (link.index, link.up, link.hardware_address));
    let macvlan = Macvlan {
        name: found.name.as_str().into(),
        parent: "eth0".into(),
        family: Family::Ipv4,
        hardware_address: found.hardware_address,
    };
    let (again, _) = wire::found_link(&wire::macvlan(&macvlan, found.parent)).expect("it can be read");
    assert_eq!((&again.name, again.parent), (&found.name, found.parent));
    assert_eq!(again.hardware_address, found.hardware_address);
    assert_eq!((again.kind.as_deref(), again.mode), (Some(KIND), Some(MODE_BRIDGE)));
}

fn tracked(payload: &[u8]) {
    let Some((connection, _)) = wire::tracked(payload) else { return };
    let families = [connection.client, connection.virtual_service, connection.destination];
    if families.iter().any(|address| address.is_ipv4() != connection.client.is_ipv4()) {
        return;
    }
    let entry =
        ConntrackEntry { connection, source: connection.client.ip(), tcp_state: Some(3), timeout_s: 9 };
    let mut written = wire::tracking(&entry);
    written.extend(CTA_ID);
    assert_eq!(wire::tracked(&written), Some((connection, connection.client)));
}

fn frame(bytes: &[u8]) {
    let Some((address, hardware)) = wire::claim(bytes) else { return };
    assert_eq!(wire::claim(&wire::announcement(address, hardware)), Some((address, hardware)));
}

/// Tables of `/proc`, and what another director would be told of their entries.
fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = wire::tracking_sum(&text, "insert_failed");
    let binding = Binding { mark: 0, method: ForwardingMethod::DirectRoute, timeout_s: 1 };
    let mut packer = Packer::new(1, 1500);
    for line in text.lines() {
        let told = Entry::parse_with_origin(line).map(|(entry, _)| entry);
        for entry in [Entry::parse(line), told].into_iter().flatten() {
            assert!(entry.expires_s <= 2_678_400, "a timer of {} s", entry.expires_s);
            let families =
                [entry.client, entry.virtual_service, entry.destination].map(|address| address.is_ipv4());
            if omission(&entry, &binding).is_none() && families == [families[0]; 3] {
                let datagram = packer.add(&entry, &binding).into_iter().chain(packer.finish());
                datagram.for_each(|datagram| assert!(datagram.bytes.len() <= 1500));
            }
        }
    }
}

/// A fuzzer does not find the length of a message: the header that fits is put in front of the records, whose number is the
/// first byte. What can be read can be told, and is read again as the same.
fn told(mut records: Vec<u8>) {
    const SYNC_ID: u8 = 61;
    let number = if records.is_empty() { 0 } else { records.remove(0) };
    let length = u16::try_from(8 + records.len()).unwrap_or_default().to_be_bytes();
    let message = [&[0, SYNC_ID, length[0], length[1], number, 1, 0, 0], &records[..]].concat();
    for entry in read(&message, SYNC_ID) {
        assert!(entry.expires_s <= 2_678_400, "a timer of {} s", entry.expires_s);
        let binding = Binding { mark: 0, method: ForwardingMethod::DirectRoute, timeout_s: entry.expires_s };
        let mut packer = Packer::new(SYNC_ID, 1500);
        let datagram = packer.add(&entry, &binding).or_else(|| packer.finish()).expect("a message");
        assert_eq!(read(&datagram.bytes, SYNC_ID), [entry]);
    }
}

fn datagram(bytes: &[u8]) {
    let _ = wire::refusals(bytes);
    for (_, payload) in wire::messages(bytes) {
        service(payload);
        destination(payload);
        of_ipvs(payload);
        address(payload);
        link(payload);
        tracked(payload);
    }
}
