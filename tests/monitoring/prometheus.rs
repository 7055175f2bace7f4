//! A real Prometheus that scrapes the pair, with the alert rules, whose patience is cut to seconds: a case has no
//! quarter of an hour. Their real times are tested by promtool (`rules`).

use crate::site::{DIRECTORS, metrics_of};
use crate::world::http;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use crate::world::wait::until;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);
const LIMIT: Duration = Duration::from_secs(30);
/// Seconds.
const FORGETS: u32 = 10;
const START_LIMIT: Duration = Duration::from_secs(60);
/// The sets of names, each with its job.
pub(crate) const JOBS: [(&str, &str); 3] =
    [("tandem", ""), ("tandem-as-keepalived", "keepalived"), ("tandem-as-node-exporter", "node_exporter")];

/// How much of the rules' patience is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// How long a fault must last.
    Waits,
    /// That, over how long they look back, and what they call an old order.
    Everything,
}

/// Seconds from one scrape to the next. An emulated machine has no time for one every second.
pub(crate) fn pace() -> u32 {
    if std::env::var("TANDEM_LAB_PLACE").is_ok_and(|place| place == "vm") { 5 } else { 1 }
}

/// The program; it ends with its handle.
#[derive(Debug)]
pub(crate) struct Prometheus {
    process: Process,
    namespace: String,
    file: PathBuf,
}

impl Prometheus {
    pub(crate) fn start(monitor: &Namespace, folder: &Path, haste: Haste) -> Self {
        fs::write(folder.join("impatient.rules.yaml"), impatient_rules(haste)).expect("the rules");
        let file = folder.join("prometheus.yaml");
        fs::write(&file, configuration(&JOBS)).expect("the configuration");
        let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
        let config = format!("--config.file={}", path("prometheus.yaml"));
        let data = format!("--storage.tsdb.path={}", path("data"));
        let listen = format!("--web.listen-address={ADDRESS}");
        // What is no longer scraped is forgotten so soon; by default after five minutes.
        let lookback = format!("--query.lookback-delta={}s", FORGETS * pace());
        let arguments = [config.as_str(), &data, &listen, &lookback, "--log.level=warn"];
        let process = Process::start(monitor, "prometheus", &arguments, &folder.join("prometheus.log"));
        Self { process, namespace: monitor.name().to_owned(), file }
    }

    /// Scrapes for these jobs from now on.
    pub(crate) fn reload(&self, jobs: &[(&str, &str)]) {
        fs::write(&self.file, configuration(jobs)).expect("the configuration");
        self.process.signal(Signal::SIGHUP);
    }

    /// What the API answers, once it answers; an error in the question is one in the answer.
    #[track_caller]
    fn ask(&self, monitor: &Namespace, path: &str) -> Result<Value, String> {
        assert_eq!(monitor.name(), self.namespace, "it is asked where it runs");
        let response = until("answer of Prometheus", START_LIMIT * pace(), || {
            let response = monitor.inside(|| http::get(ADDRESS, path, LIMIT));
            match response {
                Ok(response) if response.status != 503 => Ok(response),
                other => Err(format!("{other:?}\n{}", self.process.log())),
            }
        });
        let answer: Value = serde_json::from_str(&response.body)
            .map_err(|error| format!("{error}: {} {}", response.status, response.body))?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(answer.to_string()) }
    }

    /// The samples of an instant query.
    #[track_caller]
    pub(crate) fn query(&self, monitor: &Namespace, query: &str) -> Result<Vec<Value>, String> {
        let data = self.ask(monitor, &format!("/api/v1/query?query={}", encoded(query)))?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// The values of a label of the series that a selector finds.
    #[track_caller]
    pub(crate) fn label_values(
        &self,
        monitor: &Namespace,
        selector: &str,
        label: &str,
    ) -> Result<Vec<String>, String> {
        let found = self.ask(monitor, &format!("/api/v1/series?match[]={}", encoded(selector)))?;
        let series = found.as_array().cloned().unwrap_or_default();
        Ok(series.iter().filter_map(|series| series[label].as_str().map(str::to_owned)).collect())
    }

    /// The targets that are scraped: job, health, last error.
    #[track_caller]
    pub(crate) fn targets(&self, monitor: &Namespace) -> Vec<(String, String, String)> {
        let data = self.ask(monitor, "/api/v1/targets?state=active").expect("the targets");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let target = |target: &Value| {
            (text(&target["labels"]["job"]), text(&target["health"]), text(&target["lastError"]))
        };
        data["activeTargets"].as_array().expect("targets").iter().map(target).collect()
    }

    /// Names of the alerts that fire.
    #[track_caller]
    pub(crate) fn firing(&self, monitor: &Namespace) -> Vec<String> {
        let samples =
            self.query(monitor, "count by (alertname) (ALERTS{alertstate=\"firing\"})").expect("a query");
        let name = |sample: &Value| sample["metric"]["alertname"].as_str().expect("a name").to_owned();
        samples.iter().map(name).collect()
    }
}

/// The windows of the rules in minutes, each of which becomes two seconds (a rate wants two scrapes), and a day's age.
const WINDOWS: [u32; 3] = [5, 15, 30];
const MINUTE: u32 = 2;
const DAY_OLD: [&str; 2] = ["> 86400", "> 10"];

fn shorter(line: &str) -> String {
    let cut = |line: String, minutes: u32| {
        line.replace(&format!("[{minutes}m]"), &format!("[{}s]", minutes * MINUTE * pace()))
    };
    let [day, less] = DAY_OLD;
    let line = WINDOWS.into_iter().fold(line.replace(day, less), cut);
    assert!(!line.contains("m]"), "another window: {line}");
    line
}

fn impatient_rules(haste: Haste) -> String {
    let rules =
        fs::read_to_string(crate::project("packaging/prometheus/tandem.rules.yaml")).expect("the rules");
    let line = |line: &str| match line.trim_start().strip_prefix("for: ") {
        Some(patience) => line.replace(patience, "2s"),
        None => line.to_owned(),
    };
    let whole = |text: &str| match haste {
        Haste::Waits => line(text),
        Haste::Everything => shorter(&line(text)),
    };
    rules.lines().map(|text| whole(text) + "\n").collect()
}

fn configuration(jobs: &[(&str, &str)]) -> String {
    let every = pace();
    let mut text = format!(
        "global: {{scrape_interval: {every}s, scrape_timeout: {every}s, evaluation_interval: {every}s}}\n\
                    rule_files: [impatient.rules.yaml]\nscrape_configs:\n"
    );
    let targets: Vec<String> =
        (0..DIRECTORS.len()).map(|director| format!("'{}'", metrics_of(director))).collect();
    let targets = targets.join(", ");
    for (job, names) in jobs {
        let parameters =
            if names.is_empty() { String::new() } else { format!("params: {{names: [{names}]}}, ") };
        let _ = writeln!(
            text,
            "  - {{job_name: {job}, {parameters}static_configs: [{{targets: [{targets}], labels: {{pair: site}}}}]}}"
        );
    }
    text
}

/// For a query string: every byte but those that stand for themselves everywhere.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
