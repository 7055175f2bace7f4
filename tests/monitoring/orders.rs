//! What is ordered of one director is in force on both, and the newer word counts after a partition.

use crate::prometheus::pace;
use crate::site::Site;
use crate::world::wait::until;
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Kind, identity and director of each override in force.
fn overrides(site: &Site, director: usize) -> Vec<String> {
    let list = site.json(director, &["overrides"]);
    let word = |given: &Value, field: &str| given[field].as_str().unwrap_or_default().to_owned();
    let words = |given: &Value| ["kind", "id", "director"].map(|field| word(given, field)).join(" ");
    list["overrides"].as_array().map(|list| list.iter().map(words).collect()).unwrap_or_default()
}

#[track_caller]
fn both(site: &Site, wanted: &[&str]) {
    for director in [0, 1] {
        until("overrides", LIMIT * pace(), || match overrides(site, director) {
            found if found == wanted => Ok(()),
            found => Err(format!("{found:?}, not {wanted:?}\n{}", site.log(director))),
        });
    }
}

#[track_caller]
fn channel(site: &Site, up: bool) {
    for director in [0, 1] {
        until("the channel", LIMIT * pace(), || {
            let status = site.json(director, &["status"]);
            let found = &status["peers"][0]["channel"]["up"];
            if *found == up { Ok(()) } else { Err(format!("{found}")) }
        });
    }
}

#[track_caller]
fn order(site: &Site, director: usize, arguments: &[&str]) {
    let output = site.ask(director, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_order_is_in_force_on_both_directors_and_the_newer_word_counts_after_a_partition() {
    let site = Site::new();
    channel(&site, true);
    order(&site, 0, &["drain", "--server", "192.168.101.110", "--reason", "a new disk", "--force"]);
    both(&site, &["drain */192.168.101.110 lb-a"]);
    order(&site, 1, &["clear", "--server", "192.168.101.110"]);
    both(&site, &[]);

    site.machines[1].ip("link set eth0 down\n");
    channel(&site, false);
    order(&site, 0, &["drain", "--server", "192.168.101.210", "--force"]);
    order(&site, 1, &["disable", "--server", "192.168.101.210", "--force"]);
    site.machines[1].ip("link set eth0 up\n");
    both(&site, &["disable */192.168.101.210 lb-b"]);
}
