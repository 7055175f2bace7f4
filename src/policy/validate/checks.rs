//! Checks: which one a pool or server means, with its defaults written out.

use super::{check_target, condition, dns, exchanges, grpc, http, pace, programs, real_path, tls};
use crate::model::{Check, CheckName, PingSpec, ProbeSpec};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, nearest, quoted};
use crate::policy::node::{Key, Node, Value};
use crate::policy::read::{Field, Read};
use crate::policy::schema::{CheckUse, CheckUseText, KINDS, PolicyText};
use crate::policy::source::{Sources, Span};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A check with what it needs of this host.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) check: Check,
    /// Whether port or address could not be read, which was reported.
    pub(super) bad_target: bool,
    /// The files of certificates, and where they were said.
    pub(super) certificates: Files,
    /// The program, and where it was said.
    pub(super) program: Option<(PathBuf, Span)>,
}

/// Files that a check needs, and where they were said.
pub(super) type Files = Vec<(PathBuf, Span)>;

/// What a pool or server says about checking.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    /// `check: none`.
    Unchecked,
    Checked(Box<Built>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Track(condition::Tracked),
    /// Already reported.
    Bad,
}

/// The checks under `checks`. A bad one stays as `None`, so that its users are not reported too.
pub(super) struct Named<'a> {
    nodes: BTreeMap<&'a str, &'a Node>,
    built: BTreeMap<&'a str, Option<Built>>,
    pub(super) sources: &'a Sources,
}

impl<'a> Named<'a> {
    pub(super) fn new(
        text: &'a PolicyText,
        root: &'a Node,
        sources: &'a Sources,
        problems: &mut Problems,
    ) -> Self {
        let entries = root.get("checks").and_then(Node::entries).unwrap_or_default();
        let nodes: BTreeMap<&str, &Node> =
            entries.iter().map(|(key, node)| (key.name.as_str(), node)).collect();
        let mut built = BTreeMap::new();
        for entry in text.checks.value().map(|named| named.0.as_slice()).unwrap_or_default() {
            let name = entry.name.name.as_str();
            let node = nodes.get(name).filter(|_| entry.value.given().is_some());
            let check = node.and_then(|node| {
                let text = CheckUseText::read(node, problems)?;
                build(
                    name.into(),
                    &text,
                    Place { span: entry.name.span, whole: node.span, sources },
                    problems,
                )
            });
            built.insert(name, check);
        }
        Self { nodes, built, sources }
    }

    /// The check that a pool or server means. One in place gets the name `place`, one of several a number behind it.
    pub(super) fn choose(&self, said: &CheckUse, span: Span, place: &str, problems: &mut Problems) -> Choice {
        self.choose_at(said, (span, place), 0, problems)
    }

    /// The same, inside `level` lists of checks.
    pub(super) fn choose_at(
        &self,
        said: &CheckUse,
        at: (Span, &str),
        level: usize,
        problems: &mut Problems,
    ) -> Choice {
        let (span, place) = at;
        let built = match said {
            CheckUse::None => return Choice::Unchecked,
            CheckUse::Condition(text) => return condition::choose(self, text, at, level, problems),
            CheckUse::Name(name) => self.named(name, span, problems),
            CheckUse::InPlace { text, node } => match text.from.given() {
                None if text.from.is_absent() => build(
                    place.into(),
                    text,
                    Place { span: node.span, whole: node.span, sources: self.sources },
                    problems,
                ),
                None => None,
                Some(from) => self.derive(&from.value.0, from.span, node, place, problems),
            },
        };
        built.map_or(Choice::Bad, |built| Choice::Checked(Box::new(built)))
    }

    /// A check under `checks`; `None` after a problem.
    pub(super) fn named(&self, name: &str, span: Span, problems: &mut Problems) -> Option<Built> {
        self.find(name, span, problems).and_then(|found| self.built.get(found)).cloned().flatten()
    }

