//! The real servers: one accepts and says nothing, one speaks TLS.

use crate::world::certificates::Certificates;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Accepts connections and closes them; ends with its handle.
#[derive(Debug)]
pub(crate) struct Acceptor {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    pub(crate) fn start(namespace: &Namespace, address: SocketAddr) -> Self {
        let listener = namespace.inside(|| TcpListener::bind(address)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let ends = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            while !asked.load(Ordering::Relaxed) {
                if listener.accept().is_err() {
                    thread::sleep(LOOK_EVERY);
                }
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // It has nothing to say, and ends within a look.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A page over TLS at every address, with this certificate.
pub(crate) fn start_tls(
    namespace: &Namespace,
    folder: &Path,
    port: u16,
    certificates: &Certificates,
) -> Process {
    let [certificate, key] =
        [&certificates.certificate, &certificates.key].map(|path| path.to_str().expect("a plain path"));
    let port = port.to_string();
    let arguments = ["s_server", "-accept", &port, "-cert", certificate, "-key", key, "-quiet", "-www"];
    Process::start(namespace, "openssl", &arguments, &folder.join("tls.log"))
}
