//! Real servers at their worst: the probe fails in time, costs bounded memory, and the server returns when it is well.

use crate::lone::Lone;
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::wait::until;
use socket2::SockRef;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Fall (2) times interval, and one time-out.
const OUT_LIMIT: Duration = Duration::from_millis(2 * 500 + 400 + 300);
const BACK_LIMIT: Duration = Duration::from_secs(5);
const JOIN_LIMIT: Duration = Duration::from_secs(10);
/// How long the director has to bear it.
const SIEGE: Duration = Duration::from_secs(15);
/// What it may grow by: ten probes at once, each of which may hold some 100 KiB.
const GROWTH_KIB: u64 = 8 * 1024;
const WELL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwell\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: worst\r\n";
/// No server sends longer than this, so that its threads end with the case.
const TIRED: Duration = Duration::from_secs(60);

/// What a server does to a client whose request it has read.
type Manner = fn(&mut TcpStream) -> Result<()>;

const MANNERS: [(&str, Manner); 9] = [
    ("hangs", |client| client.read(&mut [0]).map(drop)),
    ("resets", |client| SockRef::from(&*client).set_linger(Some(Duration::ZERO))),
    ("closes", |_| Ok(())),
    ("answers garbage", |client| client.write_all(&[0x80, 0, 0xff, b'\n'].repeat(1000))),
    ("answers another protocol", |client| client.write_all(b"220 mail.lab ESMTP\r\n")),
    ("sends headers for ever", |client| {
        client.write_all(HEAD)?;
        for_ever(client, b"X-More: of the same, and no end of it\r\n", Duration::ZERO)
    }),
    ("sends a header line for ever", |client| {
        client.write_all(HEAD)?;
        for_ever(client, &[b'x'; 4096], Duration::ZERO)
    }),
    ("sends a body without end", |client| {
        client.write_all(&[HEAD, b"\r\n"].concat())?;
        for_ever(client, &[b'.'; 16 * 1024], Duration::ZERO)
    }),
    ("drips", |client| {
        client.write_all(HEAD)?;
        for_ever(client, b"X: y\r\n", Duration::from_millis(50))
    }),
];

fn be_well(client: &mut TcpStream) -> Result<()> {
    client.write_all(WELL)
}

fn for_ever(client: &mut TcpStream, bytes: &[u8], pause: Duration) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < TIRED {
        client.write_all(bytes)?;
        thread::sleep(pause);
    }
    Ok(())
}

/// Starts a server on a loopback port that is well until `sick` says otherwise.
fn serve(machine: &Namespace, port: u16, manner: Manner, sick: &Arc<AtomicBool>) {
    let listener = machine.inside(|| TcpListener::bind(("127.0.0.1", port))).expect("a free port");
    let sick = Arc::clone(sick);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let manner = if sick.load(Ordering::Relaxed) { manner } else { be_well };
            // What it meets is the point, and no failure of the case.
            thread::spawn(move || answer(client, manner));
        }
    });
}

fn answer(mut client: TcpStream, manner: Manner) -> Result<()> {
    client.set_read_timeout(Some(TIRED))?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    manner(&mut client)
}

/// A pool of one server for each manner, each checked on its own loopback port, and one that is always well.
fn policy() -> String {
    let servers = (0..=MANNERS.len()).map(|number| {
        let check = format!(
            "{{http: {{path: /, body: well}}, address: 127.0.0.1, port: {}, interval: 500ms, timeout: 400ms, rise: 2, fall: 2}}",
            port(number)
        );
        format!("      - {{address: 192.168.101.{}, check: {check}}}\n", 110 + number)
    });
    format!(
        "policy_version: 1
virtual_addresses: [{{address: 192.168.101.100/24, interface: eth0}}]
pools:
  web:
    virtual_services: [tcp://192.168.101.100:80]
    forwarding: dr
    check: none
    real_servers:
{}",
        servers.collect::<String>()
    )
}

fn port(number: usize) -> u16 {
    8100 + u16::try_from(number).expect("a small number")
}

#[track_caller]
fn wait_for(host: &Lone, count: usize, limit: Duration) {
    until("destinations", limit, || {
        let table = host.machine.ipvs();
        let found: Vec<&str> = table
            .iter()
            .flat_map(|service| &service.destinations)
            .map(|held| held.address.as_str())
            .collect();
        if found.len() == count { Ok(()) } else { Err(format!("{count} wanted, found {found:?}")) }
    });
}

#[test]
fn the_worst_servers_leave_in_time_and_cost_bounded_memory() {
    let host = Lone::new();
    let sick = Arc::new(AtomicBool::new(false));
    let never = Arc::new(AtomicBool::new(false));
    for (number, (_, manner)) in MANNERS.iter().enumerate() {
        serve(&host.machine, port(number + 1), *manner, &sick);
    }
    serve(&host.machine, port(0), be_well, &never);
    let director = host.start(&policy());
    wait_for(&host, MANNERS.len() + 1, JOIN_LIMIT);
    let before = director.resident_kib();

    let start = Instant::now();
    sick.store(true, Ordering::Relaxed);
    wait_for(&host, 1, OUT_LIMIT);
    println!("all {} were out after {:?}", MANNERS.len(), start.elapsed());
    assert_bounded(&director, before);

    sick.store(false, Ordering::Relaxed);
    wait_for(&host, MANNERS.len() + 1, BACK_LIMIT);
    assert_eq!(director.log().matches("panicked").count(), 0, "{}", director.log());
}

/// It neither grows nor loses its breath while the servers go on like this.
#[track_caller]
fn assert_bounded(director: &Director<'_>, before: u64) {
    let start = Instant::now();
    let mut most = before;
    while start.elapsed() < SIEGE {
        most = most.max(director.resident_kib());
        thread::sleep(Duration::from_millis(100));
    }
    println!("memory: {before} KiB before, at most {most} KiB");
    assert!(most < before + GROWTH_KIB, "from {before} KiB to {most} KiB");
    assert_eq!(director.metric("tandem_server_up{pool=\"web\",server=\"192.168.101.110:80\"}"), Some(1.0));
}
