//! The dashboards of `packaging/grafana`, read as Grafana reads them: every query that they would ask.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// What a variable of a dashboard stands for in the cases.
const VARIABLES: [(&str, &str); 5] =
    [("$pair", ".*"), ("$instance", ".*"), ("$pool", "web"), ("$__rate_interval", "1m"), ("$__range", "1m")];

/// One question of a dashboard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    /// Dashboard and panel, for people.
    pub(crate) whose: String,
    pub(crate) asks: Asks,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asks {
    Query(String),
    /// The values of a label: what a template variable offers.
    Label {
        selector: String,
        label: String,
    },
}

/// All dashboards: file name and content.
pub(crate) fn all() -> Vec<(String, Value)> {
    let folder = crate::project("packaging/grafana/dashboards");
    let mut found: Vec<_> = fs::read_dir(&folder)
        .expect("the dashboards")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a dashboard");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, value)
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

/// Every question of every panel, annotation and variable.
pub(crate) fn questions() -> BTreeSet<Question> {
    let mut questions = BTreeSet::new();
    for (name, dashboard) in all() {
        for panel in dashboard["panels"].as_array().expect("panels") {
            let targets = panel["targets"].as_array().into_iter().flatten();
            for target in targets {
                let whose = format!("{name}: {}", panel["title"]);
                questions.insert(Question { whose, asks: query(&target["expr"]) });
            }
        }
        for annotation in dashboard["annotations"]["list"].as_array().into_iter().flatten() {
            let whose = format!("{name}: annotation {}", annotation["name"]);
            questions.insert(Question { whose, asks: query(&annotation["expr"]) });
        }
        for variable in dashboard["templating"]["list"].as_array().expect("variables") {
            if variable["type"] == "query" {
                let whose = format!("{name}: variable {}", variable["name"]);
                questions.insert(Question { whose, asks: label_values(&variable["query"]["query"]) });
            }
        }
    }
    questions
}

fn query(expression: &Value) -> Asks {
    Asks::Query(filled_in(expression.as_str().expect("an expression")))
}

fn label_values(question: &Value) -> Asks {
    let question = filled_in(question.as_str().expect("a question"));
    let inside = question.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
    let (selector, label) = inside.and_then(|inside| inside.rsplit_once(", ")).expect("label_values(…, …)");
    Asks::Label { selector: selector.to_owned(), label: label.to_owned() }
}

#[track_caller]
fn filled_in(text: &str) -> String {
    let text = VARIABLES.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!text.contains('$'), "a variable that is not known: {text}");
    text
}

/// Grafana puts an identity once into a panel, and knows a dashboard by its own.
#[test]
fn dashboards_can_be_provisioned() {
    let mut identities = BTreeSet::new();
    for (name, dashboard) in all() {
        assert!(identities.insert(dashboard["uid"].as_str().expect("a uid").to_owned()), "{name}");
        assert!(dashboard["title"].is_string() && dashboard["schemaVersion"].is_u64(), "{name}");
        let panels = dashboard["panels"].as_array().expect("panels");
        let numbers: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
        assert_eq!(numbers.len(), panels.len(), "{name}: each panel has a number of its own");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let words = panel["description"].as_str().unwrap_or_default();
            assert!(words.len() > 10, "{name}: {} says what it shows", panel["title"]);
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{name}: {}", panel["title"]);
        }
    }
    assert!(identities.len() >= 3);
    // Links lead to dashboards that are there.
    for (name, dashboard) in all() {
        for link in dashboard["links"].as_array().into_iter().flatten() {
            let uid = link["url"].as_str().and_then(|url| url.strip_prefix("/d/")).expect("a link");
            assert!(identities.contains(uid), "{name}: {uid}");
        }
    }
}

/// On a small screen nothing of the pair's dashboard is left out of its grid, and no two panels lie on each other.
#[test]
fn panels_do_not_lie_on_each_other() {
    for (name, dashboard) in all() {
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().expect("panels") {
            let place = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
            assert!(place("x") + place("w") <= 24, "{name}: {}", panel["title"]);
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(taken.insert((x, y)), "{name}: {} lies on another", panel["title"]);
                }
            }
        }
    }
}
