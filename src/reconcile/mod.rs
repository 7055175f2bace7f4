//! From what the kernel holds to what it should hold, as an ordered list of changes. Pure.

mod change;

pub use change::{Change, Object, Table, Verb};
