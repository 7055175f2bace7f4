//! The kernel's IPVS table as `ipvsadm` shows it: the outside view, not made by the code that is tested.

use super::namespace::Namespace;
use std::io::Read as _;

/// A line `TCP 192.168.101.100:80 rr` and its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// `TCP`, `UDP`, `SCTP` or `FWM`.
    pub(crate) protocol: String,
    /// `192.168.101.100:80`, `[fd00::1]:80`; for FWM the mark.
    pub(crate) address: String,
    pub(crate) scheduler: String,
    /// What follows: `(flag-1)`, `persistent 300`, ...
    pub(crate) flags: String,
    pub(crate) destinations: Vec<Destination>,
}

/// A line `-> 192.168.101.110:80 Masq 1 0 0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) address: String,
    /// `Masq`, `Route`, `Tunnel` or `Local`.
    pub(crate) method: String,
    pub(crate) weight: u32,
    pub(crate) active: u64,
    pub(crate) inactive: u64,
}

/// The counters of one line of `--stats`: connections, packets and bytes in and out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) connections: u64,
    pub(crate) packets_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

impl Namespace {
    /// The IPVS table.
    pub(crate) fn ipvs(&self) -> Vec<Service> {
        parse(&self.run("ipvsadm -Ln"))
    }

    /// How many destinations there are, all services together. From /proc, which is quick enough to catch an instant. It is
    /// read at once: a second read goes on where another namespace's services were counted too, and leaves out some.
    pub(crate) fn ipvs_destinations(&self) -> usize {
        let mut table = vec![0; 65_536];
        let length = self
            .inside(|| std::fs::File::open("/proc/thread-self/net/ip_vs")?.read(&mut table))
            .expect("IPVS in this kernel");
        let text = String::from_utf8_lossy(&table[..length]);
        // One more line begins so: the heading.
        text.lines().filter(|line| line.trim_start().starts_with("->")).count().saturating_sub(1)
    }

    /// The table as commands, which is easy to compare with what was wanted.
    pub(crate) fn ipvs_saved(&self) -> Vec<String> {
        self.run("ipvsadm -Sn").lines().map(str::to_owned).collect()
    }

    /// Counters by address, services and destinations alike, in the table's order.
    pub(crate) fn ipvs_counters(&self) -> Vec<(String, Counters)> {
        self.run("ipvsadm -Ln --stats --exact").lines().skip(3).filter_map(counters).collect()
    }

    /// Commands of `ipvsadm`, one a line (as `-A -t 192.168.101.100:80 -s rr`).
    pub(crate) fn ipvsadm(&self, lines: &str) {
        self.run_with_input("ipvsadm", &["-R"], &format!("{}\n", lines.trim()));
    }
}

/// The first three lines are headings.
fn parse(text: &str) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for line in text.lines().skip(3) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), services.last_mut()) {
            (["->", rest @ ..], Some(service)) => service.destinations.push(destination(rest)),
            ([protocol, address, rest @ ..], _) => services.push(service(protocol, address, rest)),
            _ => panic!("ipvsadm printed {line:?}"),
        }
    }
    services
}

/// A mark of IPv6 has the word `IPv6` behind it, which belongs to its name.
fn service(protocol: &str, address: &str, rest: &[&str]) -> Service {
    let (address, rest) = match rest {
        ["IPv6", rest @ ..] => (format!("{address} IPv6"), rest),
        _ => (address.to_owned(), rest),
    };
    let (scheduler, flags) = rest.split_first().expect("a scheduler");
    Service {
        protocol: protocol.into(),
        address,
        scheduler: (*scheduler).into(),
        flags: flags.join(" "),
        destinations: vec![],
    }
}

fn destination(words: &[&str]) -> Destination {
    let [address, method, weight, active, inactive] = words else { panic!("ipvsadm printed {words:?}") };
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("ipvsadm printed {words:?}"));
    Destination {
        address: (*address).into(),
        method: (*method).into(),
        weight: weight.parse().expect("a weight"),
        active: number(active),
        inactive: number(inactive),
    }
}

fn counters(line: &str) -> Option<(String, Counters)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, numbers) = words.split_at_checked(words.len().checked_sub(5)?)?;
    let [connections, packets_in, packets_out, bytes_in, bytes_out] = numbers else { return None };
    let number = |word: &str| word.parse().ok();
    let counters = Counters {
        connections: number(connections)?,
        packets_in: number(packets_in)?,
        packets_out: number(packets_out)?,
        bytes_in: number(bytes_in)?,
        bytes_out: number(bytes_out)?,
    };
    Some((name.get(1)?.to_string(), counters))
}
