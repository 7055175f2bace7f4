//! A real pair in a real Prometheus: silent and complete while all is well; then faults, their alerts, and what dashboards show of
//! them.

use crate::alerts::{SEEN, fall_silent, fire, order};
use crate::dashboards::{Asks, Question, questions};
use crate::director;
use crate::exposition;
use crate::prometheus::pace;
use crate::site::Site;
use crate::world::wait::until;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A rate wants two scrapes, which come every second.
const NO_MORE: Duration = Duration::from_secs(4);
/// What an operator ordered, and forgot.
const FORGOTTEN: &[&str] =
    &["TandemPoolFrozen", "TandemRouterReleased", "TandemPolicyUnconfirmed", "TandemFailoverNotReady"];
const ONE_SERVER: &[&str] = &["TandemServersDown"];
const ALL_SERVERS: &[&str] =
    &["TandemPoolDown", "TandemPoolBelowQuorum", "TandemPoolSorry", "TandemPoolCapacityLow"];
/// A mistake in one policy, an interval in the other, and a cable that fell out.
const DISAGREEMENT: &[&str] = &[
    "TandemReloadFailed",
    "TandemPolicyFileDiffers",
    "TandemAdvertisementsNotBelieved",
    "TandemTrackerDown",
    "TandemPoliciesDiffer",
    "TandemFailoverNotReady",
];
const ONE_DIRECTOR: &[&str] =
    &["TandemDirectorDown", "TandemPeerDown", "TandemPeerChannelDown", "TandemFailoverNotReady"];
const ALL_DIRECTORS: &[&str] = &["TandemAllDirectorsDown"];
/// Every alert that fires here.
pub(crate) const FIRED: &[&[&str]] =
    &[FORGOTTEN, ONE_SERVER, ALL_SERVERS, DISAGREEMENT, ONE_DIRECTOR, ALL_DIRECTORS];
/// What no director can tell on a kernel without IPVS.
const OF_IPVS: [&str; 1] = ["tandem_connection_sync_entries"];

/// Questions that find nothing now; a question that Prometheus does not understand fails.
#[track_caller]
fn unanswered(site: &Site, questions: &BTreeSet<Question>) -> BTreeSet<Question> {
    let finds_nothing = |question: &&Question| {
        let found = match &question.asks {
            Asks::Query(query) => site.prometheus.query(&site.monitor, query).map(|samples| samples.len()),
            Asks::Label { selector, label } => {
                site.prometheus.label_values(&site.monitor, selector, label).map(|values| values.len())
            }
        };
        found.unwrap_or_else(|error| panic!("{question:?}: {error}")) == 0
    };
    questions.iter().filter(finds_nothing).cloned().collect()
}

fn may_find_nothing(question: &Question) -> bool {
    let ipvs: &[&str] = if director::kernel_has_ipvs() { &[] } else { &OF_IPVS };
    matches!(&question.asks, Asks::Query(query) if ipvs.iter().any(|family| query.contains(family)))
}

/// Asks until all are answered, or for some seconds no more were; what is left.
#[track_caller]
fn ask_for_a_while(site: &Site, mut open: BTreeSet<Question>) -> BTreeSet<Question> {
    let mut progress = Instant::now();
    while !open.is_empty() && progress.elapsed() < NO_MORE * pace() {
        let left = unanswered(site, &open);
        if left.len() < open.len() {
            progress = Instant::now();
        }
        open = left;
        sleep(Duration::from_secs(1));
    }
    open
}

#[test]
fn the_dashboards_and_alerts_of_a_pair_in_health_and_in_trouble() {
    let mut site = Site::new();
    until("a Master", SEEN * pace(), || {
        match site.prometheus.query(&site.monitor, "sum by (router) (tandem_vrrp_master) == 1") {
            Ok(routers) if routers.len() == 2 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    fall_silent(&site, &[]);
    order(&site, 0, &["weight", "5", "--server", "web2", "--pool", "web", "--reason", "a larger machine"]);
    let open = ask_for_a_while(&site, questions());
    exposition::promtool_is_content(&site);
    exposition::prometheus_is_content(&site);
    fall_silent(&site, &[]);
    println!("{} questions, {} find nothing in health", questions().len(), open.len());

    order(&site, 0, &["freeze", "plain"]);
    order(&site, 1, &["release"]);
    order(&site, 0, &["reload", "--confirm", "30m"]);
    fire(&site, FORGOTTEN);
    order(&site, 0, &["clear", "--pool", "plain"]);
    order(&site, 1, &["clear"]);
    order(&site, 0, &["confirm"]);
    fall_silent(&site, &[]);

    // Servers die: one, then all.
    site.set_server(1, false);
    fire(&site, ONE_SERVER);
    site.set_server(0, false);
    fire(&site, ALL_SERVERS);
    // Somebody writes a mistake; on the other director an interval of its own, which the pair does not agree on.
    let mistake = site.reload(0, "policy_version: 1", "policy_version: one");
    assert_eq!(mistake.status.code(), Some(1), "{mistake:?}");
    let interval = site.reload(1, "vrid: 52", "vrid: 52\n    advertisement_interval: 110ms");
    assert!(interval.status.success(), "{interval:?}");
    // A cable falls out.
    site.machines[1].ip("link set eth1 down\n");
    fire(&site, DISAGREEMENT);
    let open = ask_for_a_while(&site, open);

    // All is mended, but for the director that ends.
    site.machines[1].ip("link set eth1 up\n");
    let mended = site.reload(1, "vrid: 52\n    advertisement_interval: 110ms", "vrid: 52");
    assert!(mended.status.success(), "{mended:?}");
    let mended = site.reload(0, "policy_version: one", "policy_version: 1");
    assert!(mended.status.success(), "{mended:?}");
    [0, 1].into_iter().for_each(|server| site.set_server(server, true));
    // Increases over minutes are still to be seen.
    let lasting = [
        "TandemServerFlapping",
        "TandemAdvertisementsNotBelieved",
        "TandemVrrpFlapping",
        "TandemMasterContested",
    ];
    fall_silent(&site, &lasting);

    // The Master dies.
    site.directors[0] = None;
    fire(&site, ONE_DIRECTOR);
    let masters =
        site.prometheus.query(&site.monitor, "sum by (router) (tandem_vrrp_master) == 1").expect("a query");
    assert_eq!(masters.len(), 2, "the other holds both");
    let mut open = ask_for_a_while(&site, open);
    site.directors[1] = None;
    fire(&site, ALL_DIRECTORS);

    open.retain(|question| !may_find_nothing(question));
    assert!(
        open.is_empty(),
        "questions of dashboards that found nothing, in health nor in trouble:\n{open:#?}"
    );
}
