//! tandem.yaml(5), made from the JSON Schema of the policy: every key with its type, range and description, in the schema's
//! order. Pure.
//!
//! A part of the schema that several keys share is described once, under the first place where it is met, breadth first;
//! the others refer to it. Defaults stand in the descriptions, which a test of [`crate::policy`] sees to.
//!
//! Source: JSON Schema 2020-12, as far as schemars writes it for this policy; man(7).

use super::manual::heading;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};

/// The page.
pub(super) fn page(schema: &Value) -> String {
    let mut page = Page { schema, placed: BTreeMap::new(), waiting: VecDeque::new(), roff: Roff::new() };
    page.begin();
    page.section("", schema);
    page.roff.control("SH", ["PARTS OF THE POLICY"]);
    while let Some((path, part)) = page.waiting.pop_front() {
        page.roff.control("SS", [path.as_str()]);
        page.section(&path, part);
    }
    page.end();
    heading("tandem.yaml", "5") + &page.roff.to_roff()
}

struct Page<'schema> {
    schema: &'schema Value,
    /// Where each definition is described.
    placed: BTreeMap<&'schema str, String>,
    /// Parts that are still to be described.
    waiting: VecDeque<(String, &'schema Value)>,
    roff: Roff,
}

/// A key of a mapping.
struct Key<'schema> {
    name: &'schema str,
    value: &'schema Value,
    required: bool,
}

const FORMAT: [&str; 5] = [
    "The policy of tandem(8) is a file of YAML. One file serves both directors of a pair.",
    "Durations are whole numbers with a unit each: 500ms, 2s, 1m30s, 5m, 1h, 21d. Only true and false are booleans. \
     A key that is given twice, or that is not known, is an error; anchors and << work.",
    "In the names of the parts below, NAME stands for a name that you choose, and [] for each entry of a list.",
    "IPv6 addresses with brackets must be quoted in YAML.",
    "A secret is never written here: it is {file: PATH} or {credential: NAME}, which systemd provides.",
];

impl<'schema> Page<'schema> {
    fn begin(&mut self) {
        self.roff.control("SH", ["NAME"]).text([roman("tandem.yaml - the policy of the director tandem")]);
        self.roff.control("SH", ["DESCRIPTION"]);
        for (number, paragraph) in FORMAT.into_iter().enumerate() {
            if number > 0 {
                self.roff.control("PP", None);
            }
            self.roff.text([roman(paragraph)]);
        }
        self.roff.control("SH", ["KEYS"]);
    }

    fn end(&mut self) {
        self.roff.control("SH", ["FILES"]).control("TP", None);
        self.roff.text([bold("/etc/tandem/tandem.yaml")]).text([roman("The policy.")]);
        self.roff.control("SH", ["SEE ALSO"]).text([roman("tandem(8), tandem-check(8), tandem-schema(8)")]);
    }

    /// Describes one part: what it is, how it can be written, its keys.
    fn section(&mut self, path: &str, part: &'schema Value) {
        let mut keys = Vec::new();
        self.collect(path, part, &mut keys);
        let about = description(part);
        if let Some(text) = about {
            self.roff.text([roman(text)]);
        }
        if let Some(Value::Array(_)) = part.get("anyOf") {
            if about.is_some() {
                self.roff.control("PP", None);
            }
            let words = self.words(part);
            self.roff.text([roman(format!("Written as: {words}."))]);
        }
        for key in keys {
            self.key(path, &key);
        }
    }

    fn key(&mut self, path: &str, key: &Key<'schema>) {
        self.enqueue(&below(path, key.name), key.value);
        let words = self.words(key.value);
        let required = if key.required { "; required" } else { "" };
        let head: Vec<Inline> =
            vec![bold(key.name), roman(" ("), italic(words), roman(format!("{required})"))];
        self.roff.control("TP", None).text(head);
        let text = description(key.value).or_else(|| description(self.target(key.value)));
        self.roff.text([roman(text.unwrap_or("It has no options of its own."))]);
    }

