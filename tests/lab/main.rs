//! The lab.

mod kernel;
