//! The predecessor's side of the conversation (shell): a task that hears the successor, asks the event loop, and says what that
//! answers. It decides one thing: when the other process must not go on any more.

use super::dialogue::{Ask, Greeting, HandedPair, Say};
use super::pools::HandedPools;
use super::wire::Wire;
use crate::advert::thread::HandOnReply;
use crate::director::clock::Clock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The first word comes within this.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// The policy is read and made ready within this.
const READY: Duration = Duration::from_secs(150);
/// Lock and ports are taken, and the kernel is looked at, within this.
const ADOPTED: Duration = Duration::from_secs(60);
/// The election was to begin by an instant; word of it may take so much longer.
const SLACK: Duration = Duration::from_millis(5);
/// A process that was ended is gone within this.
const GONE: Duration = Duration::from_secs(2);

/// What the event loop is told, and asked.
#[derive(Debug)]
pub(in crate::director) enum News {
    Hello {
        form: u32,
        reply: oneshot::Sender<Result<Greeting, String>>,
    },
    Pools {
        reply: oneshot::Sender<Result<HandedPools, String>>,
    },
    Pair {
        epoch: u64,
        reply: HandOnReply,
    },
    /// The other process serves; answered when this one has ended all that it did.
    Serving {
        reply: oneshot::Sender<()>,
    },
    /// It is gone, or must not go on: this one does.
    Gone {
        why: String,
    },
}

/// The whole conversation.
pub(super) struct Conversation {
    pub(super) wire: Wire,
    /// The process at the other end.
    pub(super) pid: Option<i32>,
    pub(super) clock: Clock,
    pub(super) news: mpsc::Sender<News>,
}

impl Conversation {
    pub(super) async fn hold(mut self) {
        let Err(why) = self.talk().await else { return };
        // It may be gone already.
        let _ = self.wire.send(&Say::Refused { why: why.clone() }).await;
        // Nobody listens any more when the director stops.
        let _ = self.news.send(News::Gone { why }).await;
    }

    async fn talk(&mut self) -> Result<(), String> {
        let form = match self.hear(FIRST_WORD).await? {
            Ask::Hello(hello) => hello.form()?,
            other => return Err(unexpected(other)),
        };
        let greeting = ask(&self.news, |reply| News::Hello { form, reply }).await?;
        self.say(&Say::Greeting(greeting)).await?;
        match self.hear(READY).await? {
            Ask::Pools => {}
            other => return Err(unexpected(other)),
        }
        let pools = ask(&self.news, |reply| News::Pools { reply }).await?;
        self.say(&Say::Pools(Box::new(pools))).await?;
        let epoch = match self.hear(ADOPTED).await? {
            Ask::Pair { epoch } => epoch,
            other => return Err(unexpected(other)),
        };
        let silence = ask(&self.news, |reply| News::Pair { epoch, reply }).await?;
        let start_by = silence.start_by;
        let said = HandedPair { start_by, station: silence.station };
        let heard = match self.say(&Say::Pair(Box::new(said))).await {
            Ok(()) => {
                let left = start_by.saturating_since(self.clock.now());
                self.hear(left + SLACK).await
            }
            Err(why) => Err(why),
        };
        let why = match heard {
            Ok(Ask::Serving) => {
                let (reply, ended) = oneshot::channel();
                if self.news.send(News::Serving { reply }).await.is_ok() && ended.await.is_ok() {
                    // Unheard, it is as good: the other process goes on.
                    let _ = self.wire.send(&Say::Farewell).await;
                    return Ok(());
                }
                "this director stops".to_owned()
            }
            Ok(other) => unexpected(other),
            Err(why) => why,
        };
        self.end_it().await;
        Err(why)
    }

    /// It may have begun to advertise, or be about to: nobody else does before it is gone.
    async fn end_it(&mut self) {
        let closed = timeout(Duration::ZERO, self.wire.closed()).await.is_ok();
        if closed {
            return;
        }
        // As long as its end of the connection is open its number is nobody else's.
        if let Some(pid) = self.pid.filter(|pid| *pid > 1) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = timeout(GONE, self.wire.closed()).await;
    }

    async fn hear(&mut self, within: Duration) -> Result<Ask, String> {
        self.wire.receive(within).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => {
                "it has ended before it served".to_owned()
            }
            std::io::ErrorKind::TimedOut => format!("it said nothing for {within:?}"),
            _ => format!("what it says is not understood: {error}"),
        })
    }

    async fn say(&mut self, said: &Say) -> Result<(), String> {
        self.wire.send(said).await.map_err(|error| format!("it does not listen any more: {error}"))
    }
}

/// Tells a process that nothing is handed on to it.
pub(super) async fn refuse(mut wire: Wire, why: &str) {
    // It may be gone already.
    let _ = wire.send(&Say::Refused { why: why.to_owned() }).await;
}

async fn ask<T>(
    news: &mpsc::Sender<News>,
    question: impl FnOnce(oneshot::Sender<Result<T, String>>) -> News,
) -> Result<T, String> {
    let (reply, answer) = oneshot::channel();
    let stops = || "this director stops".to_owned();
    news.send(question(reply)).await.map_err(|_| stops())?;
    answer.await.map_err(|_| stops())?
}

fn unexpected(said: Ask) -> String {
    match said {
        Ask::Failed { why } => why,
        Ask::Hello(_) | Ask::Pools | Ask::Pair { .. } | Ask::Serving => {
            "it says something else than it was to say".to_owned()
        }
    }
}
