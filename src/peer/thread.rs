//! The thread of the channels (shell): a runtime of its own, since the event loop's has one thread, and reading and comparing
//! ten thousand pools of a peer is not that one's affair. It ends when its handle is dropped.

use super::connect::{accept, connect};
use super::report::Facts;
use super::settings::Settings;
use super::shared::{FactsCell, Known, Shared};
use super::view::{ChannelView, PeersView};
use crate::hash::fnv1a;
use crate::panics::kept;
use crate::time::milliseconds;
use arc_swap::ArcSwap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::interval;

/// How often what was taken back long ago is looked for.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The channels to all other directors.
#[derive(Debug)]
pub struct PeerThread {
    settings: Settings,
    facts: FactsCell,
    view: Arc<ArcSwap<PeersView>>,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl PeerThread {
    /// Starts it. `started` is the moment of [`crate::time::Instant::ZERO`].
    ///
    /// # Errors
    /// The system gives no thread, or no event queue.
    pub fn start(settings: Settings, known: Known, started: std::time::Instant) -> io::Result<Self> {
        let shared = Shared::new(settings.clone(), known, started);
        Self::with(shared)
    }

    pub(super) fn with(shared: Shared) -> io::Result<Self> {
        let settings = shared.settings.clone();
        let channels = settings.others.keys().cloned().map(ChannelView::new).collect();
        let view = Arc::new(ArcSwap::from_pointee(PeersView { channels, ..PeersView::default() }));
        let facts = FactsCell::default();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let work = work(Arc::new(shared), Arc::clone(&facts), Arc::clone(&view));
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = work => {}
                    _ = stopped => {}
                }
            });
        };
        std::thread::Builder::new().name("peers".to_owned()).spawn(run)?;
        Ok(Self { settings, facts, view, _stop: stop })
    }

    /// What it was started with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is told of this director from now on.
    pub fn tell(&self, facts: Facts) {
        self.facts.store(Some(Arc::new(facts)));
    }

    /// The channels as they were last seen.
    #[must_use]
    pub fn view(&self) -> Arc<PeersView> {
        self.view.load_full()
    }
}

async fn work(shared: Arc<Shared>, facts: FactsCell, view: Arc<ArcSwap<PeersView>>) {
    let settings = &shared.settings;
    let (called, awaited): (Vec<_>, Vec<_>) =
        settings.others.keys().partition(|other| settings.connects_to(other));
    if !awaited.is_empty() {
        for address in &settings.addresses {
            let (shared, address) = (Arc::clone(&shared), *address);
            tokio::spawn(kept(move || accept(Arc::clone(&shared), address)));
        }
    }
    for name in called {
        let seed = fnv1a(settings.own.bytes().chain(name.bytes()));
        let (shared, name) = (Arc::clone(&shared), name.clone());
        tokio::spawn(kept(move || connect(Arc::clone(&shared), name.clone(), seed)));
    }
    let mut ticks = interval(shared.pace.tick / 2);
    let mut forgets = interval(FORGET_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => view.store(Arc::new(shared.look(facts.load_full().as_deref()))),
            _ = forgets.tick() => shared.known.records.forget(unix_ms()),
        }
    }
}

fn unix_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "stamps of records are the wall clock's")]
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    milliseconds(wall)
}
