//! The file probe with files of all kinds, and the watch that sees them change.

use super::fixture::{check, probe};
use crate::model::{Advice, AdvisedState, FileSpec, Missing, Outcome, ProbeSpec};
use crate::probe::FileWatch;
use nix::sys::stat::Mode;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

async fn read(path: &Path, missing: Missing) -> Outcome {
    let spec = FileSpec { path: path.to_owned(), missing };
    probe(&check(ProbeSpec::File(spec)), SocketAddr::from(([0, 0, 0, 0], 0))).await
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_file_says_how_the_server_is() {
    let folder = folder();
    let path = folder.path().join("web1");
    let advice = |weight_percent, state| Some(Advice { weight_percent, state });
    for (text, expected) in [
        ("", advice(None, Some(AdvisedState::Up))),
        (" \n", advice(None, Some(AdvisedState::Up))),
        ("up\n", advice(None, Some(AdvisedState::Up))),
        ("drain\n", advice(None, Some(AdvisedState::Drain))),
        ("50%\n", advice(Some(50), None)),
        ("maint\n20%\n", advice(Some(20), Some(AdvisedState::Maintenance))),
    ] {
        fs::write(&path, text).expect("written");
        let outcome = read(&path, Missing::Down).await;
        assert_eq!((outcome.result, outcome.findings.advice), (Ok(()), expected), "{text:?}");
    }
    fs::write(&path, "down # disk is full\n").expect("written");
    let failure = read(&path, Missing::Up).await.result.expect_err("down");
    assert_eq!(
        (failure.reason(), failure.to_string()),
        ("said_down", format!("the file {} says down", path.display()))
    );
}

#[tokio::test]
async fn a_missing_file_says_what_the_policy_says() {
    let folder = folder();
    for path in [folder.path().join("none"), folder.path().join("none/web1")] {
        assert_eq!(read(&path, Missing::Up).await.result, Ok(()));
        let failure = read(&path, Missing::Down).await.result.expect_err("missing is down");
        assert_eq!(failure.to_string(), format!("the missing file {} says down", path.display()));
    }
    let dangling = folder.path().join("link");
    symlink("nowhere", &dangling).expect("a link");
    assert_eq!(read(&dangling, Missing::Up).await.result, Ok(()));
}

#[tokio::test]
async fn what_cannot_be_understood_leaves_the_verdict_as_it_is_and_is_not_shown() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("secret"), "hunter2").expect("written");
    symlink(path("secret"), path("link")).expect("a link");
    fs::write(path("large"), "up ".repeat(2000)).expect("written");
    fs::write(path("bytes"), [0xff, 0xfe]).expect("written");
    nix::unistd::mkfifo(&path("pipe"), Mode::S_IRWXU).expect("a pipe");
    for (name, words) in [
        ("link", "it says none of up, down, drain, maint or a share such as 50%"),
        ("large", "it is larger than 4096 bytes"),
        ("bytes", "it is not text"),
        ("pipe", "it is not a regular file"),
        (".", "it is not a regular file"),
    ] {
        let failure = read(&path(name), Missing::Down).await.result.expect_err(name);
        assert!(failure.reason() == "local" && failure.to_string().ends_with(words), "{name}: {failure}");
    }
}

/// The checks that the watch names next, or none within a while.
async fn next(watch: &mut FileWatch) -> Vec<String> {
    let changed = timeout(Duration::from_secs(5), watch.changed()).await.expect("a change");
    changed.iter().map(ToString::to_string).collect()
}

async fn is_quiet(watch: &mut FileWatch) -> bool {
    timeout(Duration::from_millis(200), watch.changed()).await.is_err()
}

#[tokio::test]
async fn a_change_is_seen_at_once_and_names_the_checks_of_the_file() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("web1"), "up").expect("written");
    let files = [("one", "web1"), ("two", "web2"), ("again", "web1")];
    let mut watch = FileWatch::new(files.map(|(check, name)| (check.into(), path(name))));
    assert_eq!(next(&mut watch).await, ["again", "one", "two"], "what was written before the watch counts");
    fs::write(path("web1"), "down").expect("written");
    assert_eq!(next(&mut watch).await, ["again", "one"]);
    fs::write(path("new"), "50%").expect("written");
    fs::write(path("other"), "").expect("written");
    assert!(is_quiet(&mut watch).await, "files that no check reads");
    fs::rename(path("new"), path("web2")).expect("put in place");
    assert_eq!(next(&mut watch).await, ["two"]);
    fs::remove_file(path("web2")).expect("taken away");
    assert_eq!(next(&mut watch).await, ["two"]);
    assert!(is_quiet(&mut watch).await);
}

#[tokio::test]
async fn a_file_counts_when_it_is_written_and_not_before() {
    use std::io::Write;
    let folder = folder();
    let path = folder.path().join("web1");
    let mut watch = FileWatch::new([("one".into(), path.clone())]);
    assert_eq!(next(&mut watch).await, ["one"]);
    let mut file = fs::File::create(&path).expect("made");
    assert!(is_quiet(&mut watch).await, "an empty file would say up");
    file.write_all(b"down").expect("written");
    assert!(is_quiet(&mut watch).await);
    drop(file);
    assert_eq!(next(&mut watch).await, ["one"]);
}

#[tokio::test]
async fn a_folder_that_comes_later_is_watched_from_then_on() {
    let folder = folder();
    let path = folder.path().join("later/web1");
    let mut watch = FileWatch::new([("one".into(), path.clone())]);
    assert!(is_quiet(&mut watch).await);
    fs::create_dir(folder.path().join("later")).expect("made");
    let found = timeout(Duration::from_secs(20), watch.changed()).await.expect("it is looked for");
    assert_eq!(found.len(), 1);
    fs::write(&path, "up").expect("written");
    assert_eq!(next(&mut watch).await, ["one"]);
    fs::remove_dir_all(folder.path().join("later")).expect("taken away");
    assert_eq!(next(&mut watch).await, ["one"]);
}

#[tokio::test]
async fn a_watch_without_files_waits_for_ever() {
    assert!(is_quiet(&mut FileWatch::new([])).await);
}
