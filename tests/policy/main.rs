//! Policies from files: those of `conf/` and `tests/policy/good` are taken, and each of `tests/policy/bad` gets exactly the
//! text beside it. `TANDEM_REWRITE_EXPECTED=1 cargo test --test policy` writes those texts anew: read the difference.

mod again;
mod any;
mod cli;
mod exchange;
mod golden;
mod model;
mod other_checkers;
mod pair;

use golden::compare;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tandem::cli::files::Disk;
use tandem::model::{HostFacts, Reach};
use tandem::policy::{self, Code, Colour, Loaded, View};

/// Files of a folder that end in `.yaml`, sorted.
fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no policies");
    files
}

fn shown(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(|found| policy::render(found, &loaded.sources, Colour::Plain)).collect()
}

#[test]
fn good_policies_are_taken_without_a_word() {
    for file in [yaml_files("conf"), yaml_files("tests/policy/good")].concat() {
        let loaded = policy::load_for_all(&file, &Disk, View::Anywhere("elsewhere"));
        assert!(
            loaded.policy.is_some() && loaded.diagnostics.is_empty(),
            "{}:\n{}",
            file.display(),
            shown(&loaded)
        );
    }
}

#[test]
fn bad_policies_get_the_text_beside_them() {
    let compared = yaml_files("tests/policy/bad").into_iter().filter_map(|file| {
        let loaded = policy::load_for_all(&file, &Disk, View::First);
        assert!(!loaded.is_good(true), "{} is a good policy", file.display());
        compare(&shown(&loaded), &file.with_extension("stderr"))
    });
    let differing: Vec<String> = compared.collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// A host at 192.168.101.200 that knows 10.0.0.0/8 by a gateway and 203.0.113.0/24 not at all.
fn facts(addresses: BTreeSet<IpAddr>) -> HostFacts {
    let interface = || "eth0".into();
    let reach = |address: &IpAddr| match address.to_string() {
        own if own == "192.168.101.200" => Reach::Local,
        near if near.starts_with("192.168.101.") => Reach::OnLink { interface: interface() },
        far if far.starts_with("10.") => Reach::Gateway { interface: interface() },
        _ => Reach::Unreachable,
    };
    HostFacts {
        reach: addresses.into_iter().map(|address| (address, reach(&address))).collect(),
        kernel: None,
    }
}

/// Loads a policy and adds what a host says of it.
fn advised(file: &Path) -> Loaded {
    let mut loaded = policy::load(file, &Disk, View::First);
    let policy = loaded.policy.as_ref().expect("a policy that loads");
    let facts = facts(policy::addresses_of_interest(policy, &loaded.places));
    loaded.add_advice(&facts);
    let unreadable = policy::unreadable_authorities(&loaded.places, &Disk);
    loaded.add(unreadable);
    let unreadable = policy::unreadable_programs(&loaded.places, &Disk);
    loaded.add(unreadable);
    loaded
}

#[test]
fn a_host_gives_the_advice_beside_the_policy() {
    for file in yaml_files("tests/policy/advice") {
        assert_eq!(compare(&shown(&advised(&file)), &file.with_extension("stderr")), None);
    }
}

/// Policies that are too large, or have too many mistakes, or are not there: made here rather than kept.
fn generated() -> Vec<(&'static str, Memory)> {
    let many = |number: usize| (0..number).map(|index| format!("unknown{index}: 1\n")).collect::<String>();
    let unheld = |number: usize| {
        let pool = |index: usize| {
            format!(
                "  p{index}: {{virtual_services: [tcp://192.0.{}.{}:80], forwarding: nat, check: none, real_servers: [10.0.0.1:80]}}\n",
                index / 250,
                index % 250 + 1
            )
        };
        format!("policy_version: 1\npools:\n{}", (0..number).map(pool).collect::<String>())
    };
    let chain = (0..20)
        .map(|index| (format!("{index}.yaml"), format!("include: [{}.yaml]\n", index + 1).into_bytes()));
    let chain = chain.map(|(name, text)| (PathBuf::from(name), text));
    let start = (PathBuf::from("policy.yaml"), b"policy_version: 1\ninclude: [0.yaml]\n".to_vec());
    let server = |index: usize| format!("      - 10.0.{}.{}:80\n", index / 250, index % 250 + 1);
    let servers: String = (0..2100).map(server).collect();
    let services = "{protocol: tcp, address: 192.168.101.100, ports: 1-1000}";
    let destinations = format!(
        "policy_version: 1\nvirtual_addresses: [{{address: 192.168.101.100/24, interface: eth0}}]\npools:\n  web:\n    \
         virtual_services: [{services}]\n    forwarding: nat\n    check: none\n    real_servers:\n{servers}"
    );
    vec![
        ("missing", Memory(BTreeMap::new())),
        ("too-large", Memory::of(&vec![b'#'; policy::MAX_FILE_BYTES + 1])),
        ("too-many-problems", Memory::of(format!("policy_version: 1\n{}", many(1100)).as_bytes())),
        ("too-many-warnings", Memory::of(unheld(1100).as_bytes())),
        ("too-deep-includes", Memory(chain.chain([start]).collect())),
        ("too-many-destinations", Memory::of(destinations.as_bytes())),
    ]
}

#[test]
fn generated_policies_get_the_text_in_their_folder() {
    for (name, files) in generated() {
        let loaded = policy::load(Path::new("policy.yaml"), &files, View::First);
        assert_eq!(loaded.policy.is_some(), name == "too-many-warnings", "{name}");
        // The last problem tells most: it is the one that says what was left out.
        let last = loaded.diagnostics.last().expect("a problem");
        let text = policy::render(last, &loaded.sources, Colour::Plain);
        let expected = Path::new("tests/policy/generated").join(name).with_extension("stderr");
        assert_eq!(compare(&text, &expected), None);
    }
}

#[test]
fn a_resolved_policy_is_the_same_policy() {
    for file in [yaml_files("conf"), yaml_files("tests/policy/good")].concat() {
        let first = policy::load(&file, &Disk, View::First).policy.expect("a good policy");
        let directors: Vec<String> = first.pair.directors.keys().map(ToString::to_string).collect();
        let views = directors.iter().map(|name| View::Director(name));
        for view in views.chain([View::First]) {
            let first = policy::load(&file, &Disk, view).policy.expect("a good policy");
            let written = policy::resolved(&first, Path::new(""));
            let own = first.pair.own.as_deref().map_or(View::First, View::Director);
            let again = policy::load(Path::new("policy.yaml"), &Memory::of(written.as_bytes()), own);
            assert!(
                again.policy.as_ref() == Some(&first),
                "{}:\n{written}\n{}\n{first:#?}\n{:#?}",
                file.display(),
                shown(&again),
                again.policy
            );
            assert_eq!(policy::resolved(&first, Path::new("")), written);
        }
    }
}

/// Policies read for somebody whom they don't know.
fn strangers() -> Vec<Loaded> {
    let pair = Path::new("conf/pair.yaml");
    vec![
        policy::load(pair, &Disk, View::Host("elsewhere")),
        policy::load(pair, &Disk, View::Director("lb-c")),
        policy::load(Path::new("conf/dr.yaml"), &Disk, View::Director("lb-a")),
    ]
}

#[test]
fn a_policy_read_for_a_stranger_is_refused_with_the_names_of_the_directors() {
    let text: String = strangers().iter().map(shown).collect();
    assert_eq!(compare(&text, Path::new("tests/policy/generated/strangers.stderr")), None);
    assert!(strangers().iter().all(|loaded| loaded.policy.is_none()));
}

/// Files in memory.
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    /// `policy.yaml` alone.
    fn of(bytes: &[u8]) -> Self {
        Self(BTreeMap::from([(PathBuf::from("policy.yaml"), bytes.to_vec())]))
    }
}

