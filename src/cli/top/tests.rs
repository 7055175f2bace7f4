//! Keys, and whole screens as they are drawn: `tests/screens/NAME.txt`. Set UPDATE=1 to write them anew, and read the
//! difference.

use super::model::{Key, Top};
use super::seen::Seen;
use super::view::{Theme, draw};
use crate::control::{PoolStatus, ServerStatus, ServiceStatus, Status};
use crate::time::Instant;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;
use std::path::Path;

const NARROW: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (160, 30);

fn server(pool: &str, number: usize, up: bool, connections: u64) -> ServerStatus {
    ServerStatus {
        name: format!("{pool}-{number}"),
        up,
        checked: true,
        address: "10.0.0.1:80".to_owned(),
        in_rotation: up,
        decided_by: "verdict".to_owned(),
        ordered: None,
        weight_configured: 10,
        weight_effective: if up { 10 } else { 0 },
        weight_in_kernel: up.then_some(10),
        active_connections: 7,
        inactive_connections: 2,
        left_with: None,
        connections,
        incoming_bytes: connections * 1_000,
        outgoing_bytes: 0,
        reason: Some(if up { "passed its check" } else { "connection refused" }.to_owned()),
        last_failure: None,
        last_change_ms: Some(30_000),
    }
}

fn pool(name: &str, up: usize, of: usize, connections: u64) -> PoolStatus {
    let services = ServiceStatus {
        name: "tcp://192.168.101.100:80".to_owned(),
        in_kernel: true,
        connections,
        incoming_bytes: connections * 1_000,
        outgoing_bytes: 0,
    };
    PoolStatus {
        name: name.to_owned(),
        up: up > 0,
        servers: of,
        servers_up: up,
        weight: 10 * of as u64,
        weight_up: 10 * up as u64,
        in_rotation: up,
        panic: false,
        sorry: false,
        frozen: false,
        virtual_services: vec![services],
        real_servers: (1..=of).map(|number| server(name, number, number <= up, connections)).collect(),
    }
}

/// After so many seconds, with so many connections a second through each pool.
fn status(seconds: u64) -> Status {
    let pools =
        vec![pool("api", 3, 3, 100 * seconds), pool("mail", 0, 2, 0), pool("web", 3, 4, 20 * seconds)];
    Status { uptime_ms: 60_000 + 1_000 * seconds, pools, ..crate::control::tests::status() }
}

fn seen(seconds: u64) -> Seen {
    let mut value = serde_json::to_value(status(seconds)).expect("JSON");
    value["overrides"] = json!([{
        "id": "*/web-2", "kind": "drain", "server": "web-2", "by": "ann", "reason": "a new disk",
        "set_unix_ms": 1_700_000_030_000_u64, "until_unix_ms": null, "what_comes_later": 7,
    }]);
    Seen::read(value).expect("a status")
}

fn top() -> Top {
    let mut top = Top::default();
    for seconds in 0..=4 {
        top.polled(Ok(seen(seconds)), Instant::from_millis(1_000 * seconds));
    }
    top
}

fn keys(top: &mut Top, keys: &str) {
    keys.chars().map(Key::Letter).for_each(|key| top.key(key));
}

fn names(top: &Top) -> Vec<&str> {
    top.pools().into_iter().map(|pool| pool.name.as_str()).collect()
}

fn screen(top: &Top, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| draw(frame, top, Theme { colour: false })).expect("drawn");
    let cells = terminal.backend().buffer().content().chunks(width.into());
    let line = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    cells.map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[track_caller]
fn compare(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, screen).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(screen, expected, "{name}: UPDATE=1 writes it anew");
}

#[test]
fn the_screens_are_those_beside_it() {
    let mut top = top();
    compare("narrow", &screen(&top, NARROW));
    compare("wide", &screen(&top, WIDE));
    top.key(Key::Tab);
    top.key(Key::Down);
    let server = screen(&top, NARROW);
    assert!(server.contains("mail-2: connection refused\n"), "the reason as a whole:\n{server}");
    top.key(Key::Escape);
    keys(&mut top, "?");
    compare("help", &screen(&top, NARROW));
    keys(&mut top, "?/web");
    compare("filter", &screen(&top, NARROW));
    top.polled(Err("no director answers at /run/tandem/tandem.sock".to_owned()), Instant::from_millis(9_000));
    compare("gone", &screen(&top, NARROW));
    compare("asking", &screen(&Top::default(), NARROW));
}

