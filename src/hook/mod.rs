//! Hooks of events (shell): programs that are run, webhooks that are called and mails that are sent, at the events that the
//! policy says.
//!
//! Each hook is a task with a place in the chronicle: it takes one event after the other, and the next only when the one before
//! has been dealt with. Nothing waits in memory but in the chronicle; what a hook is too slow for is counted, and told with
//! the next event that it gets. A mail tells the events of some seconds. The tasks run on a thread of their own, which is there only where a policy has hooks.
//!
//! Bounded: hooks, the events that wait for one, each run and each attempt, the attempts, and how long a hook that a policy no
//! longer has goes on with what waited.

mod attempts;
mod delivery;
mod digest;
mod exec;
mod letter;
mod mail;
mod message;
mod trust;
mod webhook;

use crate::director::chronicle::Book;
use crate::director::snapshot::HookCounts;
use crate::model::{EventFilter, EventHook, HookAct};
use delivery::Delivery;
use digest::Collected;
use letter::Letter;
pub(crate) use message::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// A hook that another policy does not have goes on so long with the events that were there before.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Why a hook cannot be made ready.
#[derive(Debug, thiserror::Error)]
#[error("on_event: {hook}: {detail}")]
pub struct HookError {
    /// Which one: its program, or its place in the list.
    hook: String,
    detail: String,
}

/// [`HookCounts`] while they grow.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    delivered: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    pub(crate) fn counts(&self) -> HookCounts {
        HookCounts {
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}

/// A hook made ready: secrets read, users and certificates found.
#[derive(Debug)]
pub(crate) struct Ready {
    hook: EventHook,
    doer: Doer,
}

/// What does it.
#[derive(Debug)]
enum Doer {
    Exec(exec::Program),
    Webhook(webhook::Webhook),
    Mail(mail::Mailer),
}

impl Ready {
    fn of(number: usize, hook: &EventHook) -> Result<Self, HookError> {
        let named = |detail: String| {
            let hook = match &hook.act {
                HookAct::Exec { command, .. } => command.first().cloned().unwrap_or_default(),
                HookAct::Webhook { .. } => format!("webhook {number}"),
                HookAct::Mail(_) => format!("mail {number}"),
            };
            HookError { hook, detail }
        };
        let doer = match &hook.act {
            HookAct::Exec { command, user } => {
                Doer::Exec(exec::Program::new(command, user.as_deref(), hook.timeout).map_err(named)?)
            }
            HookAct::Webhook { url, secret, ca } => {
                let secret = secret.as_ref();
                Doer::Webhook(webhook::Webhook::new(url, secret, ca.as_ref(), hook.timeout).map_err(named)?)
            }
            HookAct::Mail(settings) => Doer::Mail(mail::Mailer::new(settings, hook.timeout).map_err(named)?),
        };
        Ok(Self { hook: hook.clone(), doer })
    }

    fn filter(&self) -> &EventFilter {
        &self.hook.filter
    }

    /// Its words in the log.
    fn name(&self) -> &str {
        match &self.doer {
            Doer::Exec(program) => program.name(),
            Doer::Webhook(webhook) => webhook.name(),
            Doer::Mail(mailer) => mailer.name(),
        }
    }

    /// How long events are collected; nothing where each is told by itself, as soon as it can be.
    const fn window(&self) -> Duration {
        match &self.hook.act {
            HookAct::Exec { .. } | HookAct::Webhook { .. } => Duration::ZERO,
            HookAct::Mail(settings) => settings.collect,
        }
    }

    /// Whether one telling is of one event.
    const fn takes_one(&self) -> bool {
        matches!(self.doer, Doer::Exec(_) | Doer::Webhook(_))
    }

    /// Tells what was collected, of which there is one event where it [takes one](Self::takes_one).
    async fn take(&self, collected: &Collected, lost: u64) -> Result<(), String> {
        let message = Message { event: &collected.gravest, lost };
        match &self.doer {
            Doer::Exec(program) => program.run(&message).await,
            Doer::Webhook(webhook) => webhook.call(&message).await,
            Doer::Mail(mailer) => mailer.send(&Letter::of(collected, lost)).await,
        }
    }
}

