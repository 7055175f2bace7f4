//! Tandem: a director for the Linux Virtual Server.
//!
//! *Inputs go into a pure core; the core says what the kernel tables should be; a reconciler makes it so.*
//!
//! | module | pure | what it is |
//! |---|---|---|
//! | [`time`] | yes | `Instant`: microseconds since start |
//! | `internet_checksum` | yes | RFC 1071, for packets of our own |
//! | `hash` | yes | FNV-1a, for what must hash the same after a restart |
//! | `stillness` | yes | whether somebody stands still, judged by one who may have, too |
//! | [`panics`] | no | panics of any thread: told and counted; services that begin anew after one |
//! | `hex` | yes | bytes as hexadecimal digits |
//! | [`model`] | yes | the nouns: policy, pool, virtual service, destination, check, tables; the glossary |
//! | [`policy`] | yes | YAML files to a policy, with every problem at once |
//! | [`import`] | yes | other directors' configurations to a policy, with a verdict for each line |
//! | [`health`] | yes | outcomes of probes to verdicts; when the next probe is due |
//! | [`rotation`] | yes | verdicts to weights: quorum, sorry server, panic, slow start, backup, drain |
//! | [`desired`] | yes | (policy, verdicts, host) to the tables that the kernel should hold |
//! | [`reconcile`] | yes | (desired, observed) to an ordered list of changes |
//! | [`vrrp`] | yes | packets, timers, the election over the floating addresses |
//! | [`floating`] | keeper yes, thread no | holds, renews, announces and releases the floating addresses |
//! | [`advert`] | no | the thread that sends and receives advertisements |
//! | [`director`] | core yes, run no | all of them composed; the event loop |
//! | [`hook`] | message, digest and letter yes, rest no | programs, webhooks and mails at events |
//! | [`track`] | no | watches the processes and files that routers follow |
//! | [`connections`] | pass and count no, rest yes | the connection table: read, told to the other directors, counted |
//! | [`probe`] | no | one check and one address to one outcome; many of them, bounded |
//! | [`kernel`] | no | observes and changes the kernel's tables |
//! | [`observe`] | metrics yes, listener no | the director's view as metrics, and the listener that serves it |
//! | [`peer`] | most yes | the channel between the directors: what each tells the other, and what follows from it |
//! | `secret` | no | the bytes of a policy's secrets: files, systemd's credentials |
//! | `serving` | throttle yes, rest no | connections of HTTP, bounded; the door and the thread of those over TCP |
//! | [`control`] | status, judgement and access yes, servers and client no | the API of a running director: Unix socket, TCP, status page |
//! | [`cli`] | no | the command line |

pub mod advert;
pub mod cli;
pub mod connections;
pub mod control;
pub mod desired;
pub mod director;
pub mod floating;
mod hash;
pub mod health;
mod hex;
pub mod hook;
pub mod import;
mod internet_checksum;
pub mod kernel;
pub mod model;
pub mod observe;
pub mod panics;
pub mod peer;
pub mod policy;
pub mod probe;
pub mod reconcile;
pub mod rotation;
mod secret;
mod serving;
mod stillness;
pub mod time;
pub mod track;
pub mod vrrp;