#[test]
fn a_screen_of_any_size_is_drawn() {
    let mut top = top();
    top.key(Key::Tab);
    for size in [(1, 1), (5, 3), (20, 5), (79, 6), (300, 2), (400, 100)] {
        screen(&top, size);
    }
}

#[test]
fn nothing_is_coloured_without_colour_and_something_is_with_it() {
    let coloured = |colour| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        terminal.draw(|frame| draw(frame, &top(), Theme { colour })).expect("drawn");
        let cells = terminal.backend().buffer().content();
        cells.iter().any(|cell| cell.fg != ratatui::style::Color::Reset)
    };
    assert!(coloured(true) && !coloured(false));
}

#[test]
fn pools_are_sorted_and_filtered_by_keys() {
    let mut top = top();
    assert_eq!(names(&top), ["mail", "web", "api"]);
    keys(&mut top, "s");
    assert_eq!(names(&top), ["api", "mail", "web"]);
    keys(&mut top, "sr");
    assert_eq!(names(&top), ["mail", "web", "api"], "by connections, reversed");
    keys(&mut top, "/WEB-2");
    assert_eq!(names(&top), ["web"], "for a server's sake");
    top.key(Key::Enter);
    assert_eq!(top.servers().len(), 1);
    keys(&mut top, "q");
    assert!(top.ended, "letters are keys again");
}

#[test]
fn a_letter_in_the_filter_is_no_key() {
    let mut top = top();
    keys(&mut top, "/q");
    assert!(!top.ended && top.filter == "q");
    top.key(Key::Backspace);
    top.key(Key::Escape);
    assert!(top.filter.is_empty() && !top.filtering);
    top.key(Key::Interrupt);
    assert!(top.ended);
}

#[test]
fn a_pool_stays_selected_wherever_the_order_takes_it() {
    let mut top = top();
    top.key(Key::Down);
    assert_eq!(top.pool().map(|pool| pool.name.as_str()), Some("web"));
    keys(&mut top, "ss");
    assert_eq!(top.pool().map(|pool| pool.name.as_str()), Some("web"));
    top.key(Key::End);
    assert_eq!(top.selected_pool(), Some(2));
    top.key(Key::Tab);
    top.key(Key::PageDown);
    assert_eq!(top.selected_server(), Some(top.servers().len() - 1));
}

#[test]
fn rates_are_differences_over_the_last_polls_and_begin_anew_with_the_director() {
    let mut top = top();
    let rates = |top: &Top| top.history.rates("api", None);
    assert_eq!(rates(&top).map(|rates| rates.connections), Some(100.0));
    assert_eq!(rates(&top).map(|rates| rates.incoming_bytes), Some(100_000.0));
    let mut restarted = seen(0);
    restarted.status.uptime_ms = 500;
    top.polled(Ok(restarted), Instant::from_millis(6_000));
    assert_eq!(rates(&top), None);
}

#[test]
fn a_pause_holds_what_is_shown_and_its_age_grows() {
    let mut top = top();
    keys(&mut top, "p");
    top.polled(Ok(seen(9)), Instant::from_millis(9_000));
    assert_eq!(top.status().map(|status| status.uptime_ms), Some(64_000));
    assert_eq!(top.age_ms(), 5_000);
    keys(&mut top, "p");
    top.polled(Ok(seen(10)), Instant::from_millis(10_000));
    assert_eq!((top.status().map(|status| status.uptime_ms), top.age_ms()), (Some(70_000), 0));
}

#[test]
fn a_director_without_servers_and_overrides_in_its_status_is_shown() {
    let mut value = serde_json::to_value(status(1)).expect("JSON");
    for pool in value["pools"].as_array_mut().expect("pools") {
        pool.as_object_mut()
            .expect("a pool")
            .retain(|key, _| !key.starts_with("real_") && key != "virtual_services");
    }
    value.as_object_mut().expect("an object").remove("overrides");
    let mut top = Top::default();
    top.polled(Seen::read(value), Instant::ZERO);
    assert_eq!(top.trouble, None);
    assert_eq!((top.pools().len(), top.servers().len()), (3, 0));
    screen(&top, NARROW);
}
