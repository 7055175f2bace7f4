//! A director goes on in another process: an upgrade without a failover, a late advertisement or a changed weight.
//!
//! ```text
//!   predecessor (serves)                         successor (`tandem run --takeover`)
//!        │ ◀───────────── hello ─────────────────── │  over the control socket
//!        │ ── hello: clock, policy in force ──────▶ │  reads the policy, makes everything ready
//!        │ ◀───────────── pools? ────────────────── │
//!   pools at rest, ports and lock let go            │
//!        │ ── the pools' verdicts ────────────────▶ │  takes lock and ports, looks at the kernel
//!        │ ◀───────────── pair? ─────────────────── │  (the predecessor still advertises and keeps its addresses)
//!   silent, just after an advertisement             │
//!        │ ── the station ────────────────────────▶ │  sends the next advertisement when it is due
//!        │ ◀───────────── serving ───────────────── │
//!        │ ── farewell ───────────────────────────▶ │
//!      ends                                       serves
//! ```
//!
//! **Who serves when something goes wrong.** Until `serving` it is the predecessor: where the connection ends before that, for
//! whatever reason, it goes on, with its lock, its ports and its own station, as a run of a higher number. While its station is
//! silent it waits for no longer than two advertisement intervals; then it ends the successor first, so that there are
//! never two that advertise, and its own advertisement comes before a Backup takes over. After `serving` it is the successor, and
//! its death is that of any director.
//!
//! **Two versions** understand each other where the forms of both overlap ([`dialogue::Hello`]); what one says and the other does
//! not know is ignored. Both processes count time from the start of the first.

/// In its environment, with the number of who asks, a process is asked to start the successor and to end (`cli::detach`). A
/// version that does not know it goes on itself.
pub(crate) const DETACH: &str = "TANDEM_DETACH";

mod conversation;
pub mod dialogue;
pub mod pools;
pub(super) mod predecessor;
pub mod successor;
mod wire;
