//! YAML text to a [`Node`] tree, by the events of serde_yaml's own parser.
//!
//! The events rather than serde's data model, because a diagnostic needs what that model drops: the place of every key and
//! value, whether quotes were there, and every duplicate key instead of the first. Anchors, aliases and `<<` work.
//! Bounded: text, nodes (aliases counted as what they stand for) and depth.

use super::codes::Code;
use super::diagnostic::{Diagnostic, Problems, quoted};
use super::node::{Key, Node, Value};
use super::source::{Sources, Span};
use super::yaml_error;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, Tag};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Nodes of one file at most, those that aliases repeat included.
pub const MAX_NODES: usize = 1_000_000;
/// Levels of lists and mappings at most.
pub const MAX_DEPTH: usize = 32;

/// What a file says.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Node,
    /// Values that were counted against [`MAX_NODES`].
    pub(super) values: usize,
    /// Whether a part of it depends on another one by more than where it stands: by an anchor, an alias, a merged mapping.
    pub(super) linked: bool,
}

/// The tree of a file; `None` after a problem that leaves no tree. An empty file is an empty mapping.
pub(super) fn parse(file: usize, sources: &Sources, problems: &mut Problems) -> Option<Document> {
    let text = sources.files().get(file).map_or("", |source| &*source.text);
    let mut builder = Builder {
        file,
        text,
        problems,
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        linked: false,
        root: None,
    };
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => Err(Box::new(yaml_error::diagnostic(file, text, &error))),
        };
        if let Err(diagnostic) = step {
            problems.push(*diagnostic);
            return None;
        }
    }
    let root = builder.root.take().filter(|root| !root.is_null());
    let root = root.unwrap_or_else(|| Node::empty_mapping(Span::file_start(file)));
    Some(Document { root, values: builder.nodes, linked: builder.linked })
}

/// A list or mapping whose end was not yet seen.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    /// `names`: where each key was first said.
    Mapping {
        entries: Vec<(Key, Node)>,
        names: BTreeMap<Rc<str>, Span>,
        merged: Vec<Node>,
        key: Option<PendingKey>,
    },
}

impl Content {
    const fn mapping() -> Self {
        Self::Mapping { entries: Vec::new(), names: BTreeMap::new(), merged: Vec::new(), key: None }
    }
}

/// A key that waits for its value.
enum PendingKey {
    Entry(Key),
    Merge,
    /// Already reported; the value is dropped.
    Refused,
}

struct Builder<'a> {
    file: usize,
    text: &'a str,
    problems: &'a mut Problems,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    linked: bool,
    root: Option<Node>,
}

type Step = Result<(), Box<Diagnostic>>;

