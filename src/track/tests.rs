use super::*;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A report within this, though the machine is busy.
const PATIENCE: Duration = Duration::from_secs(10);

fn watching(thing: &Tracked) -> (Watches, mpsc::Receiver<(Tracked, bool)>) {
    let (sender, receiver) = mpsc::channel(4);
    (watch(&BTreeSet::from([thing.clone()]), &sender), receiver)
}

async fn next(receiver: &mut mpsc::Receiver<(Tracked, bool)>) -> bool {
    timeout(PATIENCE, receiver.recv()).await.expect("a report in time").expect("a watcher").1
}

/// `sleep` under a name of our own: `comm` is the name of the file that was started.
fn start(path: &PathBuf) -> Child {
    Command::new(path).arg("60").stdin(Stdio::null()).spawn().expect("a process")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_process_is_reported_when_it_starts_and_at_once_when_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = format!("tnd-{}", std::process::id());
    let path = folder.path().join(&name);
    std::fs::copy("/bin/sleep", &path).expect("a copy");
    let (_watches, mut reports) = watching(&Tracked::Process(name));
    assert!(!next(&mut reports).await, "nobody runs yet");
    let mut child = start(&path);
    assert!(next(&mut reports).await, "it runs");
    child.kill().expect("killed");
    let killed = tokio::time::Instant::now();
    assert!(!next(&mut reports).await, "it has ended");
    assert!(
        killed.elapsed() < LOOK_INTERVAL / 2,
        "by the kernel's word, not by the next look: {:?}",
        killed.elapsed()
    );
    child.wait().expect("reaped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_is_reported_at_the_start_and_with_each_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    std::fs::write(&path, "0\n").expect("written");
    let (_watches, mut reports) = watching(&Tracked::File(path.clone()));
    assert!(next(&mut reports).await);
    std::fs::write(&path, "-1\n").expect("written");
    assert!(!next(&mut reports).await);
    std::fs::write(&path, "1\n").expect("written");
    assert!(next(&mut reports).await);
    std::fs::remove_file(&path).expect("removed");
    assert!(!next(&mut reports).await);
}

#[tokio::test]
async fn what_others_watch_is_left_to_them_and_the_channel_closes() {
    let (_watches, mut reports) = watching(&Tracked::Interface("eth0".to_owned()));
    assert_eq!(reports.recv().await, None);
}

#[tokio::test]
async fn a_look_that_hangs_counts_as_bad_until_it_answers() {
    let (reports, mut receiver) = mpsc::channel(4);
    let mut teller = Teller { thing: Tracked::File(PathBuf::from("/x")), reports, told: None };
    let look = async {
        sleep(LOOK_TIMEOUT + LOOK_INTERVAL).await;
        Some(true)
    };
    let answer = teller.patiently(look).await;
    teller.tell(answer).await;
    assert_eq!(receiver.recv().await.map(|report| report.1), Some(false));
    assert_eq!(receiver.recv().await.map(|report| report.1), Some(true));
}
