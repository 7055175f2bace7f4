//! What `ipvsadm --save --numeric` prints, to the common form.
//!
//! Such a table says what is balanced, and nothing of checks or of who holds the addresses. Source: ipvsadm(8) of version 1.31.

use super::keepalived::{command, empty_pool, prefix};
use super::names;
use super::site::{Forwarding, Persistence, Pool, Protocol, Server, Service, Site, Sync};
use super::verdict::{Judged, Ledger, Origin, near, none, same};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

/// Seconds of `-p` without a number.
const PERSISTENCE: u32 = 360;
const MOST_WEIGHT: u32 = 65_535;

/// Whether a line says something.
pub(super) fn counts(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

pub(super) fn read(path: &Path, text: &str, ledger: &mut Ledger) -> Site {
    let file = ledger.add(path.to_owned(), text);
    let mut site = Site::default();
    let mut taken = BTreeSet::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| counts(line)) {
        let at = Origin { file, line: index + 1 };
        let words = command(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let judged = match words.first() {
            Some(&("-A" | "--add-service")) => service(&words[1..], at, &mut site, &mut taken),
            Some(&("-a" | "--add-server")) => server(&words[1..], at, &mut site),
            Some(&("-C" | "--clear")) => near("the table is compared with the policy, and made like it"),
            Some(&"--set") => timeouts(&words[1..], &mut site),
            Some(&"--start-daemon") => daemon(&words[1..], at, &mut site),
            _ => none("not a line that ipvsadm saves"),
        };
        ledger.note(at, judged);
    }
    for pool in &mut site.pools {
        pool.todo.push(
            "TODO: a check; the table says nothing of checks, and without one a dead server stays."
                .to_owned(),
        );
    }
    site
}

/// Options with their values; the flags that stand alone are in `ALONE`.
struct Options<'a> {
    words: &'a [&'a str],
}

const ALONE: [&str; 16] = [
    "-g",
    "--gatewaying",
    "-m",
    "--masquerading",
    "-i",
    "--ipip",
    "-o",
    "--ops",
    "-6",
    "--ipv6",
    "-n",
    "--numeric",
    "--tun-nocsum",
    "--tun-csum",
    "--tun-remcsum",
    "--nocsum",
];

impl<'a> Iterator for Options<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (option, rest) = self.words.split_first()?;
        // `-p` may stand without seconds.
        let value = rest.first().copied().filter(|value| !ALONE.contains(option) && !value.starts_with('-'));
        self.words = if value.is_some() { rest.get(1..).unwrap_or_default() } else { rest };
        Some((option, value))
    }
}

/// `ADDRESS:PORT`, IPv6 in brackets; port 0 is every port.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address, 0));
    }
    let (address, port) = text.rsplit_once(':')?;
    let address = address.trim_start_matches('[').trim_end_matches(']');
    Some((address.parse().ok()?, port.parse().ok()?))
}

/// What a service is, of its option.
fn key(option: &str, value: Option<&str>) -> Option<Service> {
    let protocol = match option {
        "-t" | "--tcp-service" => Protocol::Tcp,
        "-u" | "--udp-service" => Protocol::Udp,
        "--sctp-service" => Protocol::Sctp,
        "-f" | "--fwmark-service" => {
            return Some(Service::Mark { mark: value?.parse().ok().filter(|mark| *mark > 0)?, ipv6: false });
        }
        _ => return None,
    };
    let (first, port) = endpoint(value?)?;
    Some(Service::Addresses { protocol, first, last: first, port })
}

fn service(words: &[&str], at: Origin, site: &mut Site, taken: &mut BTreeSet<String>) -> Judged {
    let mut pool = empty_pool(at);
    let mut left_out = Vec::new();
    let mut six = false;
    for (option, value) in (Options { words }) {
        match (option, value) {
            ("-s" | "--scheduler", Some(name)) => name.clone_into(&mut pool.scheduler),
            ("-p" | "--persistent", seconds) => {
                let seconds = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(PERSISTENCE);
                pool.persistence.get_or_insert_with(Persistence::default).seconds = Some(seconds);
            }
            ("-M" | "--netmask", Some(mask)) => {
                pool.persistence.get_or_insert_with(Persistence::default).prefix = prefix(mask);
            }
            ("--pe", Some("sip")) => pool.persistence.get_or_insert_with(Persistence::default).sip = true,
            ("-b" | "--sched-flags", Some(flags)) => {
                pool.fallback = flags.contains("fallback") || flags.contains("flag-1");
                pool.hashes_port = flags.contains("port") || flags.contains("flag-2");
            }
            ("-o" | "--ops", _) => pool.one_packet = true,
            ("-6" | "--ipv6", _) => six = true,
            ("-n" | "--numeric", _) => {}
            (option, value) => match key(option, value) {
                Some(service) => pool.services.push((service, at)),
                None => left_out.push(option),
            },
        }
    }
    let Some((service, _)) = pool.services.first_mut() else {
        return none("no service: tcp, udp, sctp or a mark, with a numeric address (ipvsadm -Sn)");
    };
    if let Service::Mark { ipv6, .. } = service {
        *ipv6 = six;
    }
    pool.name = names::unique(&name(service), taken);
    site.pools.push(pool);
    if left_out.is_empty() { same() } else { near(format!("{} cannot be said", left_out.join(", "))) }
}

fn name(service: &Service) -> String {
    match service {
        Service::Mark { mark, ipv6 } => format!("mark{}-{mark}", if *ipv6 { "6" } else { "" }),
        Service::Addresses { protocol, first, port, .. } => format!("{}-{first}-{port}", protocol.word()),
    }
}