impl Builder<'_> {
    fn span(&self, span: &ParserSpan) -> Span {
        let start = span.start.byte_offset().unwrap_or(0);
        Span { file: self.file, start, end: span.end.byte_offset().unwrap_or(start).max(start) }
    }

    fn event(&mut self, event: Event<'_>, at: &ParserSpan) -> Step {
        let span = self.span(at);
        self.linked |= matches!(event, Event::Alias(_));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_ref(), span)?;
                let value = Value::Scalar { text: text.into(), plain: style == ScalarStyle::Plain };
                self.complete(Node::new(span, value), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_ref(), span)?;
                self.open(span, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_ref(), span)?;
                self.open(span, anchor, Content::mapping())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(..) if self.root.is_some() => Err(Box::new(
                Diagnostic::new(
                    Code::YamlSyntax,
                    span,
                    "a second YAML document begins here, and a policy file is one document",
                )
                .help("put it into a file of its own, and name that under `include`"),
            )),
            _ => Ok(()),
        }
    }

    fn refuse_tag(&self, tag: Option<&Cow<'_, Tag>>, span: Span) -> Step {
        let Some(tag) = tag else { return Ok(()) };
        let message = format!("the YAML tag {} has no meaning in a policy", quoted(&tag.original()));
        Err(Box::new(
            Diagnostic::new(Code::YamlSyntax, span, message).help("leave it out, or put the text in quotes"),
        ))
    }

    fn open(&mut self, span: Span, anchor: usize, content: Content) -> Step {
        self.stack.push(Open { start: span.start, anchor, content });
        if self.stack.len() > MAX_DEPTH { Err(Box::new(yaml_error::too_deep(span))) } else { Ok(()) }
    }

    fn close(&mut self, span: Span) -> Step {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::List(items.into()),
            Content::Mapping { entries, names, merged, .. } => {
                Value::Mapping(with_merged(entries, &names, &merged).into())
            }
        };
        let span = Span { start: open.start, end: span.end.max(open.start), ..span };
        self.complete(Node::new(span, value), open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Step {
        let Some(node) = self.anchors.get(&anchor).filter(|node| self.nodes + node.nodes <= MAX_NODES) else {
            let known = self.anchors.contains_key(&anchor);
            let message = if known {
                "the aliases of this file repeat too much"
            } else {
                "this alias stands for a value that it is itself a part of"
            };
            return Err(Box::new(
                Diagnostic::new(Code::YamlTooLarge, span, message).help("write the value out here"),
            ));
        };
        self.nodes += node.nodes;
        let repeated = Node { span, ..node.clone() };
        self.complete(repeated, 0)
    }

    /// A node is whole: it is remembered under its anchor, and goes to where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Step {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("this file holds more than {MAX_NODES} values");
            return Err(Box::new(
                Diagnostic::new(Code::YamlTooLarge, node.span, message)
                    .help("split the site into several policies"),
            ));
        }
        if node.height + self.stack.len() > MAX_DEPTH {
            return Err(Box::new(yaml_error::too_deep(node.span)));
        }
        if anchor != 0 {
            self.linked = true;
            self.nodes += node.nodes;
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node);
        Ok(())
    }

    fn place(&mut self, node: Node) {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Mapping { entries, names, merged, key } => match key.take() {
                None => {
                    let pending = pending_key(node, names, self.text, self.problems);
                    self.linked |= matches!(pending, PendingKey::Merge);
                    *key = Some(pending);
                }
                Some(PendingKey::Entry(name)) => entries.push((name, node)),
                Some(PendingKey::Merge) => collect_merge(node, merged, self.problems),
                Some(PendingKey::Refused) => {}
            },
        }
    }
}

fn pending_key(
    node: Node,
    names: &mut BTreeMap<Rc<str>, Span>,
    text: &str,
    problems: &mut Problems,
) -> PendingKey {
    let span = node.span;
    match node.value {
        Value::Scalar { text, plain: true } if &*text == "<<" => PendingKey::Merge,
        Value::Scalar { text, .. } => {
            let Some(first) = names.get(&text) else {
                names.insert(Rc::clone(&text), span);
                return PendingKey::Entry(Key { name: text.to_string(), span });
            };
            let message = format!("the key {} is there twice", quoted(&text));
            let diagnostic =
                Diagnostic::new(Code::DuplicateKey, span, message).related(*first, "first said here");
            problems.push(diagnostic.help("keep one of the two"));
            PendingKey::Refused
        }
        Value::List(_) | Value::Mapping(_) => {
            problems.push(yaml_error::structure_as_key(text, span));
            PendingKey::Refused
        }
    }
}

fn collect_merge(node: Node, merged: &mut Vec<Node>, problems: &mut Problems) {
    let sources = match node.value {
        Value::List(items) => items,
        _ => Rc::new([node]),
    };
    for source in sources.iter().cloned() {
        if source.entries().is_some() {
            merged.push(source);
        } else {
            let message = format!("`<<` merges a mapping, not {}", source.found());
            problems.push(
                Diagnostic::new(Code::WrongType, source.span, message)
                    .help("name an anchor of a mapping: `<<: *name`"),
            );
        }
    }
}

/// The entries, and those of the merged mappings that they do not say themselves; of these the first wins.
fn with_merged(
    entries: Vec<(Key, Node)>,
    names: &BTreeMap<Rc<str>, Span>,
    merged: &[Node],
) -> Vec<(Key, Node)> {
    let mut all = entries;
    let mut known: BTreeSet<&str> = names.keys().map(Rc::as_ref).collect();
    for (key, node) in merged.iter().filter_map(Node::entries).flatten() {
        if known.insert(&key.name) {
            all.push((key.clone(), node.clone()));
        }
    }
    all
}