    /// A named check with what is said in place over it. Another kind replaces the kind.
    fn derive(
        &self,
        from: &str,
        span: Span,
        node: &Node,
        place: &str,
        problems: &mut Problems,
    ) -> Option<Built> {
        let base = *self.nodes.get(self.find(from, span, problems)?)?;
        let own_kind = KINDS.iter().any(|kind| node.get(kind).is_some());
        let kept = |(key, _): &&(Key, Node)| {
            !(own_kind && KINDS.contains(&key.name.as_str()) && node.get(&key.name).is_none())
        };
        let base =
            Node::new(base.span, Value::Mapping(base.entries()?.iter().filter(kept).cloned().collect()));
        let text = CheckUseText::read(&node.over(&base), problems)?;
        build(
            place.into(),
            &text,
            Place { span: node.span, whole: node.span, sources: self.sources },
            problems,
        )
    }

    fn find(&self, name: &str, span: Span, problems: &mut Problems) -> Option<&'a str> {
        let found = self.nodes.get_key_value(name).map(|(known, _)| *known);
        if found.is_none() {
            problems.push(self.unknown(name, span));
        }
        found
    }

    fn unknown(&self, name: &str, span: Span) -> Diagnostic {
        let diagnostic =
            Diagnostic::new(Code::UnknownCheck, span, format!("no check is called {}", quoted(name)));
        let known: Vec<&str> = self.nodes.keys().copied().collect();
        match nearest(name, known.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if matches!(name, "all" | "any" | "track") => diagnostic.help(
                "several checks are a mapping: `check: {all: [alive, {tcp: {}}]}`, `{track: {pool: web}}`",
            ),
            None if name == "exec" => diagnostic.help(
                "a check in place is a mapping: `check: {exec: {command: [/usr/local/bin/check-shop]}}`",
            ),
            None if KINDS.contains(&name) => {
                diagnostic.help(format!("a check in place is a mapping: `check: {{{name}: {{}}}}`"))
            }
            None if known.is_empty() => {
                diagnostic.help(format!("say it under `checks: {{{name}: …}}`, or in place"))
            }
            None => diagnostic.help(format!("known checks: {}", known.join(", "))),
        }
    }
}

/// Keeps a check that something uses, and where its certificates and its program are; its name.
pub(super) fn remember(
    built: Built,
    used: &mut BTreeMap<CheckName, Check>,
    places: &mut super::Places,
) -> CheckName {
    let name = built.check.name.clone();
    for (path, span) in built.certificates {
        places.authorities.entry(path).or_insert(span);
    }
    if let Some((path, span)) = built.program {
        places.programs.entry(path).or_insert(span);
    }
    used.insert(name.clone(), built.check);
    name
}

/// Where a check is said.
struct Place<'a> {
    /// Its name, or all of it where it has none.
    span: Span,
    whole: Span,
    sources: &'a Sources,
}

/// A check with its defaults written out; `None` after a problem.
fn build(name: CheckName, text: &CheckUseText, place: Place<'_>, problems: &mut Problems) -> Option<Built> {
    let (probe, certificates) = probe(text, &place, problems)?;
    let pace = pace::pace(text, problems);
    let (rise, fall) = match probe {
        ProbeSpec::File(_) => (defaults::FILE_IN_A_ROW, defaults::FILE_IN_A_ROW),
        _ => (defaults::RISE, defaults::FALL),
    };
    let mut check = Check {
        name,
        probe,
        interval: pace.interval,
        interval_down: pace.down,
        interval_changing: pace.changing,
        jitter_percent: pace.jitter_percent,
        timeout: pace.timeout,
        rise: text.rise.value().map_or(rise, |rise| rise.0),
        fall: text.fall.value().map_or(fall, |fall| fall.0),
        fail_at_once: pace::at_once(&text.fail_at_once),
        port: text.port.value().map(|port| port.port()),
        address: check_target::address(text, problems),
        source: text.source.value().map(|source| source.0),
        interface: text.interface.value().map(|interface| interface.0.clone()),
        mark: text.mark.value().map(|mark| mark.0),
        through: real_path::through(text),
    };
    real_path::leave_out_unused(&mut check, text, place.whole, problems);
    check_target::leave_out_unused(&mut check, text, place.whole, problems);
    pace::at_once_can_happen(&check, text, place.whole, problems);
    if let Some(address) = check.address {
        check_target::source_fits(&check, address, place.span, problems);
    }
    let bad_target = matches!(text.port, Field::Bad) || matches!(text.address, Field::Bad);
    let program = text.exec.value().and_then(programs::place);
    Some(Built { check, bad_target, certificates, program })
}

