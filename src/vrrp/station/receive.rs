//! What an advertisement must pass before the election hears of it (RFC 9568, section 7.1; RFC 3768, section 7.1).

use super::{Channel, Datagram, Destinations, Proof, Station};
use crate::model::{Transport, VirtualRouter, VrrpVersion};
use crate::time::Instant;
use crate::vrrp::SessionId;
use crate::vrrp::authentication::Refusal;
use crate::vrrp::election::Input;
use crate::vrrp::fitness::UNFIT_BELOW;
use crate::vrrp::machine::{Heard, OWNER};
use crate::vrrp::packet::{self, Advertisement, Decoded, Endpoints};
use crate::vrrp::timing::Pace;

/// Whose advertisement it is, what matters of it, and what it shows of a configuration that differs.
type Accepted = (SessionId, Heard, Vec<&'static str>);

/// The TTL of a packet that no router has forwarded.
const NEVER_FORWARDED: u8 = 255;

impl Station {
    pub(super) fn received(&mut self, at: Instant, sessions: &[SessionId], datagram: Datagram<'_>) {
        if sessions.iter().any(|session| self.source_of(*session) == Some(datagram.source)) {
            return;
        }
        match self.judge(sessions, datagram) {
            Ok((session, heard, differences)) => {
                for kind in differences {
                    let event = self.account.differs(session.router, heard.source, kind, at);
                    self.outputs.extend(event.map(super::Output::Tell));
                }
                self.account.received(session.router, at, heard);
                self.election.handle(Input::Advertisement { at, session, heard });
            }
            Err((session, kind)) => {
                let channel = session.and_then(|session| self.channels.get_mut(&session));
                let stale = channel.and_then(|channel| channel.proof.take_stale(&channel.identity));
                self.note_stale(stale, at);
                let event = self.account.dropped(session, datagram.source, kind, at);
                self.outputs.extend(event.map(super::Output::Tell));
            }
        }
    }

    fn source_of(&self, session: SessionId) -> Option<std::net::IpAddr> {
        self.channels.get(&session).and_then(|channel| channel.source)
    }

    /// The session that it is for and what matters of it; or whose error it is, and which.
    fn judge(
        &mut self,
        sessions: &[SessionId],
        datagram: Datagram<'_>,
    ) -> Result<Accepted, (Option<SessionId>, &'static str)> {
        let first = sessions.first().copied();
        let endpoints =
            Endpoints::new(datagram.source, datagram.destination).ok_or((first, "mixed_families"))?;
        // The VRID is read before anything is verified, to know whose error it is.
        let vrid = datagram.bytes.get(1).copied().unwrap_or_default();
        let named = sessions.iter().copied().find(|session| self.vrid(*session) == Some(vrid));
        let whose = named.or(first.filter(|_| sessions.len() == 1));
        let decoded =
            packet::decode(datagram.bytes, &endpoints).map_err(|malformed| (whose, malformed.name()))?;
        let session = named.ok_or((None, "unknown_vrid"))?;
        // Two owners are a mistake in the policies: it is counted, and the election settles it (section 7.1 with erratum
        // 8298; as published an owner would discard it, and both went on for ever).
        let own = self.election.priority_of(session);
        let router = self.routers.get(session.router.0).ok_or((None, "unknown_vrid"))?;
        let channel = self.channels.get_mut(&session).ok_or((None, "unknown_vrid"))?;
        let error = |kind| (Some(session), kind);
        admit(router, channel, &datagram, &decoded).map_err(error)?;
        if let Some(reading) = decoded.checksum {
            channel.reading = reading;
        }
        let advertisement = &decoded.advertisement;
        if is_foreign(channel, advertisement) {
            return Err(error("foreign_router"));
        }
        let differences = differences(router, channel, advertisement, own);
        let pace = Pace { version: advertisement.version(), interval: advertisement.interval().duration() };
        let heard = Heard { source: datagram.source, priority: advertisement.priority(), pace };
        Ok((session, heard, differences))
    }

    fn router(&self, session: SessionId) -> Option<&VirtualRouter> {
        self.routers.get(session.router.0)
    }

    fn vrid(&self, session: SessionId) -> Option<u8> {
        self.router(session).map(|router| router.vrid.get())
    }
}

/// Whether it is another virtual router under our VRID: it has none of our addresses. To follow it would leave ours to nobody
/// (RFC 9568, section 7.1, lets a receiver verify the list; RFC 3768 has it drop what does not fit). A list that overlaps is
/// one that somebody is changing.
fn is_foreign(channel: &Channel, heard: &Advertisement) -> bool {
    let shares =
        |own: &Advertisement| own.addresses().iter().any(|address| heard.addresses().contains(address));
    channel.advertisement.as_ref().is_some_and(|own| !shares(own))
}

/// What an advertisement that is believed shows of a configuration that differs.
fn differences(
    router: &VirtualRouter,
    channel: &Channel,
    heard: &Advertisement,
    own: u8,
) -> Vec<&'static str> {
    let addresses = channel.advertisement.as_ref().map(Advertisement::addresses);
    let priority = heard.priority();
    let same_version = heard.version() == router.version;
    let found = [
        ("address_owner", own == OWNER && priority == OWNER),
        ("address_list", Some(heard.addresses()) != addresses),
        ("interval_differs", same_version && heard.interval().duration() != router.interval),
        // Among the unfit the address decides as well as anything.
        ("equal_priority", priority == own && (UNFIT_BELOW..OWNER).contains(&own)),
    ];
    found.into_iter().filter(|(_, differs)| *differs).map(|(kind, _)| kind).collect()
}

/// Everything that does not need the bytes any more.
fn admit(
    router: &VirtualRouter,
    channel: &mut Channel,
    datagram: &Datagram<'_>,
    decoded: &Decoded<'_>,
) -> Result<(), &'static str> {
    match (router.transport, &channel.destinations) {
        (Transport::Multicast, _) if datagram.ttl != NEVER_FORWARDED => return Err("ttl"),
        (Transport::Unicast, Destinations::Unicast(others)) if !others.contains(&datagram.source) => {
            return Err("unknown_source");
        }
        (Transport::Multicast | Transport::Unicast, _) => {}
    }
    let advertisement = &decoded.advertisement;
    if !router.accept_versions.contains(&advertisement.version()) {
        return Err("version_not_accepted");
    }
    let interval = advertisement.interval().duration();
    if advertisement.version() == VrrpVersion::V2
        && router.version == VrrpVersion::V2
        && interval != router.interval
    {
        return Err("interval_mismatch");
    }
    let (message, trailing) = (decoded.message, decoded.trailing);
    match &mut channel.proof {
        Proof::None if advertisement.password().is_some() => Err("password_not_expected"),
        Proof::None => Ok(()),
        Proof::Password(expected) => match advertisement.password() {
            Some(password) if password == expected => Ok(()),
            Some(_) | None => Err("password"),
        },
        Proof::Hmac(hmac) => hmac
            .verifier
            .verify(&channel.identity, datagram.source, message, trailing)
            .map(|_| ())
            .map_err(Refusal::name),
    }
}
