//! Follows the events of a running director over its control socket (shell): until it goes, or the caller has enough.

use super::client::{Client, ClientError};
use super::event::{EventQuery, EventRecord};
use super::event_server::HEARTBEAT;
use super::sse::{Message, Stream};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::timeout;

/// A director that says nothing for so long, not even that it is there, is gone.
const SILENCE: Duration = HEARTBEAT.saturating_mul(2);

/// What comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    Event(Box<EventRecord>),
    /// So many events were not read in time, and are not kept any more.
    Lost(u64),
}

impl Client {
    /// Hands every event that `query` asks for to `each`, from then on until that fails.
    ///
    /// # Errors
    /// When nothing answers, or the director goes; or what `each` says.
    pub async fn follow<E: From<ClientError>>(
        &self,
        query: &EventQuery,
        mut each: impl FnMut(Followed) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = self.path_of("/v1/events/stream", query)?;
        let mut body = self.open(&path).await?;
        let mut stream = Stream::default();
        loop {
            for message in self.next(&mut body, &mut stream).await? {
                each(self.followed(&message)?)?;
            }
        }
    }

    async fn next(&self, body: &mut Incoming, stream: &mut Stream) -> Result<Vec<Message>, ClientError> {
        let silent = format!("it has said nothing for {} s", SILENCE.as_secs());
        let frame = timeout(SILENCE, body.frame()).await.map_err(|_| self.no_director(silent))?;
        let frame = frame.ok_or_else(|| self.no_director("it has ended the stream"))?;
        let frame = frame.map_err(|error| self.no_director(error))?;
        let bytes = frame.into_data().unwrap_or_default();
        stream.push(&bytes).ok_or_else(|| self.strange("its stream holds no events"))
    }

    fn followed(&self, message: &Message) -> Result<Followed, ClientError> {
        if message.event == "lost" {
            return message.data.parse().map(Followed::Lost).map_err(|error| self.strange(error));
        }
        let event = serde_json::from_str(&message.data).map_err(|error| self.strange(error))?;
        Ok(Followed::Event(event))
    }
}
