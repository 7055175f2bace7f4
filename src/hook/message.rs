//! What a hook is told: the event, and how many it has not got. Pure.

use crate::control::EventRecord;
use serde::Serialize;

/// An event on its way to a hook.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Message<'a> {
    #[serde(flatten)]
    pub(crate) event: &'a EventRecord,
    /// Events that this hook should have got since the last one, and has not: they came too fast, or it failed.
    pub(crate) lost: u64,
}

impl Message<'_> {
    /// The JSON.
    pub(super) fn text(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    /// The same as variables of the environment, for programs that read no JSON.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let event = self.event;
        let subject = &event.subject;
        let always = [
            ("TANDEM_EVENT_ID", event.id.to_string()),
            ("TANDEM_EVENT_UNIX_MS", event.unix_ms.to_string()),
            ("TANDEM_EVENT_KIND", event.kind.name().to_owned()),
            ("TANDEM_EVENT_SEVERITY", event.severity.name().to_owned()),
            ("TANDEM_EVENT_REASON", event.reason.clone()),
            ("TANDEM_EVENT_MESSAGE", event.message.replace('\0', " ")),
            ("TANDEM_EVENTS_LOST", self.lost.to_string()),
        ];
        let sometimes = [
            ("TANDEM_DIRECTOR", event.director.as_ref()),
            ("TANDEM_POOL", subject.pool.as_ref()),
            ("TANDEM_SERVER", subject.server.as_ref()),
            ("TANDEM_SERVICE", subject.service.as_ref()),
            ("TANDEM_ROUTER", subject.router.as_ref()),
            ("TANDEM_CHECK", subject.check.as_ref()),
            ("TANDEM_ADDRESS", subject.address.as_ref()),
            ("TANDEM_PEER", subject.peer.as_ref()),
        ];
        let said = sometimes.into_iter().filter_map(|(name, value)| Some((name, value?.clone())));
        // keepalived's notify scripts are told this word.
        let state = event.kind.notify_state().map(|state| ("TANDEM_STATE", state.to_owned()));
        always.into_iter().chain(said).chain(state).collect()
    }

    /// The same event has the same key, however often it is sent.
    pub(super) fn idempotency_key(&self) -> String {
        let EventRecord { id, unix_ms, director, .. } = self.event;
        format!("{}-{unix_ms}-{id}", director.as_deref().unwrap_or("tandem"))
    }
}