fn server(words: &[&str], at: Origin, site: &mut Site) -> Judged {
    let mut of: Option<Service> = None;
    let mut six = false;
    let mut real = None;
    let mut forwarding = Forwarding::Dr;
    let mut server = Server {
        at,
        address: IpAddr::from([0, 0, 0, 0]),
        port: None,
        weight: 1,
        upper: None,
        lower: None,
        forwarding: None,
        checks: Vec::new(),
    };
    let (mut kind, mut port, mut checksum) = ("ipip", None, None);
    for (option, value) in (Options { words }) {
        match (option, value) {
            ("-r" | "--real-server", Some(text)) => real = endpoint(text),
            ("-m" | "--masquerading", _) => forwarding = Forwarding::Nat,
            ("-i" | "--ipip", _) => forwarding = Forwarding::Tun("ipip", None, None),
            ("-w" | "--weight", Some(text)) => match text.parse::<u32>() {
                Ok(weight) => server.weight = weight.min(MOST_WEIGHT),
                Err(_) => return none("its weight is not a number"),
            },
            ("-x" | "--u-threshold", Some(upper)) => {
                server.upper = upper.parse().ok().filter(|upper| *upper > 0)
            }
            ("-y" | "--l-threshold", Some(lower)) => {
                server.lower = lower.parse().ok().filter(|lower| *lower > 0)
            }
            ("--tun-type", Some(word)) => kind = word,
            ("--tun-port", Some(text)) => port = text.parse().ok(),
            ("--tun-csum", _) => checksum = Some("full"),
            ("--tun-remcsum", _) => checksum = Some("remote"),
            ("-6" | "--ipv6", _) => six = true,
            (option, value) => of = key(option, value).or(of),
        }
    }
    if let Some(Service::Mark { ipv6, .. }) = &mut of {
        *ipv6 = six;
    }
    let Some((address, real_port)) = real else {
        return none("a real server with a numeric address: ipvsadm -Sn");
    };
    if matches!(forwarding, Forwarding::Tun(..)) {
        let Some(tunnel) = Forwarding::tunnel(kind, port, checksum) else {
            return none("no tunnel that the kernel has: ipip, gre, or gue with --tun-port");
        };
        forwarding = tunnel;
    }
    server.address = address;
    server.port = Some(real_port).filter(|port| *port > 0);
    let pool = site
        .pools
        .iter_mut()
        .find(|pool| pool.services.iter().any(|(service, _)| Some(service) == of.as_ref()));
    let Some(pool) = pool else { return none("its service is not in the file before it") };
    add(server, forwarding, pool);
    same()
}

/// The pool forwards as its first server does.
fn add(server: Server, forwarding: Forwarding, pool: &mut Pool) {
    if pool.servers.is_empty() {
        pool.forwarding = forwarding.clone();
    }
    let own = (forwarding != pool.forwarding).then_some(forwarding);
    pool.servers.push(Server { forwarding: own, ..server });
}

/// `--start-daemon master --mcast-interface eth1 --syncid 4`.
fn daemon(words: &[&str], at: Origin, site: &mut Site) -> Judged {
    let options: Vec<(&str, Option<&str>)> = Options { words }.collect();
    let said = |name: &str| options.iter().find(|(option, _)| *option == name).and_then(|(_, value)| *value);
    let Some(interface) = said("--mcast-interface").and_then(names::interface) else {
        return none("it does not say its interface");
    };
    let id = said("--syncid").and_then(|id| id.parse().ok());
    site.sync = Some(Sync { at, interface, id, router: None });
    near("both directions run: a pair's role follows a router, {follow: NAME}")
}

/// `--set TCP FIN UDP`: 0 leaves one as it is.
fn timeouts(words: &[&str], site: &mut Site) -> Judged {
    let seconds: Vec<Option<u32>> = words.iter().map(|word| word.parse().ok()).collect();
    let [tcp, fin, udp] = seconds.as_slice() else { return none("three times in seconds stand here") };
    site.timeouts = [*tcp, *fin, *udp].map(|seconds| seconds.filter(|seconds| *seconds > 0));
    same()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_table_is_read_line_by_line() {
        let text = "-A -t 10.0.0.1:80 -s wlc -p 300 -M 255.255.255.0\n-a -t 10.0.0.1:80 -r 10.0.1.1:80 -m -w 3\n-a -t 10.0.0.1:80 -r [::1]:80 -g -w 3 -x 10\nnonsense\n";
        let mut ledger = Ledger::default();
        let site = read(Path::new("table"), text, &mut ledger);
        let pool = &site.pools[0];
        let persistence = Persistence { seconds: Some(300), prefix: Some(24), sip: false };
        assert_eq!((pool.persistence.as_ref(), pool.servers.len()), (Some(&persistence), 2));
        assert_eq!(
            (&pool.forwarding, &pool.servers[1].forwarding),
            (&Forwarding::Nat, &Some(Forwarding::Dr))
        );
        assert_eq!(
            ledger.report(counts).iter().filter(|line| line.verdict == super::super::Verdict::None).count(),
            1
        );
    }

    #[test]
    fn a_tunnel_that_the_kernel_does_not_have_is_no_server() {
        let server = |tunnel: &str| format!("-a -t 10.0.0.1:80 -r 10.0.1.1:80 -i {tunnel} -w 1\n");
        let servers: String =
            ["--tun-type gue", "--tun-type gue --tun-port 0", "--tun-type vxlan", "--tun-type gre"]
                .map(server)
                .concat();
        let mut ledger = Ledger::default();
        let site = read(Path::new("table"), &format!("-A -t 10.0.0.1:80 -s wlc\n{servers}"), &mut ledger);
        assert_eq!(site.pools[0].servers.len(), 1, "the one by gre alone");
        assert_eq!(site.pools[0].forwarding, Forwarding::Tun("gre", None, None));
    }
}
