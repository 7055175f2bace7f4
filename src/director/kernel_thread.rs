//! The thread that owns the kernel (shell): jobs come in, answers go out, one at a time. A dump of a large table or a slow
//! netlink call holds up nothing but the next job.

use super::error::RunError;
use super::reconciler::Work;
use super::state_directory::StateDirectory;
use crate::kernel::{Kernel, KernelError};
use crate::model::{Observed, Scope};
use crate::reconcile::Ownership;
use std::time::Duration;
use tokio::sync::mpsc;

/// Jobs that may wait: one piece of work and a few records; more is a thread that no longer serves.
const QUEUE: usize = 8;

/// The state directory that was let go of is waited for at most so long, and looked at so often.
const LONGEST_TAKE_BACK: Duration = Duration::from_secs(5);
const TAKE_BACK_AGAIN: Duration = Duration::from_millis(50);

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Work(Work),
    Record(Ownership),
    /// Let go of the state directory, when all before is done.
    LetGo,
    /// Take it back.
    TakeBack,
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Answer {
    Observed(Box<Result<Observed, KernelError>>),
    Applied { results: Vec<Result<(), KernelError>>, took: Duration },
    LetGo,
}

/// The two ends of the thread.
#[derive(Debug)]
pub(super) struct KernelThread {
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) answers: mpsc::Receiver<Answer>,
}

impl KernelThread {
    /// Starts the thread.
    pub(super) fn start(kernel: Box<dyn Kernel>, state: StateDirectory) -> std::io::Result<Self> {
        let (jobs, incoming) = mpsc::channel(QUEUE);
        let (outgoing, answers) = mpsc::channel(QUEUE);
        let worker = Worker { kernel, state, told: None };
        std::thread::Builder::new()
            .name("kernel".to_owned())
            .spawn(move || worker.serve(incoming, &outgoing))?;
        Ok(Self { jobs, answers })
    }

    /// Observes the tables. Only before the loop runs.
    pub(super) async fn observe(&mut self, scope: Scope) -> Result<Observed, RunError> {
        match self.ask(Job::Work(Work::Observe(scope))).await? {
            Answer::Observed(result) => Ok((*result)?),
            Answer::Applied { .. } | Answer::LetGo => Err(RunError::KernelThreadEnded),
        }
    }

    /// Lets the thread finish what it was given, within `limit`: the last record must be on disk.
    pub(super) async fn finish(mut self, limit: Duration) {
        drop(self.jobs);
        // The receiver ends when the thread does.
        let drained = async { while self.answers.recv().await.is_some() {} };
        if tokio::time::timeout(limit, drained).await.is_err() {
            tracing::error!("the kernel or the disk does not answer; leaving all the same");
        }
    }

    async fn ask(&mut self, job: Job) -> Result<Answer, RunError> {
        self.jobs.send(job).await.map_err(|_| RunError::KernelThreadEnded)?;
        self.answers.recv().await.ok_or(RunError::KernelThreadEnded)
    }
}

/// Nobody tells when a lock is free.
#[expect(clippy::disallowed_methods, reason = "a pace, on a thread that waits for this alone")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

struct Worker {
    kernel: Box<dyn Kernel>,
    state: StateDirectory,
    /// The last complaint about the state directory, so that each is logged once.
    told: Option<String>,
}

impl Worker {
    fn serve(mut self, mut incoming: mpsc::Receiver<Job>, outgoing: &mpsc::Sender<Answer>) {
        while let Some(job) = incoming.blocking_recv() {
            let answer = self.answer(job);
            if answer.is_some_and(|answer| outgoing.blocking_send(answer).is_err()) {
                return;
            }
        }
    }

    fn answer(&mut self, job: Job) -> Option<Answer> {
        match job {
            Job::Work(Work::Observe(scope)) => Some(Answer::Observed(Box::new(self.kernel.observe(&scope)))),
            Job::Work(Work::Apply { record, changes }) => {
                let start = tokio::time::Instant::now();
                self.save(&record);
                let results = self.kernel.apply(&changes);
                Some(Answer::Applied { results, took: start.elapsed() })
            }
            Job::Record(record) => {
                self.save(&record);
                None
            }
            Job::LetGo => {
                self.state.let_go();
                Some(Answer::LetGo)
            }
            Job::TakeBack => {
                self.take_back();
                None
            }
        }
    }

    /// The process that could not go on may be about to end.
    fn take_back(&mut self) {
        let until = tokio::time::Instant::now() + LONGEST_TAKE_BACK;
        while let Err(error) = self.state.take() {
            if tokio::time::Instant::now() >= until {
                tracing::error!("{error}; going on all the same");
                return;
            }
            pause(TAKE_BACK_AGAIN);
        }
    }

    /// A full disk must not keep a dead server in the table: the change is made all the same, and the operator is told.
    fn save(&mut self, record: &Ownership) {
        match self.state.save(record) {
            Ok(()) => self.told = None,
            Err(error) => {
                let message = error.to_string();
                if self.told.as_ref() != Some(&message) {
                    tracing::error!("{message}; what is ours is not recorded until this is mended");
                }
                self.told = Some(message);
            }
        }
    }
}