type Probe = (ProbeSpec, Files);

/// Exactly one kind of probe must be said.
fn one_kind(text: &CheckUseText, place: &Place<'_>, problems: &mut Problems) -> Option<()> {
    let said = [
        !text.tcp.is_absent(),
        !text.tls.is_absent(),
        !text.http.is_absent(),
        !text.https.is_absent(),
        !text.grpc.is_absent(),
        !text.smtp.is_absent(),
        !text.udp.is_absent(),
        !text.dns.is_absent(),
        !text.ping.is_absent(),
        !text.exec.is_absent(),
        !text.file.is_absent(),
    ];
    let said: Vec<&str> =
        KINDS.into_iter().zip(said).filter(|(_, said)| *said).map(|(kind, _)| kind).collect();
    match said.as_slice() {
        [] => {
            if !problems.any_within(place.whole) {
                let diagnostic = Diagnostic::new(
                    Code::CheckWithoutKind,
                    place.span,
                    "this check does not say what it probes",
                );
                problems.push(diagnostic.help("add one of `tcp: {}`, `tls: {}`, `http: {path: /}`, `https: {path: /}`, `grpc: {}`, `smtp: {}`, `udp: {}`, `dns: {name: example.com}`, `ping: {}`, `exec: {command: […]}`, `file: {path: …}`"));
            }
            None
        }
        [_] => Some(()),
        several => {
            let message =
                format!("this check says {} kinds of probe: {}", several.len(), several.join(" and "));
            problems.push(
                Diagnostic::new(Code::CheckWithSeveralKinds, place.span, message).help("keep one of them"),
            );
            None
        }
    }
}

/// What the check probes, and the files that it needs.
fn probe(text: &CheckUseText, place: &Place<'_>, problems: &mut Problems) -> Option<Probe> {
    one_kind(text, place, problems)?;
    let sources = place.sources;
    if let Some(said) = text.https.given() {
        let (spec, files) = http::secure(&said.value.0, said.span, sources, problems);
        return Some((ProbeSpec::Http(spec), files));
    }
    if let Some(said) = text.tls.given() {
        let (spec, files) = tls::session(Some(&said.value.0), sources, problems);
        tls::name_to_verify(&spec, "add `server_name: NAME`", said.span, problems);
        return Some((ProbeSpec::Tls(spec), files));
    }
    if let Some(said) = text.grpc.given() {
        let (spec, files) = grpc::call(&said.value.0, said.span, sources, problems);
        return Some((ProbeSpec::Grpc(spec), files));
    }
    if let Some(said) = text.smtp.given() {
        let (spec, files) = exchanges::smtp(&said.value.0, said.span, sources, problems)?;
        return Some((ProbeSpec::Smtp(spec), files));
    }
    without_files(text, sources, problems).map(|spec| (spec, Files::new()))
}

/// The probes that need no files of certificates.
fn without_files(text: &CheckUseText, sources: &Sources, problems: &mut Problems) -> Option<ProbeSpec> {
    if let Some(http) = text.http.given() {
        Some(ProbeSpec::Http(http::plain(&http.value.0, sources, problems)))
    } else if let Some(ping) = text.ping.given() {
        let size = ping.value.0.size.value().map_or(defaults::PING_SIZE, |size| size.port());
        Some(ProbeSpec::Ping(PingSpec { size }))
    } else if let Some(exec) = text.exec.given() {
        programs::exec(&exec.value, problems).map(ProbeSpec::Exec)
    } else if let Some(file) = text.file.given() {
        programs::file(&file.value, sources).map(ProbeSpec::File)
    } else if let Some(udp) = text.udp.given() {
        exchanges::udp(&udp.value.0, problems).map(ProbeSpec::Udp)
    } else if let Some(dns) = text.dns.given() {
        dns::dns(&dns.value, problems).map(ProbeSpec::Dns)
    } else {
        let tcp = text.tcp.given()?;
        exchanges::tcp(&tcp.value.0, tcp.span, sources, problems)
    }
}
