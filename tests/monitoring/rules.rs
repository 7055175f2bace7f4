//! The alert rules, by the real promtool: that they are well formed, and that each is silent before its fault, speaks its words while
//! it is there, and is silent after it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const RULES: &str = "packaging/prometheus/tandem.rules.yaml";
const EXAMPLE: &str = "packaging/prometheus/prometheus.example.yaml";
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

/// Runs promtool, which must succeed.
#[track_caller]
pub(crate) fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).output().expect("promtool");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
    said.into_owned()
}

fn path(file: &str) -> String {
    crate::project(file).to_str().expect("a plain path").to_owned()
}

fn tests() -> Vec<PathBuf> {
    let folder = fs::read_dir(crate::project("tests/monitoring/rules")).expect("the rules' tests");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

fn yaml(path: PathBuf) -> Value {
    let text = fs::read_to_string(&path).expect("a file");
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The names of all alerts.
pub(crate) fn alerts() -> BTreeSet<String> {
    let rules = yaml(crate::project(RULES));
    let rules = list(&rules["groups"]).flat_map(|group| list(&group["rules"]));
    rules.map(|rule| rule["alert"].as_str().expect("an alert").to_owned()).collect()
}

#[test]
fn rules_and_the_example_are_well_formed() {
    promtool(&["check", "rules", &path(RULES)]);
    promtool(&["check", "config", &path(EXAMPLE)]);
}

#[test]
fn each_alert_fires_on_its_fault_and_clears() {
    let tests = tests();
    let tests: Vec<&str> = tests.iter().map(|path| path.to_str().expect("a plain path")).collect();
    promtool(&[&["test", "rules"][..], &tests].concat());
}

/// The test files are complete: no alert comes without its fault, and none without a silence before and after.
#[test]
fn each_alert_has_its_test_and_says_what_to_do() {
    let mut fires = BTreeMap::<String, Vec<bool>>::new();
    for test in
        tests().into_iter().map(yaml).flat_map(|file| list(&file["tests"]).cloned().collect::<Vec<_>>())
    {
        for look in list(&test["alert_rule_test"]) {
            let name = look["alertname"].as_str().expect("a name").to_owned();
            fires.entry(name).or_default().push(list(&look["exp_alerts"]).next().is_some());
        }
    }
    let rules = yaml(crate::project(RULES));
    let mut names = BTreeSet::new();
    for rule in list(&rules["groups"]).flat_map(|group| list(&group["rules"])) {
        let name = rule["alert"].as_str().expect("an alert");
        assert!(names.insert(name), "{name} is there twice");
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(SEVERITIES.contains(&severity), "{name}: {severity}");
        for part in ["summary", "description", "action"] {
            let words = rule["annotations"][part].as_str().unwrap_or_default();
            assert!(words.len() > 20, "{name} has a {part}");
        }
        assert_eq!(fires.remove(name), Some(vec![false, true, false]), "{name}: silent, firing, silent");
    }
    assert!(fires.is_empty(), "tests of alerts that are not there: {fires:?}");
}