/// Makes the hooks of a policy ready; reads files.
///
/// # Errors
/// What is wrong with the first that cannot be.
pub(crate) fn prepare(hooks: &[EventHook]) -> Result<Vec<Ready>, HookError> {
    hooks.iter().enumerate().map(|(index, hook)| Ready::of(index + 1, hook)).collect()
}

/// The hooks of the policy in force.
#[derive(Debug)]
pub(crate) struct Hooks {
    book: Book,
    tally: Arc<Tally>,
    running: Vec<Running>,
    /// Their thread, from the first hook on.
    thread: Option<Runtime>,
    /// Those of policies before, which end.
    ending: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Running {
    hook: EventHook,
    /// The number of the last event that it gets; `None`: it goes on.
    end: watch::Sender<Option<u64>>,
    task: JoinHandle<()>,
}

impl Hooks {
    /// Of a director that begins: from the next event of the book on.
    pub(crate) fn start(book: Book, tally: Arc<Tally>, hooks: Vec<Ready>) -> Self {
        let mut started = Self { book, tally, running: Vec::new(), thread: None, ending: Vec::new() };
        started.renew(hooks);
        started
    }

    /// Goes on with the hooks of another policy. One that is the same goes on; one that takes the place of another begins when
    /// that has ended, so that what both would run keeps its order.
    pub(crate) fn renew(&mut self, hooks: Vec<Ready>) {
        self.ending.retain(|task| !task.is_finished());
        if self.thread.is_none() && !hooks.is_empty() {
            match thread() {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => {
                    tracing::error!("no thread for the hooks of on_event: {error}; they are not run");
                    return;
                }
            }
        }
        let Some(thread) = self.thread.as_ref().map(|thread| thread.handle().clone()) else { return };
        let mut before = std::mem::take(&mut self.running);
        let mut fresh = Vec::new();
        for ready in hooks {
            let same = |running: &Running| running.hook == ready.hook && !ready.hook.reads_files();
            match before.iter().position(same) {
                Some(place) => self.running.push(before.remove(place)),
                None => fresh.push(ready),
            }
        }
        let last_id = self.book.last_id();
        let mut ended = before.into_iter().map(|running| running.end_after(last_id, &thread));
        for ready in fresh {
            let running = self.begin(ready, last_id, ended.next(), &thread);
            self.running.push(running);
        }
        self.ending.extend(ended);
    }

    fn begin(&self, ready: Ready, after: u64, before: Option<JoinHandle<()>>, thread: &Handle) -> Running {
        let (end, ends) = watch::channel(None);
        let hook = ready.hook.clone();
        let delivery = Delivery::new(ready, self.book.clone(), after, ends, Arc::clone(&self.tally));
        let task = thread.spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            delivery.run().await;
        });
        Running { hook, end, task }
    }

    /// Lets every hook deal with what has happened so far, within a time; then they end, whatever they do.
    pub(crate) async fn finish(&mut self, within: Duration) {
        let Some(thread) = self.thread.take() else { return };
        let until = Instant::now() + within;
        let last_id = self.book.last_id();
        for running in &self.running {
            running.end.send_replace(Some(last_id));
        }
        let tasks = self.running.drain(..).map(|running| running.task).chain(self.ending.drain(..));
        for task in tasks {
            if timeout_at(until, task).await.is_err() {
                tracing::warn!(
                    "a hook of on_event has not dealt with all events; the director ends all the same"
                );
            }
        }
        thread.shutdown_background();
    }
}

impl Drop for Hooks {
    /// Without waiting; what runs is killed.
    fn drop(&mut self) {
        self.thread.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl Running {
    /// Ends it after an event, soon; resolves when it has.
    fn end_after(self, last_id: u64, thread: &Handle) -> JoinHandle<()> {
        self.end.send_replace(Some(last_id));
        let mut task = self.task;
        thread.spawn(async move {
            if timeout(LONGEST_REST, &mut task).await.is_err() {
                task.abort();
                let _ = task.await;
            }
        })
    }
}

fn thread() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("hooks").build()
}

#[cfg(test)]
mod tests;
