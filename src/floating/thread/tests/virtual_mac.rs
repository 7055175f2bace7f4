//! Virtual MACs in the running kernel: a client and two directors on a bridge, each in a network namespace of its own. Needs
//! root, `ip` with JSON, `ping`, and `tcpdump` for the frames.

use super::*;
use crate::floating::plan::virtual_mac;
use nix::sched::setns;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Child;

const MACS: [&str; 2] = ["00:00:5e:00:01:33", "00:00:5e:00:02:33"];
const LINKS: [&str; 2] = ["vrrp4-51", "vrrp6-51"];

/// The calling thread's present namespace.
fn present() -> File {
    File::open("/proc/thread-self/ns/net").expect("a namespace")
}

fn made() -> Option<File> {
    unshare(CloneFlags::CLONE_NEWNET).ok()?;
    ip("link set lo up");
    Some(present())
}

fn inside<T>(namespace: &File, act: impl FnOnce() -> T) -> T {
    let before = present();
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("the namespace");
    let result = act();
    setns(&before, CloneFlags::CLONE_NEWNET).expect("the namespace before");
    result
}

/// A bridge `b0` with ports `pa`, `pb` and `pc`; at their other ends `v0` of the directors and of the client.
struct Site {
    hub: File,
    directors: [File; 2],
    client: File,
}

impl Site {
    #[expect(clippy::print_stderr, reason = "why a case did not run")]
    fn build() -> Option<Self> {
        let (Some(hub), Some(a), Some(b), Some(client)) = (made(), made(), made(), made()) else {
            eprintln!("not run: a network namespace needs root");
            return None;
        };
        let site = Self { hub, directors: [a, b], client };
        inside(&site.hub, || {
            ip("link add b0 type bridge");
            ip("link set b0 up");
        });
        site.attach("pa", &site.directors[0], 201);
        site.attach("pb", &site.directors[1], 202);
        site.attach("pc", &site.client, 9);
        Some(site)
    }

    fn attach(&self, port: &str, namespace: &File, last: u8) {
        let place = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
        inside(&self.hub, || {
            ip(&format!("link add {port} type veth peer name v0 netns {place}"));
            ip(&format!("link set {port} master b0 up"));
        });
        inside(namespace, || {
            // Who has no link-local address yet can't ask for a neighbour.
            std::fs::write("/proc/sys/net/ipv6/conf/v0/accept_dad", "0").expect("written");
            ip("link set v0 up");
            ip(&format!("addr add 192.0.2.{last}/24 dev v0"));
            ip(&format!("addr add 2001:db8::{last}/64 dev v0 nodad"));
        });
    }

    fn start(&self, director: usize) -> World {
        inside(&self.directors[director], || World::of(&macvlan_plan()))
    }

    fn captures(&self, port: &str, file: &str) -> Option<Child> {
        let filter = format!("ether src {} or ether src {}", MACS[0], MACS[1]);
        let arguments = ["-i", port, "-U", "--immediate-mode", "-Q", "in", "-w", file, &filter];
        inside(&self.hub, || Command::new("tcpdump").args(arguments).stderr(Stdio::null()).spawn().ok())
    }

    fn neighbour(&self, address: &str) -> Option<String> {
        let all: serde_json::Value =
            serde_json::from_str(&inside(&self.client, || ip("-j neigh show"))).expect("JSON");
        let entry = all.as_array()?.iter().find(|entry| entry["dst"] == address)?.clone();
        entry["lladdr"].as_str().map(ToOwned::to_owned)
    }

    fn setting(&self, director: usize, path: &str) -> String {
        let path = format!("/proc/sys/net/ipv4/conf/{path}");
        inside(&self.directors[director], || std::fs::read_to_string(path).expect("a setting"))
            .trim()
            .to_owned()
    }

    /// The client's pings of both addresses, every 10 ms.
    fn pings(&self) -> [Child; 2] {
        VIPS.map(|vip| {
            let arguments = ["-q", "-i", "0.01", "-W", "1", "-c", "300", vip];
            let mut ping = Command::new("ping");
            ping.args(arguments).stdout(Stdio::piped());
            inside(&self.client, || ping.spawn().expect("ping runs"))
        })
    }

    /// The client knows nobody's hardware address.
    fn forget_neighbours(&self, namespace: &File) {
        inside(namespace, || ip("neigh flush all"));
    }
}

fn macvlan_plan() -> Plan {
    let mut plan = plan(&vips());
    plan.routers[0].virtual_mac = true;
    for (place, link) in plan.routers[0].addresses.iter_mut().zip(LINKS) {
        place.interface = link.into();
    }
    plan
}

