//! One program for all targets: libFuzzer's `main`, with the target whose name `TANDEM_FUZZ_TARGET` says. One program builds
//! and links once, where one a target would do so nine times over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

#[path = "targets/mod.rs"]
mod targets;

static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();

/// The target of this run.
fn chosen() -> fn(&[u8]) {
    let name = std::env::var("TANDEM_FUZZ_TARGET").unwrap_or_default();
    let found = targets::TARGETS.iter().find(|target| target.0 == name);
    found.unwrap_or_else(|| panic!("TANDEM_FUZZ_TARGET={name}: no such target")).1
}

fuzz_target!(|data: &[u8]| CHOSEN.get_or_init(chosen)(data));
