//! Health: from the outcomes of probes to verdicts. Pure: time comes in with each input, nothing here does IO.
//!
//! One [`Machine`] is one running check of one target (a [`crate::model::TargetKey`]); pools that ask the same thing of
//! the same address share it. [`schedule`] spreads the first probes of many machines, [`budget`] bounds how many start in a second. What a verdict means for a
//! kernel table is decided in [`crate::desired`], and what a probe is made of in [`crate::probe`]; neither is known here.

pub mod budget;
pub mod handed;
mod machine;
mod params;
mod reason;
pub mod schedule;

pub use machine::*;
pub use params::*;
pub use reason::*;

#[cfg(test)]
mod tests;