/// The link as `ip -d -j` shows it, in the present namespace.
fn link(name: &str) -> Option<serde_json::Value> {
    let all: serde_json::Value = serde_json::from_str(&ip("-d -j link show")).expect("JSON");
    all.as_array()?.iter().find(|link| link["ifname"] == name).cloned()
}

fn is_up(name: &str) -> bool {
    let is_up = |link: serde_json::Value| {
        link["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"))
    };
    link(name).is_some_and(is_up)
}

fn hold(world: &World) {
    world.wish(Wish::Hold);
    let both = Report::Held { router: WEB, held: 2, wanted: 2 };
    world.until("both are held", SOON, || world.was_reported(&both));
}

fn lost(ping: Child) -> String {
    let output = ping.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find(|line| line.contains("packet loss")).unwrap_or_default().to_owned()
}

fn frames(file: &str) -> Vec<String> {
    let output = Command::new("tcpdump").args(["-e", "-n", "-r", file]).stderr(Stdio::null()).output();
    let text = output.expect("tcpdump reads").stdout;
    String::from_utf8_lossy(&text).lines().map(ToOwned::to_owned).collect()
}

#[test]
fn the_clients_neighbour_entries_stay_and_its_pings_go_on_when_the_addresses_move() {
    let Some(site) = Site::build() else { return };
    let [first, second] = [site.start(0), site.start(1)];
    second.wish(Wish::Drop);
    hold(&first);
    let pings = site.pings();
    thread::park_timeout(Duration::from_millis(500));
    assert_eq!(VIPS.map(|vip| site.neighbour(vip)), MACS.map(|mac| Some(mac.to_owned())));
    first.wish(Wish::Release { by: first.clock.now() + Duration::from_secs(5) });
    thread::park_timeout(Duration::from_millis(200));
    hold(&second);
    first.until("released", SOON, || first.was_reported(&Report::Released { router: WEB }));
    for link in LINKS {
        first.until("down", SOON, || inside(&site.directors[0], || !is_up(link)));
    }
    // What the new Master asks must not tell the client the parent's hardware address.
    site.forget_neighbours(&site.directors[1]);
    for ping in pings {
        let lost = lost(ping);
        assert!(lost.contains(" 300 received"), "{lost}");
    }
    assert_eq!(VIPS.map(|vip| site.neighbour(vip)), MACS.map(|mac| Some(mac.to_owned())));
    first.finish();
    second.finish();
}

#[test]
fn a_client_that_asks_hears_the_virtual_mac_and_of_a_directors_own_address_its_own() {
    let Some(site) = Site::build() else { return };
    let world = site.start(0);
    hold(&world);
    thread::park_timeout(Duration::from_millis(1_500));
    site.forget_neighbours(&site.client);
    let own = inside(&site.directors[0], shown_mac);
    let others = ["192.0.2.201", "2001:db8::201"];
    for (address, mac) in VIPS.into_iter().zip(MACS).chain(others.map(|address| (address, own.as_str()))) {
        let pinged = inside(&site.client, || ip_ping(address));
        assert!(pinged, "{address}");
        assert_eq!(site.neighbour(address), Some(mac.to_owned()), "{address}");
    }
    world.finish();
}

