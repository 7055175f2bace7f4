//! A running director hands on to another process (shell): what the event loop does about it. It serves until that one does, and
//! goes on where that one cannot.

use super::DETACH;
use super::conversation::{Conversation, News, refuse};
use super::dialogue::Greeting;
use super::pools::HandedPools;
use super::wire::Wire;
use crate::advert::thread::{Command, HandOnReply, Silence};
use crate::control::{Answer, Candidate, RefusalCode, Refused};
use crate::director::chronicle::{PolicyNews, of_policy};
use crate::director::error::RunError;
use crate::director::kernel_thread::Job;
use crate::director::pair::{PairThreads, keyring};
use crate::director::ports::Ports;
use crate::director::reload::Reply;
use crate::director::run::Loop;
use sd_notify::NotifyState;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

/// Work under way in the kernel comes to its end within this, or nothing is handed on.
const POOLS_REST: Duration = Duration::from_secs(30);
/// A process that was started asks within this.
const ASKS: Duration = Duration::from_secs(170);
/// Ports that another process could not keep are waited for so long, and then again.
const PORTS_BACK: Duration = Duration::from_secs(10);
/// Who asked for the takeover reads the answer within this.
const ANSWERED: Duration = Duration::from_millis(200);

/// What is known of a process that goes on, or is to.
#[derive(Debug)]
pub(in crate::director) struct Succession {
    /// How it is started.
    command: Vec<OsString>,
    /// Of the control socket.
    socket: PathBuf,
    current: Option<Current>,
    asked: Option<Asked>,
    /// Ports that come back.
    ports: Option<oneshot::Receiver<Result<Ports, RunError>>>,
    /// What another process sees of the pools is believed until then, though no channel to it is up yet.
    pub(in crate::director) sights_until: Option<Instant>,
    handed_on: bool,
}

/// One conversation.
#[derive(Debug)]
struct Current {
    news: mpsc::Receiver<News>,
    who: String,
    pid: Option<i32>,
    generation: u64,
    stage: Stage,
    /// The number of the other's run, once it has asked for the election.
    epoch: Option<u64>,
}

#[derive(Debug)]
enum Stage {
    Preparing,
    /// The pools come to rest.
    Resting {
        reply: oneshot::Sender<Result<HandedPools, String>>,
        until: Instant,
    },
    /// The kernel thread lets go.
    LettingGo {
        reply: oneshot::Sender<Result<HandedPools, String>>,
    },
    Rested,
}

/// Somebody asked for it.
#[derive(Debug)]
struct Asked {
    reply: Reply,
    /// Its other end is the input of the process that was started, and of nobody once that has ended; `None` when it is known
    /// to have.
    line: Option<UnixStream>,
    until: Instant,
}

/// Something about a process that goes on.
#[derive(Debug)]
pub(in crate::director) enum Event {
    News(News),
    /// The process that was started has ended, or has not asked in time.
    Ended(String),
    Ports(Box<Result<Ports, RunError>>),
}

impl Succession {
    /// Another process of this director is started by `command`; `is_successor`: this one was.
    pub(in crate::director) fn new(command: Vec<OsString>, socket: PathBuf, is_successor: bool) -> Self {
        let sights_until = is_successor.then(|| Instant::now() + PORTS_BACK);
        let (current, asked, ports, handed_on) = (None, None, None, false);
        Self { command, socket, current, asked, ports, sights_until, handed_on }
    }

