//! Who is asked by a check: says one word to each that connects, and remembers when. What a check is worth is read at
//! the kernel's table; this tells how often, and when, a director asked.

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::namespace::Namespace;

const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What is shared with the thread that answers.
#[derive(Debug, Default)]
struct Shared {
    word: &'static str,
    at: Vec<Instant>,
    ended: bool,
}

/// The machine on which those are that are asked, at the end of a cable of its own.
#[derive(Debug)]
pub(crate) struct Neighbour(Namespace);

impl Neighbour {
    pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 2);

    /// Plugs it into `machine`.
    pub(crate) fn of(machine: &Namespace) -> Self {
        let neighbour = Namespace::new("asked");
        let name = neighbour.name();
        machine.ip(&format!(
            "link add asked type veth peer name eth0 netns {name}\naddr add 192.168.77.1/24 dev asked\nlink set asked up"
        ));
        neighbour.ip(&format!(
            "link set lo up\naddr add {}/24 dev eth0\nlink set eth0 up\nroute add default via 192.168.77.1",
            Self::ADDRESS
        ));
        Self(neighbour)
    }

    /// Another address of it, on the cable too.
    pub(crate) fn add(&self, machine: &Namespace, address: Ipv4Addr) {
        self.0.ip(&format!("addr add {address}/32 dev eth0"));
        machine.ip(&format!("route add {address}/32 dev asked"));
    }
}

/// A server on such a machine. Whoever connects after its end is refused.
#[derive(Debug)]
pub(crate) struct Asked {
    shared: Arc<Mutex<Shared>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Asked {
    pub(crate) fn start(neighbour: &Neighbour, port: u16, word: &'static str) -> Self {
        let place = (Ipv4Addr::UNSPECIFIED, port);
        let listener = neighbour.0.inside(|| TcpListener::bind(place).expect("a free port"));
        listener.set_nonblocking(true).expect("a listener");
        let shared = Arc::new(Mutex::new(Shared { word, ..Shared::default() }));
        let of_thread = Arc::clone(&shared);
        Self { shared, thread: Some(thread::spawn(move || answer(&listener, &of_thread))) }
    }

    /// From now on it says another word; forgets who asked before.
    pub(crate) fn say(&self, word: &'static str) {
        let mut shared = self.shared();
        shared.word = word;
        shared.at.clear();
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.shared().at.len()
    }

    /// The times between being asked and being asked again.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        self.shared().at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.shared().ended = true;
        self.thread.take().map(thread::JoinHandle::join);
    }
}

fn answer(listener: &TcpListener, shared: &Mutex<Shared>) {
    loop {
        let accepted = listener.accept();
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.ended {
            return;
        }
        match accepted {
            Ok((mut stream, _)) => {
                shared.at.push(Instant::now());
                // Who does not listen has asked all the same.
                let _ = stream.write_all(shared.word.as_bytes());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                drop(shared);
                thread::sleep(LOOK_EVERY);
            }
            Err(error) => panic!("a server that is asked: {error}"),
        }
    }
}
