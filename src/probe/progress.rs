//! How far a probe came, seen from outside when its time runs out.

use super::failure;
use crate::model::Phase;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// The phase of one probe, shared between the probe and its time-out. It only goes forward.
#[derive(Debug, Default)]
pub(super) struct Progress {
    phase: AtomicU8,
    /// What has come and is not what was expected.
    unmet: Mutex<String>,
}

const PHASES: [Phase; 12] = [
    Phase::Connect,
    Phase::TlsHandshake,
    Phase::Greeting,
    Phase::Request,
    Phase::ResponseHeaders,
    Phase::ResponseBody,
    Phase::Reply,
    Phase::Expectation,
    Phase::EchoReply,
    Phase::Program,
    Phase::File,
    Phase::AgentLine,
];

impl Progress {
    /// The phase it is in.
    pub(super) fn phase(&self) -> Phase {
        let reached = usize::from(self.phase.load(Ordering::Relaxed));
        PHASES.get(reached).copied().unwrap_or(Phase::ResponseBody)
    }

    /// Enters `phase`, unless it is past it.
    pub(super) fn enter(&self, phase: Phase) {
        let place = (0..).zip(PHASES).find(|(_, known)| *known == phase).map_or(0, |(place, _)| place);
        self.phase.fetch_max(place, Ordering::Relaxed);
    }

    /// Keeps what has come while a text is expected, for the case that nothing more comes.
    pub(super) fn keep_unmet(&self, heard: &[u8]) {
        if let Ok(mut unmet) = self.unmet.lock() {
            *unmet = if heard.is_empty() { String::new() } else { failure::shown(heard) };
        }
    }

    /// What had come when a text was expected last.
    pub(super) fn unmet(&self) -> Option<String> {
        self.unmet.lock().ok().map(|unmet| unmet.clone()).filter(|unmet| !unmet.is_empty())
    }
}
