//! The process that goes on in another's place (shell): it finds the running director, and takes over from it step by step.

use super::dialogue::{Ask, Greeting, HandedPair, Hello, Say};
use super::pools::HandedPools;
use super::wire::Wire;
use crate::control::{Client, ClientError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// The predecessor greets within this.
const GREETING: Duration = Duration::from_secs(10);
/// Its pools come to rest within this: the kernel may be in the middle of a large change.
const POOLS: Duration = Duration::from_secs(40);
/// Its election is at rest within this, and just after an advertisement.
const PAIR: Duration = Duration::from_secs(40);
/// It says farewell within this, or never.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why nothing is taken over. The predecessor serves on.
#[derive(Debug, thiserror::Error)]
pub enum TakeoverError {
    #[error("cannot take over from the running director: {0}")]
    Asking(#[from] ClientError),
    #[error("the running director does not hand on: {0}; it serves on")]
    Refused(String),
    #[error("the connection to the running director failed: {0}; it serves on")]
    Broken(#[from] io::Error),
    #[error(
        "policy {0}, which the running director has in force, is not kept in its state directory: reload it, then take over"
    )]
    NotKept(u64),
    #[error(
        "this host was too slow to go on before the next advertisement but one; the running director serves on"
    )]
    TooLate,
}

/// The director that serves until this process does.
#[derive(Debug)]
pub struct Predecessor {
    wire: Wire,
    greeting: Greeting,
}

impl Predecessor {
    /// The director behind this control socket; `None`: nobody is there. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// It is there and does not hand on.
    pub async fn find(socket: &Path) -> Result<Option<Self>, TakeoverError> {
        let stream = match Client::new(socket).succeed().await {
            Ok(stream) => stream,
            Err(ClientError::NoDirector { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut wire = Wire::new(stream);
        wire.send(&Ask::Hello(Hello::own())).await?;
        match wire.receive(GREETING).await? {
            Say::Greeting(greeting) => Ok(Some(Self { wire, greeting })),
            other => Err(unexpected(other)),
        }
    }

    /// What it said at first.
    #[must_use]
    pub const fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Its pools come to rest, and its ports and its lock are free.
    ///
    /// # Errors
    /// It goes on itself.
    pub async fn pools(&mut self) -> Result<HandedPools, TakeoverError> {
        self.wire.send(&Ask::Pools).await?;
        match self.wire.receive(POOLS).await? {
            Say::Pools(pools) => Ok(*pools),
            other => Err(unexpected(other)),
        }
    }

    /// Its election falls silent, until this process goes on with it as a run of this number.
    ///
    /// # Errors
    /// It goes on itself.
    pub async fn pair(&mut self, epoch: u64) -> Result<HandedPair, TakeoverError> {
        self.wire.send(&Ask::Pair { epoch }).await?;
        match self.wire.receive(PAIR).await? {
            Say::Pair(pair) => Ok(*pair),
            other => Err(unexpected(other)),
        }
    }

    /// This process serves: the other one may end. systemd is told by that one which process it is now, and does not listen to
    /// this one before.
    ///
    /// # Errors
    /// The predecessor is gone already, or has heard nothing: it may go on, so this process must not.
    pub async fn serving(&mut self) -> Result<(), TakeoverError> {
        self.wire.send(&Ask::Serving).await?;
        match self.wire.receive(FAREWELL).await {
            Ok(Say::Refused { why }) => Err(TakeoverError::Refused(why)),
            // One that dies between the two has heard it.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// This process does not go on.
    pub async fn failed(mut self, why: &str) {
        // Where it is not heard, the end of this process says enough.
        let _ = self.wire.send(&Ask::Failed { why: why.to_owned() }).await;
    }
}

fn unexpected(said: Say) -> TakeoverError {
    match said {
        Say::Refused { why } => TakeoverError::Refused(why),
        Say::Greeting(_) | Say::Pools(_) | Say::Pair(_) | Say::Farewell => {
            TakeoverError::Broken(io::Error::other("it says something else than it was asked for"))
        }
    }
}
