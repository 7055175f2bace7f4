//! House rules that a program can check: which folders are pure, how long files are, what stands at the top level.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that decide: no IO, no clock, no runtime, no environment, ordered maps only.
const PURE: &[&str] = &[
    "hash.rs",
    "hex.rs",
    "internet_checksum.rs",
    "model",
    "policy",
    "import",
    "health",
    "desired",
    "reconcile",
    "rotation",
    "stillness.rs",
    "time.rs",
    "vrrp",
];
/// The pure files of modules that also have shells.
const PURE_FILES: &[&str] = &[
    "cli/doctor/facts.rs",
    "cli/doctor/firewall",
    "cli/doctor/firewall.rs",
    "cli/doctor/kernel_parts.rs",
    "cli/doctor/network.rs",
    "cli/doctor/rivals.rs",
    "cli/doctor/settings.rs",
    "cli/doctor/sharing.rs",
    "cli/doctor/tests.rs",
    "cli/doctor/time.rs",
    "cli/finding.rs",
    "cli/manual_policy.rs",
    "cli/real_server/judge.rs",
    "cli/real_server/script.rs",
    "cli/real_server/setup.rs",
    "cli/report/kernel.rs",
    "cli/report/redact.rs",
    "cli/top/model.rs",
    "cli/top/rows.rs",
    "cli/top/seen.rs",
    "cli/top/view.rs",
    "advert/control.rs",
    "advert/datagram.rs",
    "advert/lateness.rs",
    "advert/path.rs",
    "advert/source.rs",
    "connections/entry.rs",
    "connections/message.rs",
    "connections/services.rs",
    "control/access.rs",
    "control/action.rs",
    "control/event.rs",
    "control/explain.rs",
    "control/explain_server.rs",
    "control/judgement.rs",
    "control/openapi.rs",
    "control/override_action.rs",
    "control/pool_status.rs",
    "control/safety.rs",
    "control/servers.rs",
    "control/sse.rs",
    "control/status.rs",
    "control/tokens.rs",
    "control/status_peer.rs",
    "director/adoption.rs",
    "director/alone.rs",
    "director/asides.rs",
    "director/certificates.rs",
    "director/chronicle/mod.rs",
    "director/chronicle/pair.rs",
    "director/chronicle/policy.rs",
    "director/chronicle/pools.rs",
    "director/composites.rs",
    "director/core.rs",
    "director/deciding.rs",
    "director/inout.rs",
    "director/sightings.rs",
    "director/difference.rs",
    "director/event.rs",
    "director/histogram.rs",
    "director/host_snapshot.rs",
    "director/loading.rs",
    "director/observing.rs",
    "director/obstacles.rs",
    "director/ordering.rs",
    "director/overrides.rs",
    "director/picture.rs",
    "director/readiness.rs",
    "director/reconciler.rs",
    "director/renewal.rs",
    "director/rotations.rs",
    "director/server_id.rs",
    "director/sharing.rs",
    "director/snapshot.rs",
    "director/splits.rs",
    "director/statistics.rs",
    "director/succession/dialogue.rs",
    "director/succession/pools.rs",
    "director/targets.rs",
    "director/turn.rs",
    "director/verdicts.rs",
    "floating/event.rs",
    "floating/keeper",
    "floating/plan.rs",
    "floating/untold.rs",
    "hook/digest.rs",
    "hook/letter.rs",
    "hook/message.rs",
    "observe/exposition.rs",
    "observe/families.rs",
    "observe/host_families.rs",
    "observe/keepalived_names.rs",
    "observe/names.rs",
    "observe/node_names.rs",
    "observe/metrics.rs",
    "observe/override_families.rs",
    "observe/pair_families.rs",
    "peer/comparison.rs",
    "peer/fault.rs",
    "peer/fingerprint.rs",
    "peer/frame.rs",
    "peer/happened.rs",
    "peer/heard.rs",
    "peer/identity.rs",
    "peer/message.rs",
    "peer/mirror.rs",
    "peer/report.rs",
    "peer/settings.rs",
    "peer/sight.rs",
    "peer/telling.rs",
    "peer/view.rs",
    "probe/advice.rs",
    "probe/http/framing.rs",
    "probe/http/head.rs",
    "serving/throttle.rs",
];
/// What a pure file must not name.
const FORBIDDEN: [&str; 12] = [
    "tokio::",
    "std::fs",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "async fn",
];
/// Lines of a source file, at most: beyond it deciding and doing have met.
const LONGEST_FILE: usize = 500;
const TOP_LEVEL: [&str; 16] = [
    ".cargo",
    ".ci",
    ".git",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "conf",
    "deny.toml",
    "packaging",
    "rustfmt.toml",
    "src",
    "tests",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<PathBuf> =
        entries.flat_map(|entry| files_below(&entry.expect("an entry").path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

#[test]
fn pure_modules_name_no_clock_no_io_and_no_runtime() {
    let source = root().join("src");
    let pure = PURE.iter().chain(PURE_FILES).map(|name| source.join(name));
    let mut found = Vec::new();
    for file in pure.flat_map(|path| files_below(&path)) {
        let text = fs::read_to_string(&file).expect("a source file");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let hits = FORBIDDEN.iter().filter(|word| code.contains(**word));
            found.extend(hits.map(|word| format!("{}:{}: {word}", file.display(), number + 1)));
        }
    }
    assert!(found.is_empty(), "pure files must not use these:\n{}", found.join("\n"));
}

#[test]
fn no_source_file_is_too_long() {
    let long: Vec<String> = files_below(&root().join("src"))
        .into_iter()
        .map(|file| (fs::read_to_string(&file).expect("a source file").lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn unsafe_code_lives_in_one_file() {
    let allowed = root().join("src/kernel/sys.rs");
    for file in files_below(&root().join("src")).into_iter().filter(|file| *file != allowed) {
        let text = fs::read_to_string(&file).expect("a source file");
        let allows = text.contains("allow(unsafe_code") || text.contains("expect(unsafe_code");
        assert!(!allows, "{}: unsafe belongs into kernel/sys.rs", file.display());
    }
}

#[test]
fn the_top_level_stays_as_it_was_drawn() {
    let ignored = ["target"];
    for entry in fs::read_dir(root()).expect("the checkout") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let known = TOP_LEVEL.contains(&name.as_str()) || ignored.contains(&name.as_str());
        assert!(known, "{name} does not belong at the top level");
    }
}

#[test]
fn every_module_says_what_it_is() {
    for file in files_below(&root().join("src")) {
        let text = fs::read_to_string(&file).expect("a source file");
        let is_tests =
            file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs");
        assert!(is_tests || text.starts_with("//!"), "{}: begins without a module head", file.display());
    }
}

/// The cases of the lab break each thing on a real host: whoever adds a code of a finding adds its case.
#[test]
fn each_finding_of_the_doctor_is_seen_from_outside() {
    let source = fs::read_to_string(root().join("src/cli/finding.rs")).expect("a source file");
    let list = source.split_once("const CODES").expect("the list").1.split_once("];").expect("its end").0;
    let codes: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(codes.len() > 50 && codes.is_sorted(), "{codes:?}");
    let places =
        ["lab/doctor.rs", "lab/real_servers.rs", "pair/doctor", "pair/doctor.rs", "pair/real_server.rs"];
    let files = places.iter().flat_map(|place| files_below(&root().join("tests").join(place)));
    let cases: String = files.map(|file| fs::read_to_string(file).expect("a case")).collect();
    let is_seen =
        |code: &&&str| cases.contains(&format!("\"{code}\"")) || cases.contains(&format!("[{code}]"));
    let unseen: Vec<_> = codes.iter().filter(|code| !is_seen(code)).collect();
    assert!(unseen.is_empty(), "no case of tests/pair or tests/lab sees {unseen:?}");
}

/// A promise is worth what breaks when it does.
#[test]
fn each_promise_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("tests/PROMISES.md")).expect("the promises");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault "));
    let mut missing = Vec::new();
    let mut count = 0;
    for row in rows {
        count += 1;
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_fault, _promise, within, tests] = cells[..] else { panic!("four cells: {row}") };
        assert!(!within.is_empty(), "no bound: {row}");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        missing.extend(names.into_iter().filter(|name| !is_a_test(name)));
    }
    assert!(count > 20 && missing.is_empty(), "of {count} promises these tests are missing: {missing:#?}");
}

/// `FILE::NAME`: a function with this name in that file, marked as a test right above.
fn is_a_test(name: &str) -> bool {
    let Some((file, function)) = name.split_once("::") else { return false };
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    let Some((before, _)) = text.split_once(&format!("fn {function}(")) else { return false };
    let mark = before.lines().rev().find(|line| line.trim_start().starts_with("#["));
    mark.is_some_and(|mark| mark.contains("test]") || mark.contains("test("))
}
