//! What the station says goes out (shell): each message on its path, beats on the first path that takes them.

use super::Driver;
use crate::advert::errands::Errand;
use crate::advert::path::{Kind, PathId};
use crate::advert::thread::Notice;
use crate::advert::transport::Destination;
use crate::vrrp::SessionId;

impl Driver {
    pub(super) fn send(&mut self, session: SessionId, destination: std::net::IpAddr, bytes: &[u8]) {
        let Some(path) = self.paths.sessions.get(&session).copied() else { return };
        let to = match self.paths.get(path).map(|path| &path.kind) {
            Some(Kind::Unicast { .. }) => Destination::One(destination),
            Some(Kind::Multicast { .. }) | None => Destination::All,
        };
        let framed = self.framing.source_of(session, bytes);
        let transport = &self.ports.transport;
        if framed.is_some_and(|hardware| transport.send_framed(path, hardware, bytes).is_ok()) {
            self.send_errors.remove(&path);
            return;
        }
        match transport.send(path, to, bytes) {
            Ok(()) => drop(self.send_errors.remove(&path)),
            Err(error) => self.send_failed(path, &error),
        }
    }

    fn send_failed(&mut self, path: PathId, error: &std::io::Error) {
        let errno = error.raw_os_error().unwrap_or_default();
        // The source may be gone, or the interface made anew.
        self.order_errand(Errand::Source(path));
        if self.send_errors.insert(path, errno) != Some(errno)
            && let Some(told) = self.paths.get(path)
        {
            self.notice(Notice::Trouble(format!("cannot send {told}: {error}")));
        }
    }

    pub(super) fn send_beat(&self, bytes: &[u8]) {
        for beat in &self.paths.beats {
            // A beat that cannot be sent is missed by the others, which is what beats are for.
            let _ = self.ports.transport.send_first(&beat.paths, bytes);
        }
    }
}
