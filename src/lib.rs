//! Tandem: a director for the Linux Virtual Server.
//!
//! *Inputs go into a pure core; the core says what the kernel tables should be; a reconciler makes it so.*
//!
//! | module | pure | what it is |
//! |---|---|---|
//! | [`time`] | yes | `Instant`: microseconds since start |
//! | [`model`] | yes | the nouns: policy, pool, virtual service, destination, check, tables; the glossary |
//! | [`policy`] | yes | YAML files to `model::Policy`, with every problem at once |
//! | [`reconcile`] | yes | (desired, observed) to an ordered list of changes |
//! | [`cli`] | no | one file a subcommand |
//! | [`kernel`] | no | observes and changes the kernel's tables |

pub mod cli;
pub mod kernel;
pub mod model;
pub mod policy;
pub mod reconcile;
pub mod time;
