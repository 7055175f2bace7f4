//! Joining: the trees of a policy's files to one, and the defaults into every pool.
//!
//! Named things stand side by side, lists one after the other; a name or a single section that two files say is an error
//! that shows both places. Deliberately no overriding between files: which one wins would depend on the order of names in
//! a folder.

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, quoted};
use super::node::{Key, Node, Value};
use super::read::{List, Read, entries_of};
use super::scalar::Text;
use super::schema::DefaultPoolText;
use super::source::Span;
use super::validate;
use std::collections::BTreeMap;

/// Sections whose names are joined over files.
const NAMED_SECTIONS: [&str; 6] =
    ["directors", "virtual_routers", "sync_groups", "checks", "server_sets", "pools"];
/// Sections that are lists, joined over files.
const LIST_SECTIONS: [&str; 2] = ["virtual_addresses", "include"];

/// One tree of all files. The first file alone must say `policy_version`; another may repeat it.
pub(super) fn join(documents: Vec<Node>, problems: &mut Problems) -> Node {
    let span = documents.first().map_or(Span::file_start(0), |document| document.span);
    let mut joined: Vec<(Key, Node)> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    for (number, document) in documents.iter().enumerate() {
        for (key, node) in entries_of(document, "the sections of a policy", problems).unwrap_or_default() {
            match at.get(&key.name).and_then(|index| joined.get_mut(*index)) {
                Some((first, section)) => join_section(first, section, (key, node), problems),
                None if number > 0 && key.name == "policy_version" => {
                    // Without one in the first file, that file is told to say it; this one is checked all the same.
                    validate::version_of(node, problems);
                }
                None => {
                    at.insert(key.name.clone(), joined.len());
                    joined.push((key.clone(), node.clone()));
                }
            }
        }
    }
    Node::new(span, Value::Mapping(joined.into()))
}

fn join_section(first: &Key, section: &mut Node, (key, node): (&Key, &Node), problems: &mut Problems) {
    let name = key.name.as_str();
    if name == "policy_version" {
        validate::version_of(node, problems);
    } else if NAMED_SECTIONS.contains(&name) {
        join_names(section, node, problems);
    } else if LIST_SECTIONS.contains(&name) {
        let items = section
            .items()
            .unwrap_or_default()
            .iter()
            .chain(node.items().unwrap_or_default())
            .cloned()
            .collect();
        if node.items().is_some() {
            *section = Node::new(section.span, Value::List(items));
        } else {
            List::<Text>::read(node, problems);
        }
    } else {
        problems.push(said_twice(&format!("the section {}", quoted(name)), key.span, first.span));
    }
}

fn join_names(section: &mut Node, node: &Node, problems: &mut Problems) {
    let Some(entries) = entries_of(node, "a mapping of names", problems) else { return };
    let mut all = section.entries().unwrap_or_default().to_vec();
    let known: BTreeMap<String, Span> = all.iter().map(|(key, _)| (key.name.clone(), key.span)).collect();
    for (key, value) in entries {
        match known.get(&key.name) {
            Some(first) => problems.push(said_twice(&quoted(&key.name), key.span, *first)),
            None => all.push((key.clone(), value.clone())),
        }
    }
    *section = Node::new(section.span, Value::Mapping(all.into()));
}

fn said_twice(what: &str, again: Span, first: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::new(Code::DuplicateDefinition, again, format!("{what} is said in two files"));
    diagnostic.related(first, "first said here").help("keep one of the two, or give one another name")
}

/// Every pool with the keys of `defaults.pool` that it does not say itself.
pub(super) fn with_defaults(root: &Node) -> Node {
    let Some(defaults) =
        root.get("defaults").and_then(|defaults| defaults.get("pool")).and_then(Node::entries)
    else {
        return root.clone();
    };
    let is_known = |(key, _): &&(Key, Node)| DefaultPoolText::KEYS.iter().any(|(name, _)| *name == key.name);
    let known = defaults.iter().filter(is_known).cloned().collect();
    let defaults = Node::new(root.span, Value::Mapping(known));
    let pools = |pools: &Node| match pools.entries() {
        Some(entries) => {
            let entries = entries.iter().map(|(key, pool)| (key.clone(), pool.or(&defaults))).collect();
            Node::new(pools.span, Value::Mapping(entries))
        }
        None => pools.clone(),
    };
    let section = |(key, node): &(Key, Node)| {
        (key.clone(), if key.name == "pools" { pools(node) } else { node.clone() })
    };
    Node::new(root.span, Value::Mapping(root.entries().unwrap_or_default().iter().map(section).collect()))
}
