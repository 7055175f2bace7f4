//! Whose policy it is: one file serves every director, and each reads it with what differs on itself merged in.
//!
//! Deliberately no knowledge of this host: its name is handed in.

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, nearest, quoted};
use super::node::{Key, Node, Value};
use super::schema::DIFFERENCES;
use super::source::Span;
use std::collections::BTreeSet;

/// For whom a policy is read. Where it lists no directors, it is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View<'a> {
    /// The director of this name, short or full (`--director NAME`); an error where there is none.
    Director(&'a str),
    /// The director with this host name, short or full; an error where there is none.
    Host(&'a str),
    /// The same, or the first director where it is none of them: for looking at a policy anywhere.
    Anywhere(&'a str),
    /// The first director.
    First,
}

/// The directors of a policy, in the order of the file.
pub(super) fn directors(root: &Node) -> Vec<&Key> {
    let section = root.get("directors").and_then(Node::entries).unwrap_or_default();
    section.iter().map(|(key, _)| key).collect()
}

/// The director that a policy is read for; `None` where it lists none, or after a problem.
pub(super) fn own<'a>(root: &'a Node, view: View<'_>, problems: &mut Problems) -> Option<&'a str> {
    let names: Vec<&str> = directors(root).into_iter().map(|key| key.name.as_str()).collect();
    match view {
        View::First => names.first().copied(),
        View::Anywhere(host) => of_host(&names, host).or(names.first().copied()),
        View::Host(host) => {
            let found = of_host(&names, host);
            if found.is_none() && !names.is_empty() {
                problems.push(no_such_host(host, &names, section_span(root)));
            }
            found
        }
        View::Director(name) => {
            let found = of_host(&names, name);
            if found.is_none() {
                problems.push(no_such_director(name, &names, section_span(root)));
            }
            found
        }
    }
}

/// Whether a director's name is that of a host, short or full.
#[must_use]
pub fn is_host(director: &str, host: &str) -> bool {
    of_host(&[director], host).is_some()
}

/// The director that a host is: by the same name, else by the same short one where only one director has it.
fn of_host<'a>(names: &[&'a str], host: &str) -> Option<&'a str> {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    // Of two full names that differ only behind the first dot, the short one would be the wrong machine's.
    let both_full = |name: &str| name.contains('.') && host.contains('.');
    let same: Vec<&str> = names.iter().copied().filter(|name| name.eq_ignore_ascii_case(host)).collect();
    let alike: Vec<&str> =
        names.iter().copied().filter(|name| !both_full(name) && short(name) == short(host)).collect();
    match (same.as_slice(), alike.as_slice()) {
        ([found, ..], _) | ([], [found]) => Some(found),
        _ => None,
    }
}

fn section_span(root: &Node) -> Span {
    let key = root.entries().unwrap_or_default().iter().find(|(key, _)| key.name == "directors");
    key.map_or(Span::file_start(root.span.file), |(key, _)| key.span)
}

fn no_such_host(host: &str, names: &[&str], span: Span) -> Diagnostic {
    let message = format!("this host, {}, is none of the directors: {}", quoted(host), names.join(", "));
    Diagnostic::new(Code::DirectorNotFound, span, message)
        .help("say which one it is with `--director NAME`, or list it under `directors`")
}

fn no_such_director(name: &str, names: &[&str], span: Span) -> Diagnostic {
    if names.is_empty() {
        let message = format!("this policy has no `directors`, so none is called {}", quoted(name));
        return Diagnostic::new(Code::DirectorNotFound, span, message)
            .help("leave `--director` out, or list the directors under `directors`");
    }
    let message = format!("no director is called {}: there are {}", quoted(name), names.join(", "));
    let diagnostic = Diagnostic::new(Code::DirectorNotFound, span, message);
    match nearest(name, names.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `--director {near}`?")),
        None => diagnostic.help("write `--director NAME` with one of them"),
    }
}

/// The policy as a director has it: the common sections, with what `directors.NAME` says of them merged in.
pub(super) fn merged(root: &Node, own: Option<&str>) -> Node {
    let differences = own.and_then(|own| root.get("directors")?.get(own)?.entries()).unwrap_or_default();
    let known: BTreeSet<&str> = DIFFERENCES.into_iter().collect();
    // A difference of another shape is reported by its reader; merged, it would hide the section.
    let differences: Vec<(Key, Node)> = differences
        .iter()
        .filter(|(key, node)| known.contains(key.name.as_str()) && node.entries().is_some())
        .cloned()
        .collect();
    if differences.is_empty() {
        return root.clone();
    }
    root.under(&Node::new(root.span, Value::Mapping(differences.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_finds_itself_by_its_short_or_full_name() {
        let names = ["lb-a", "lb-b.example.com"];
        assert_eq!(of_host(&names, "lb-a"), Some("lb-a"));
        assert_eq!(of_host(&names, "lb-a.example.com"), Some("lb-a"));
        assert_eq!(of_host(&names, "LB-B"), Some("lb-b.example.com"));
        assert_eq!(of_host(&names, "lb-b.example.com"), Some("lb-b.example.com"));
        assert_eq!(of_host(&names, "lb-b.example.org"), None);
        assert_eq!(of_host(&names, "lb-c"), None);
        assert_eq!(of_host(&["lb.a.net", "lb.b.net"], "lb"), None, "either could be meant");
    }
}