impl policy::Files for Memory {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, String> {
        let bytes = self.0.get(path).ok_or_else(|| "no such file or directory".to_owned())?;
        Ok(bytes.iter().copied().take(limit).collect())
    }

    fn glob(&self, _pattern: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}

#[test]
fn every_code_has_a_fixture_and_every_diagnostic_a_repair() {
    let bad = yaml_files("tests/policy/bad")
        .into_iter()
        .map(|file| policy::load_for_all(&file, &Disk, View::First));
    let advice = yaml_files("tests/policy/advice").into_iter().map(|file| advised(&file));
    let generated =
        generated().into_iter().map(|(_, files)| policy::load(Path::new("policy.yaml"), &files, View::First));
    let found: Vec<policy::Diagnostic> =
        bad.chain(advice).chain(generated).chain(strangers()).flat_map(|loaded| loaded.diagnostics).collect();
    let codes: BTreeSet<Code> = found.iter().map(|found| found.code).collect();
    let missing: Vec<&str> =
        Code::ALL.iter().filter(|code| !codes.contains(code)).map(|code| code.name()).collect();
    assert!(missing.is_empty(), "no fixture shows {}", missing.join(", "));
    for diagnostic in found {
        assert!(diagnostic.help.is_some(), "no help: {diagnostic:?}");
        assert!(
            !diagnostic.message.ends_with('.') && !diagnostic.message.contains('\n'),
            "not a sentence: {diagnostic:?}"
        );
    }
}
