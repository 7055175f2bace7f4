//! A hook that is a program (shell): the event as JSON on its standard input and in its environment, no shell, a bounded time,
//! its whole process group killed at the end of it. How it is run is [`crate::probe`]'s, as for checks.

use super::Message;
use crate::probe::program::{Identity, Launch, identity, within};
use std::io::pipe;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;

#[derive(Debug)]
pub(super) struct Program {
    name: String,
    path: PathBuf,
    arguments: Vec<String>,
    user: Option<Identity>,
    timeout: Duration,
}

impl Program {
    pub(super) fn new(command: &[String], user: Option<&str>, timeout: Duration) -> Result<Self, String> {
        let (program, arguments) = command.split_first().ok_or("it names no program")?;
        let as_user = |name: &str| identity(name).map_err(|detail| format!("cannot run as {name}: {detail}"));
        let user = user.map(as_user).transpose()?.flatten();
        let (name, path) = (program.clone(), PathBuf::from(program));
        Ok(Self { name, path, arguments: arguments.to_vec(), user, timeout })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Runs it for one event until it ends.
    pub(super) async fn run(&self, message: &Message<'_>) -> Result<(), String> {
        within(self.timeout, self.run_to_its_end(message)).await
    }

    async fn run_to_its_end(&self, message: &Message<'_>) -> Result<(), String> {
        let text = message.text()?;
        let launch = Launch {
            path: self.path.clone(),
            arguments: self.arguments.clone(),
            user: self.user,
            environment: message.environment(),
        };
        let (reader, writer) = pipe().map_err(|error| format!("no pipe: {error}"))?;
        let mut input =
            Sender::from_owned_fd(OwnedFd::from(writer)).map_err(|error| format!("no pipe: {error}"))?;
        let running = launch.start(Stdio::from(reader)).await?;
        // A program that does not read its input is none the worse for it.
        let told = async move {
            let _ = input.write_all(&text).await;
            drop(input);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = running.succeeded() => ended,
            () = told => Ok(()),
        }
    }
}