    /// The next event; never one where nothing is under way.
    pub(in crate::director) async fn next(&mut self) -> Event {
        let Self { current, asked, ports, .. } = self;
        let news = async {
            match current {
                Some(current) => match current.news.recv().await {
                    Some(news) => news,
                    None => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        let ended = async {
            match asked {
                Some(asked) => asked.ended().await,
                None => std::future::pending().await,
            }
        };
        let back = async {
            match ports {
                Some(ports) => ports.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            news = news => Event::News(news),
            why = ended => Event::Ended(why),
            Ok(ports) = back => Event::Ports(Box::new(ports)),
        }
    }

    /// Whether another process is on its way, so that nothing may change any more.
    pub(in crate::director) const fn is_under_way(&self) -> bool {
        self.current.is_some() || self.asked.is_some()
    }

    pub(in crate::director) const fn is_handed_on(&self) -> bool {
        self.handed_on
    }

    fn answer(&mut self, answer: Result<Answer, Refused>) {
        if let Some(asked) = self.asked.take() {
            // Who asked may have gone away.
            let _ = asked.reply.send(answer);
        }
    }
}

impl Asked {
    async fn ended(&mut self) -> String {
        let gone = async {
            match &mut self.line {
                Some(line) => line.read_u8().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = gone => "the process that was started has ended; what it said is in the log".to_owned(),
            () = tokio::time::sleep_until(self.until) => "the process that was started did not serve in time".to_owned(),
        }
    }
}

/// Starts a process with an input at which nobody writes; this end of it.
fn start(mut command: tokio::process::Command) -> io::Result<UnixStream> {
    let (here, there) = UnixStream::pair()?;
    let mut child = command.stdin(OwnedFd::from(there.into_std()?)).spawn()?;
    // It ends when it has started another one; nobody else looks.
    tokio::spawn(async move { child.wait().await });
    Ok(here)
}

impl Loop {
    /// Somebody asks that the installed program goes on.
    pub(in crate::director) fn takeover_asked(&mut self, reply: Reply) {
        match self.start_successor() {
            Ok(line) => {
                let until = Instant::now() + ASKS;
                self.succession.asked = Some(Asked { reply, line: Some(line), until });
            }
            Err(refused) => drop(reply.send(Err(refused))),
        }
    }

    fn start_successor(&self) -> Result<UnixStream, Refused> {
        let guard = |why: &str| Refused::new(RefusalCode::Guard, why);
        if self.succession.is_under_way() {
            return Err(guard("another process is taking over already"));
        }
        self.what_speaks_against().map_or(Ok(()), |why| Err(guard(why)))?;
        let invalid = |why: String| Refused::new(RefusalCode::Invalid, why);
        let command = self.succession.command.split_first();
        let (program, arguments) =
            command.ok_or_else(|| invalid("it is not known by what this director was started".to_owned()))?;
        let mut command = tokio::process::Command::new(program);
        // systemd watches the process that it knows; the other one is told so by its own number.
        command.args(arguments).env_remove("WATCHDOG_PID").env(DETACH, std::process::id().to_string());
        start(command).map_err(|error| {
            invalid(format!("cannot start {}: {error}; nothing was changed", program.to_string_lossy()))
        })
    }

    /// Why nothing is handed on now.
    fn what_speaks_against(&self) -> Option<&'static str> {
        if self.core.is_observing() {
            Some("this director only observes: there is nothing to hand on")
        } else if self.stop_by.is_some() {
            Some("this director stops")
        } else if self.reloads.is_under_way() || self.reloads.counts().unconfirmed {
            Some("a policy is being taken over, or waits to be confirmed: take over when that is through")
        } else if !self.pair_restart.is_none() {
            Some("the election begins anew: take over when that is through")
        } else if !self.core.is_applied() {
            Some("the tables have not been applied yet: take over when they are")
        } else {
            None
        }
    }

    /// A process wants to go on.
    pub(in crate::director) fn successor_came(&mut self, candidate: Candidate) {
        let Candidate { caller, stream } = candidate;
        if self.succession.current.is_some() {
            tracing::warn!("{caller} wants to take over, and another process does already");
            tokio::spawn(refuse(Wire::new(stream), "another process is taking over already"));
            return;
        }
        let (sender, news) = mpsc::channel(1);
        let conversation =
            Conversation { wire: Wire::new(stream), pid: caller.pid, clock: self.clock, news: sender };
        self.succession.current = Some(Current {
            news,
            who: caller.to_string(),
            pid: caller.pid,
            generation: self.core.generation,
            stage: Stage::Preparing,
            epoch: None,
        });
        tokio::spawn(conversation.hold());
    }

    pub(in crate::director) fn succession_event(&mut self, event: Event) {
        match event {
            Event::News(news) => self.successor_news(news),
            // One that talks says itself why it ends.
            Event::Ended(why) if self.succession.current.is_none() => self.not_taken_over(&why),
            Event::Ended(_) => self.forget_child(),
            Event::Ports(ports) => match *ports {
                Ok(ports) => self.ports_are_back(ports),
                Err(error) => {
                    tracing::error!("{error}; trying again");
                    self.take_ports_back();
                }
            },
        }
    }

    /// The conversation's end tells; until then its own time is all that is waited for.
    fn forget_child(&mut self) {
        if let Some(asked) = &mut self.succession.asked {
            asked.line = None;
            asked.until = Instant::now() + ASKS;
        }
    }

    fn successor_news(&mut self, news: News) {
        match news {
            News::Hello { form, reply } => drop(reply.send(self.greet(form))),
            News::Pools { reply } => self.let_pools_rest(reply),
            News::Pair { epoch, reply } => self.let_pair_rest(epoch, reply),
            News::Serving { reply } => self.handed_on(reply),
            News::Gone { why } => self.go_on_ourselves(&why),
        }
    }

    fn greet(&self, form: u32) -> Result<Greeting, String> {
        self.what_speaks_against().map_or(Ok(()), |why| Err(why.to_owned()))?;
        let (_, text) = self.reloads.in_force();
        let (generation, clock_us) = (self.core.generation, self.clock.boot_micros());
        Ok(Greeting { form, clock_us, generation, text: text.number() })
    }

    fn let_pools_rest(&mut self, reply: oneshot::Sender<Result<HandedPools, String>>) {
        let Some(current) = &mut self.succession.current else { return };
        if current.generation != self.core.generation || self.reloads.is_under_way() {
            drop(reply.send(Err("the policy has changed meanwhile: take over again".to_owned())));
            return;
        }
        tracing::info!("{}: goes on in this process's place; its pools rest", current.who);
        let until = Instant::now() + POOLS_REST;
        current.stage = Stage::Resting { reply, until };
        let to = current.who.clone();
        self.chronicler.tell([of_policy(&PolicyNews::HandsOn { to: &to })]);
        self.core.rest(true);
    }

    /// Looks whether the pools are at rest.
    pub(in crate::director) fn look_at_rest(&mut self) -> Result<(), RunError> {
        let at_rest = self.core.is_at_rest();
        let Some(current) = &mut self.succession.current else { return Ok(()) };
        let Stage::Resting { until, .. } = &current.stage else { return Ok(()) };
        let late = *until <= Instant::now();
        if !at_rest && !late {
            return Ok(());
        }
        let Stage::Resting { reply, .. } = std::mem::replace(&mut current.stage, Stage::Rested) else {
            return Ok(());
        };
        if at_rest {
            current.stage = Stage::LettingGo { reply };
            self.send(Job::LetGo)
        } else {
            drop(reply.send(Err("the kernel has not done what it was asked for in time".to_owned())));
            Ok(())
        }
    }

    /// The kernel thread has let go of the state directory: ports and socket go as well.
    pub(in crate::director) fn lock_is_free(&mut self) {
        let Some(current) = &mut self.succession.current else { return };
        let Stage::LettingGo { reply } = std::mem::replace(&mut current.stage, Stage::Rested) else { return };
        self.pair.iter_mut().for_each(|pair| pair.keep_marks(false));
        self.peers.let_go();
        self.published.close();
        self.control.close();
        let (pools, settled) = (self.core.hand_on(), self.overrides.settled());
        tokio::spawn(async move {
            settled.await;
            drop(reply.send(Ok(pools)));
        });
    }

    fn let_pair_rest(&mut self, epoch: u64, reply: HandOnReply) {
        let Some(current) = &mut self.succession.current else { return };
        current.epoch = Some(epoch);
        match &self.pair {
            // An answer that cannot be asked for is one that never comes.
            Some(pair) => drop(pair.commander().give(Command::HandOn { reply })),
            None => {
                let start_by = self.clock.now() + PORTS_BACK;
                drop(reply.send(Ok(Silence { start_by, station: None })));
            }
        }
    }

    /// The other process serves: this one does nothing any more.
    fn handed_on(&mut self, reply: oneshot::Sender<()>) {
        self.succession.handed_on = true;
        self.pair.take().into_iter().for_each(PairThreads::hand_on);
        let Some(current) = self.succession.current.take() else { return };
        if let Some(pid) = current.pid.and_then(|pid| u32::try_from(pid).ok()) {
            // Without systemd nobody listens, and nothing is lost.
            let _ = sd_notify::notify(&[NotifyState::MainPid(pid)]);
        }
        tracing::info!("handed on to {}", current.who);
        let message = format!("{} serves in the place of process {}", current.who, std::process::id());
        self.succession.answer(Ok(Answer::of_policy(current.generation, message, Vec::new())));
        let _ = reply.send(());
    }

    /// Whoever asked reads the answer before this process ends.
    pub(in crate::director) async fn leave(self) {
        sleep(ANSWERED).await;
    }

    /// This director stops: nobody goes on in its place.
    pub(in crate::director) fn end_succession(&mut self) {
        if self.succession.current.is_some() {
            self.go_on_ourselves("the director stops");
        }
    }

    /// The other process could not.
    fn go_on_ourselves(&mut self, why: &str) {
        let Some(current) = self.succession.current.take() else { return };
        if let (Some(epoch), Some(pair)) = (current.epoch, &self.pair) {
            pair.commander().give(Command::TakeBack { epoch: epoch.saturating_add(1) });
        }
        tracing::error!("{} cannot go on in this process's place: {why}; this one serves on", current.who);
        match current.stage {
            Stage::Preparing => {}
            Stage::Resting { .. } => self.core.rest(false),
            Stage::LettingGo { .. } | Stage::Rested => self.take_back(),
        }
        self.not_taken_over(why);
    }

    fn not_taken_over(&mut self, why: &str) {
        let message = format!("nothing was taken over, and the director serves on: {why}");
        self.succession.answer(Err(Refused::new(RefusalCode::Invalid, message)));
    }

    /// What was let go of comes back.
    fn take_back(&mut self) {
        if self.send(Job::TakeBack).is_err() {
            tracing::error!("the kernel thread takes nothing any more");
        }
        self.core.rest(false);
        self.pair.iter_mut().for_each(|pair| pair.keep_marks(true));
        match keyring(&self.core.policy.pair) {
            Ok(keys) => self.peers.renew(&self.core.policy, keys.peer.as_ref(), self.clock),
            Err(error) => tracing::error!("no channel to the other directors: {error}"),
        }
        self.take_ports_back();
    }

    fn take_ports_back(&mut self) {
        let (sender, ports) = oneshot::channel();
        let (policy, socket) = (self.core.policy.clone(), self.succession.socket.clone());
        self.succession.ports = Some(ports);
        tokio::spawn(async move {
            // Nobody listens any more when the director stops.
            let _ = sender.send(Ports::take_within(&policy, &socket, PORTS_BACK).await);
        });
    }

    fn ports_are_back(&mut self, ports: Ports) {
        self.succession.ports = None;
        self.control.open(ports.socket);
        self.control.renew_api(ports.api, self.published.view(self.clock), &self.visitors);
        self.published.open(ports.metrics, self.clock, &self.visitors);
        self.publish_soon();
    }
}
