//! `tandem top`: the status, live in a terminal (shell). What is shown and what keys do is decided by the pure parts beside
//! it.
//!
//! Two threads: one asks the director each second and hears the signals, this one reads keys and draws. The terminal is put
//! back however it ends: by a key, a signal, a closed terminal or a panic.

mod model;
mod rows;
mod seen;
#[cfg(test)]
mod tests;
mod view;

use super::ExitStatus;
use crate::control::Client;
use crate::policy::Colour;
use crate::time::Instant;
use anyhow::{Context as _, bail};
use model::{Key, Top};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use seen::Seen;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use view::Theme;

/// How often the director is asked.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How long a key is waited for before the screen is drawn again: ages grow.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Keys that are taken in between two drawings.
const KEYS_AT_ONCE: usize = 64;

/// What the asking thread says.
#[derive(Debug)]
enum News {
    Polled(Box<Result<Seen, String>>),
    /// SIGTERM, SIGINT or SIGHUP.
    Ended,
}

/// Shows the director behind `socket` until a key or a signal ends it.
///
/// # Errors
/// Where there is no terminal, or it cannot be used.
pub(super) fn top(socket: &Path, colour: Colour) -> anyhow::Result<ExitStatus> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!("top needs a terminal; `tandem status` prints the same once");
    }
    let (sender, news) = mpsc::sync_channel(4);
    let client = Client::new(socket);
    std::thread::Builder::new().name("asking".to_owned()).spawn(move || ask(&client, &sender))?;
    let theme = Theme { colour: colour == Colour::Ansi };
    let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
    let shown = show(&mut terminal, &news, theme);
    // Whatever was wrong with the terminal, it is put back.
    let restored = ratatui::try_restore();
    shown?;
    restored.context("the terminal could not be put back: `reset` does it")?;
    Ok(ExitStatus::Done)
}

fn show(terminal: &mut ratatui::DefaultTerminal, news: &Receiver<News>, theme: Theme) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    let now = || Instant::ZERO + started.elapsed();
    let mut top = Top::default();
    while !top.ended {
        loop {
            match news.try_recv() {
                Ok(News::Polled(polled)) => top.polled(*polled, now()),
                Ok(News::Ended) | Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => break,
            }
        }
        top.now = now();
        terminal.draw(|frame| view::draw(frame, &top, theme))?;
        let mut wait = LOOK_EVERY;
        for _ in 0..KEYS_AT_ONCE {
            if is_closed(wait)? {
                bail!("the terminal was closed");
            }
            if !event::poll(Duration::ZERO)? {
                break;
            }
            if let Event::Key(pressed) = event::read()?
                && let Some(key) = key(pressed)
            {
                top.key(key);
            }
            wait = Duration::ZERO;
        }
    }
    Ok(())
}

/// Waits until there is something to read, or for so long; whether the terminal is gone. Reading on from a closed one would find
/// its end again and again, for ever.
fn is_closed(wait: Duration) -> anyhow::Result<bool> {
    let input = std::io::stdin();
    let mut watched = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
    match poll(&mut watched, PollTimeout::try_from(wait)?) {
        // A signal: the window has another size, say.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Ok(watched.iter().filter_map(PollFd::revents).any(|found| found.intersects(gone)))
}

fn key(pressed: KeyEvent) -> Option<Key> {
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    if pressed.modifiers.contains(KeyModifiers::CONTROL) {
        return (pressed.code == KeyCode::Char('c')).then_some(Key::Interrupt);
    }
    match pressed.code {
        KeyCode::Char(letter) => Some(Key::Letter(letter)),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        KeyCode::End => Some(Key::End),
        KeyCode::Tab | KeyCode::BackTab => Some(Key::Tab),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::Backspace => Some(Key::Backspace),
        _ => None,
    }
}

/// Asks again and again, until nobody listens or a signal comes.
fn ask(client: &Client, sender: &SyncSender<News>) {
    let asking = async {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let signals = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>();
        let Ok([mut terminate, mut interrupt, mut hangup]) = signals
            .and_then(|signals| <[_; 3]>::try_from(signals).map_err(|_| std::io::ErrorKind::Other.into()))
        else {
            return;
        };
        let mut due = tokio::time::interval(POLL_EVERY);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let polls = async {
            loop {
                due.tick().await;
                let answer = client.value("/v1/status").await.map_err(|error| error.to_string());
                if sender.send(News::Polled(Box::new(answer.and_then(Seen::read)))).is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = polls => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    };
    if super::ask::wait_for(asking).is_ok() {
        // It has ended already where nobody listens.
        sender.send(News::Ended).ok();
    }
}