fn ip_ping(address: &str) -> bool {
    Command::new("ping")
        .args(["-q", "-c", "3", "-i", "0.1", "-W", "1", address])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
#[expect(clippy::print_stderr, reason = "why a case did not run")]
fn no_frame_bears_the_virtual_mac_from_a_backup() {
    let Some(site) = Site::build() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (before, after) = (file("before"), file("after"));
    let Some(mut backup) = site.captures("pa", &before) else {
        eprintln!("not run: tcpdump is needed");
        return;
    };
    let [first, second] = [site.start(0), site.start(1)];
    first.wish(Wish::Drop);
    hold(&second);
    let pings = site.pings();
    thread::park_timeout(Duration::from_secs(1));
    backup.kill().and_then(|()| backup.wait()).expect("it ends");
    assert_eq!(frames(&before), Vec::<String>::new());
    // The Master of before: from the moment when its addresses are gone.
    second.wish(Wish::Release { by: second.clock.now() + Duration::from_secs(5) });
    hold(&first);
    second.until("released", SOON, || second.was_reported(&Report::Released { router: WEB }));
    let mut former = site.captures("pb", &after).expect("tcpdump");
    thread::park_timeout(Duration::from_secs(3));
    former.kill().and_then(|()| former.wait()).expect("it ends");
    assert_eq!(frames(&after), Vec::<String>::new());
    pings.into_iter().for_each(|ping| drop(lost(ping)));
    first.finish();
    second.finish();
}

#[test]
fn what_the_parent_had_is_restored_and_the_macvlans_are_gone_at_the_end() {
    let Some(site) = Site::build() else { return };
    let settings = || ["v0/arp_ignore", "v0/arp_announce"].map(|path| site.setting(0, path));
    assert_eq!(settings(), ["0", "0"]);
    let world = site.start(0);
    hold(&world);
    assert_eq!(settings(), ["1", "2"]);
    world.wish(Wish::Drop);
    world.finish();
    assert_eq!(settings(), ["0", "0"]);
    assert_eq!(inside(&site.directors[0], || LINKS.map(link)), [None, None]);
}

#[test]
fn a_planned_restart_leaves_the_macvlans_and_the_next_run_adopts_and_removes_them() {
    let Some(site) = Site::build() else { return };
    let world = site.start(0);
    hold(&world);
    let indexes =
        || inside(&site.directors[0], || LINKS.map(|name| link(name).map(|link| link["ifindex"].clone())));
    let made = indexes();
    world.handle.as_ref().expect("running").lengthen(Duration::from_secs(30));
    world.finish();
    assert_eq!(indexes(), made);
    let next = site.start(0);
    hold(&next);
    assert_eq!(indexes(), made);
    next.wish(Wish::Drop);
    next.finish();
    assert_eq!(indexes(), [None, None]);
    assert_eq!(site.setting(0, "v0/arp_announce"), "0");
}

#[test]
fn what_a_killed_run_left_is_adopted_replaced_or_removed() {
    let Some(site) = Site::build() else { return };
    let index = inside(&site.directors[0], || {
        for (name, mac) in [("vrrp4-51", MACS[0]), ("vrrp6-51", MACS[0]), ("vrrp4-52", "00:00:5e:00:01:34")] {
            ip(&format!("link add {name} link v0 address {mac} type macvlan mode bridge"));
            let status = Command::new("ip")
                .args(["link", "set", name, "alias", "tandem arp_announce=1 arp_ignore=0"])
                .status();
            assert!(status.is_ok_and(|status| status.success()));
        }
        std::fs::write("/proc/sys/net/ipv4/conf/v0/arp_ignore", "1").expect("written");
        std::fs::write("/proc/sys/net/ipv4/conf/v0/arp_announce", "2").expect("written");
        ip("link set vrrp4-51 up");
        link("vrrp4-51").expect("made")["ifindex"].clone()
    });
    let world = site.start(0);
    hold(&world);
    inside(&site.directors[0], || {
        assert_eq!(link("vrrp4-51").expect("adopted")["ifindex"], index);
        assert_eq!(link("vrrp6-51").expect("replaced")["address"], MACS[1]);
        assert_eq!(link("vrrp4-52"), None, "removed");
    });
    world.wish(Wish::Drop);
    world.finish();
    assert_eq!(["v0/arp_ignore", "v0/arp_announce"].map(|path| site.setting(0, path)), ["0", "1"]);
}

#[test]
fn a_macvlan_that_another_program_deletes_is_made_again_with_its_addresses() {
    let Some(site) = Site::build() else { return };
    let world = site.start(0);
    hold(&world);
    inside(&site.directors[0], || {
        ip("link del vrrp4-51");
        world.until("back", SOON, || shown(VIPS[0]).is_some());
        ip("link del v0");
        world.until("gone", SOON, || shown(VIPS[0]).is_none());
        ip("link add v0 type veth peer name v1");
        ip("link set v0 up");
        ip("link set v1 up");
        world.until("back again", Duration::from_secs(4), || VIPS.iter().all(|vip| shown(vip).is_some()));
    });
    world.finish();
}

#[test]
fn a_name_that_another_kind_of_link_has_is_told_and_left_alone() {
    let Some(site) = Site::build() else { return };
    inside(&site.directors[0], || ip("link add vrrp4-51 type bridge"));
    let world = site.start(0);
    world.wish(Wish::Hold);
    let mut told = Vec::new();
    world.until("told", SOON, || {
        told.extend(world.events.try_iter().map(|event| event.to_string()));
        told.iter().any(|event| event.contains("cannot make the macvlan vrrp4-51"))
    });
    world.until("the other family is held", SOON, || inside(&site.directors[0], || shown(VIPS[1]).is_some()));
    assert!(inside(&site.directors[0], || shown(VIPS[0]).is_none()), "not on a link of another's");
    world.finish();
    assert!(inside(&site.directors[0], || link("vrrp4-51").is_some()));
}

#[test]
fn the_texts_here_are_the_virtual_macs_of_the_plan() {
    let vrid = NonZeroU8::new(51).expect("not 0");
    for (family, text) in [Family::Ipv4, Family::Ipv6].into_iter().zip(MACS) {
        let octets = virtual_mac(family, vrid).map(|octet| format!("{octet:02x}"));
        assert_eq!(octets.join(":"), text);
    }
}