    /// The keys that a part itself has, whichever way it is written; what stands behind a reference waits.
    fn collect(&mut self, path: &str, part: &'schema Value, keys: &mut Vec<Key<'schema>>) {
        if let Some(properties) = part.get("properties").and_then(Value::as_object) {
            keys.extend(keys_of(part, properties));
        }
        match part.get("anyOf").and_then(Value::as_array) {
            Some(ways) => ways.iter().for_each(|way| self.collect(path, way, keys)),
            None if part.get("properties").is_none() => self.enqueue(path, part),
            None => {}
        }
    }

    /// Lets the parts of a value wait for their description.
    fn enqueue(&mut self, path: &str, value: &'schema Value) {
        if let Some(name) = reference(value) {
            if !self.placed.contains_key(name) {
                self.placed.insert(name, path.to_owned());
                self.waiting.push_back((path.to_owned(), self.target(value)));
            }
        } else if value.get("properties").is_some() {
            self.waiting.push_back((path.to_owned(), value));
        }
        for way in value.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            self.enqueue(path, way);
        }
        if let Some(items) = value.get("items") {
            self.enqueue(&format!("{path}[]"), items);
        }
        if let Some(named @ Value::Object(_)) = value.get("additionalProperties") {
            self.enqueue(&below(path, "NAME"), named);
        }
    }

    /// What a reference refers to; other values are themselves.
    fn target(&self, value: &'schema Value) -> &'schema Value {
        let definition = reference(value).and_then(|name| self.schema.get("$defs")?.get(name));
        definition.unwrap_or(value)
    }

    /// The type of a value, in words.
    fn words(&self, value: &Value) -> String {
        if let Some(name) = reference(value) {
            let place = self.placed.get(name).map_or(name, String::as_str);
            return format!("see {place}");
        }
        if let Some(ways) = value.get("anyOf").and_then(Value::as_array) {
            let ways: Vec<String> = ways.iter().map(|way| self.words(way)).collect();
            return ways.join(", or ");
        }
        if let Some(words) = value.get("enum").and_then(Value::as_array) {
            return words.iter().map(plain).collect::<Vec<_>>().join(" | ");
        }
        match types(value).as_slice() {
            ["array"] => format!(
                "list of: {}",
                value.get("items").map_or_else(|| "anything".into(), |items| self.words(items))
            ),
            ["object"] => self.words_of_mapping(value),
            [other] => words_of_scalar(other, value),
            _ => text_words(value),
        }
    }

    fn words_of_mapping(&self, value: &Value) -> String {
        match value.get("additionalProperties") {
            Some(named @ Value::Object(_)) => format!("mapping of names to: {}", self.words(named)),
            _ => "mapping".to_owned(),
        }
    }
}

fn keys_of<'schema>(
    part: &'schema Value,
    properties: &'schema Map<String, Value>,
) -> impl Iterator<Item = Key<'schema>> {
    let required = part.get("required").and_then(Value::as_array);
    properties.iter().map(move |(name, value)| {
        let required = required.is_some_and(|required| required.iter().any(|key| key == name));
        Key { name, value, required }
    })
}

fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

fn description(value: &Value) -> Option<&str> {
    value.get("description")?.as_str()
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn types(value: &Value) -> Vec<&str> {
    match value.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect(),
        None => Vec::new(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn words_of_scalar(kind: &str, value: &Value) -> String {
    let bound = |name| value.get(name).map(plain);
    match kind {
        "boolean" => "true | false".to_owned(),
        "integer" => match (bound("minimum"), bound("maximum")) {
            (Some(least), Some(most)) => format!("whole number, {least} to {most}"),
            (Some(least), None) => format!("whole number, {least} or more"),
            _ => "whole number".to_owned(),
        },
        _ => text_words(value),
    }
}

/// The patterns that have words of their own; a new one is shown as it is.
const KNOWN_PATTERNS: [(&str, &str); 7] = [
    ("^([0-9]+(ms|s|m|h|d))+$", "duration"),
    ("^[0-9]+%$", "percentage, such as 30%"),
    ("^[0-9]+(B|KiB|MiB)$", "size, such as 64KiB"),
    ("^[^ /:]{1,15}$", "name of an interface"),
    ("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", "name"),
    ("^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$", "statuses, such as 200-299"),
    ("^((tcp|udp|sctp)://.+:[0-9]+|fwmark6?://[0-9a-fA-Fx]+)$", "text, such as tcp://192.168.101.100:80"),
];

/// Of texts, and of what YAML may take for a number too.
fn text_words(value: &Value) -> String {
    let pattern = value.get("pattern").and_then(Value::as_str);
    if let Some((_, word)) = KNOWN_PATTERNS.iter().find(|(known, _)| pattern == Some(known)) {
        return (*word).to_owned();
    }
    let example = value.get("examples").and_then(Value::as_array).and_then(|examples| examples.first());
    match (example, pattern) {
        (Some(example), _) => format!("text, such as {}", plain(example)),
        (None, Some(pattern)) => format!("text that matches {pattern}"),
        (None, None) => "text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Calls `see` with each mapping of keys in a schema.
    fn each_mapping(value: &Value, see: &mut impl FnMut(&Map<String, Value>)) {
        match value {
            Value::Object(object) => {
                if let Some(properties) = object.get("properties").and_then(Value::as_object) {
                    see(properties);
                    properties.values().for_each(|value| each_mapping(value, see));
                }
                object
                    .iter()
                    .filter(|(key, _)| *key != "properties")
                    .for_each(|(_, value)| each_mapping(value, see));
            }
            Value::Array(values) => values.iter().for_each(|value| each_mapping(value, see)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_key_of_the_schema_is_on_the_page() {
        let schema = crate::policy::json_schema();
        let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
        each_mapping(&schema, &mut |keys| {
            keys.keys().for_each(|key| *wanted.entry(key.clone()).or_default() += 1)
        });
        let page = page(&schema);
        let mut described: BTreeMap<String, usize> = BTreeMap::new();
        for line in page.lines().filter(|line| line.starts_with("\\fB") && line.contains("\\fR (\\fI")) {
            let key = line.trim_start_matches("\\fB").split("\\fR").next().expect("a key").replace('\\', "");
            *described.entry(key).or_default() += 1;
        }
        assert!(wanted.len() > 150, "the schema has keys: {}", wanted.len());
        assert_eq!(described, wanted, "each key as often as it is declared");
    }

    #[test]
    fn a_key_says_its_type_its_range_and_where_it_goes_on() {
        let schema = json!({
            "type": "object", "required": ["weight"],
            "properties": {
                "weight": {"type": "integer", "minimum": 0, "maximum": 65535, "description": "Its share."},
                "pace": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$", "description": "How often."},
                "one": {"$ref": "#/$defs/Part", "description": "The first."},
                "more": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Part"}, "description": "More."},
            },
            "$defs": {"Part": {"anyOf": [{"enum": ["a", "b"]}, {"type": "object", "properties": {"key": {"type": "boolean", "description": "A key."}}}], "description": "A part."}},
        });
        let page = page(&schema);
        for line in [
            "\\fBweight\\fR (\\fIwhole number, 0 to 65535\\fR; required)\nIts share.",
            "\\fBpace\\fR (\\fIduration\\fR)\nHow often.",
            "\\fBmore\\fR (\\fImapping of names to: see more.NAME\\fR)",
            "\\fBone\\fR (\\fIsee more.NAME\\fR)",
            ".SS more.NAME\nA part.\n.PP\nWritten as: a | b, or mapping.",
            "\\fBkey\\fR (\\fItrue | false\\fR)\nA key.",
        ] {
            assert!(page.contains(line), "{line}\nin\n{page}");
        }
        assert_eq!(page.matches(".SS").count(), 1, "a shared part is described once");
    }
}
