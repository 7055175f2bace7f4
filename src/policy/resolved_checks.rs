//! Checks as YAML, every default in them.

use super::resolved_exchange;
use super::size::size_text;
use super::yaml_text::{Yaml, mapping, text, time};
use crate::hex;
use crate::model::{
    AgentSpec, BodyRule, Check, ExecSpec, ExecWeight, FailAtOnce, FileSpec, GrpcSpec, HeaderText, HttpSpec,
    HttpVersion, Missing, ProbeSpec, Secret, Through, TlsSpec, Verify,
};
use std::ops::RangeInclusive;
use std::path::Path;

/// A check with its relative paths below a folder.
pub(super) fn below(check: &mut Check, base: &Path) {
    match &mut check.probe {
        ProbeSpec::Tls(tls) => tls_below(tls, base),
        ProbeSpec::Http(spec) => {
            for (_, value) in &mut spec.headers {
                if let HeaderText::Secret(place) = value {
                    place_below(place, base);
                }
            }
            spec.tls.iter_mut().for_each(|tls| tls_below(tls, base));
        }
        ProbeSpec::Grpc(spec) => spec.tls.iter_mut().for_each(|tls| tls_below(tls, base)),
        ProbeSpec::Smtp(spec) => spec.starttls.iter_mut().for_each(|tls| tls_below(tls, base)),
        ProbeSpec::File(spec) => spec.path = base.join(&spec.path),
        ProbeSpec::Dialogue(_) | ProbeSpec::Preset(_) | ProbeSpec::Udp(_) | ProbeSpec::Dns(_) => {
            resolved_exchange::below(&mut check.probe, base)
        }
        ProbeSpec::Tcp | ProbeSpec::Ping(_) | ProbeSpec::Exec(_) | ProbeSpec::Agent(_) => {}
    }
}

fn tls_below(tls: &mut TlsSpec, base: &Path) {
    tls.ca.iter_mut().for_each(|place| place_below(place, base));
    if let Some(client) = &mut tls.client {
        place_below(&mut client.certificate, base);
        place_below(&mut client.key, base);
    }
}

fn place_below(place: &mut Secret, base: &Path) {
    if let Secret::File(path) = place {
        *path = base.join(&path);
    }
}

/// What a check probes.
pub(super) fn probe_of(check: &Check) -> Yaml {
    match &check.probe {
        ProbeSpec::Tcp => mapping([]),
        ProbeSpec::Dialogue(spec) => resolved_exchange::dialogue(spec),
        ProbeSpec::Preset(preset) => resolved_exchange::preset(preset),
        ProbeSpec::Smtp(spec) => resolved_exchange::smtp(spec),
        ProbeSpec::Udp(spec) => resolved_exchange::udp(spec),
        ProbeSpec::Dns(spec) => resolved_exchange::dns(spec),
        ProbeSpec::Tls(spec) => tls(spec),
        ProbeSpec::Http(spec) => http(spec),
        ProbeSpec::Grpc(spec) => grpc(spec),
        ProbeSpec::Ping(spec) => mapping([("size", text(spec.size))]),
        ProbeSpec::Exec(spec) => exec(spec),
        ProbeSpec::File(spec) => file(spec),
        ProbeSpec::Agent(spec) => agent(spec, check.port),
    }
}

/// A source of weights says its port inside; no check is one.
fn agent(spec: &AgentSpec, port: Option<u16>) -> Yaml {
    let mut keys = Vec::new();
    keys.extend(port.map(|port| ("port", text(port))));
    keys.extend((!spec.send.is_empty()).then(|| ("send", text(&spec.send))));
    mapping(keys)
}

/// A check as the policy writes it.
pub(super) fn check_of(check: &Check) -> Yaml {
    let mut keys = vec![(check.probe.kind(), probe_of(check))];
    keys.push(("interval", time(check.interval)));
    keys.push(("interval_down", time(check.interval_down)));
    keys.push(("interval_changing", time(check.interval_changing)));
    keys.push(("jitter", text(format!("{}%", check.jitter_percent))));
    keys.push(("timeout", time(check.timeout)));
    keys.push(("rise", text(check.rise)));
    keys.push(("fall", text(check.fall)));
    keys.extend(fail_at_once(&check.fail_at_once).map(|list| ("fail_at_once", list)));
    keys.extend(check.port.map(|port| ("port", text(port))));
    let address = check.address.filter(|_| !matches!(check.probe, ProbeSpec::File(_)));
    keys.extend(address.map(|address| ("address", text(address))));
    keys.extend(check.source.map(|source| ("source", text(source))));
    keys.extend(check.interface.as_ref().map(|interface| ("interface", text(interface))));
    keys.extend(check.mark.map(|mark| ("mark", text(mark))));
    let through = match check.through {
        Through::Direct => "direct",
        Through::RealPath => "real_path",
    };
    keys.push(("through", text(through)));
    mapping(keys)
}

fn fail_at_once(at_once: &FailAtOnce) -> Option<Yaml> {
    let statuses = at_once.statuses.iter().map(status);
    let words = statuses.chain(at_once.reasons.iter().map(text)).collect();
    (!at_once.is_empty()).then_some(Yaml::List(words))
}

/// A status, or a range of them.
fn status(range: &RangeInclusive<u16>) -> Yaml {
    match (range.start(), range.end()) {
        (first, last) if first == last => text(first),
        (first, last) => text(format!("{first}-{last}")),
    }
}

fn exec(spec: &ExecSpec) -> Yaml {
    let mut keys = vec![("command", Yaml::List(spec.command.iter().map(text).collect()))];
    keys.extend(spec.user.as_ref().map(|user| ("user", text(user))));
    keys.extend(spec.weight.map(|weight| {
        ("weight", text(if weight == ExecWeight::ExitCode { "exit_code" } else { "printed" }))
    }));
    mapping(keys)
}

fn file(spec: &FileSpec) -> Yaml {
    let missing = if spec.missing == Missing::Up { "up" } else { "down" };
    mapping([("path", text(spec.path.display())), ("missing", text(missing))])
}

fn http(spec: &HttpSpec) -> Yaml {
    let mut keys = vec![
        ("method", text(&spec.method)),
        ("path", text(&spec.path)),
        ("version", text(if spec.version == HttpVersion::Http2 { "http2" } else { "http1" })),
    ];
    keys.extend(spec.host.as_ref().map(|host| ("host", text(host))));
    if !spec.headers.is_empty() {
        let value = |value: &HeaderText| match value {
            HeaderText::Text(value) => text(value),
            HeaderText::Secret(place) => place_of(place),
        };
        let headers = spec.headers.iter().map(|(name, text)| (name.clone(), value(text)));
        keys.push(("headers", Yaml::Mapping(headers.collect())));
    }
    if let Some(content) = &spec.content {
        keys.push(("content", text(&content.text)));
        keys.push(("content_type", text(&content.content_type)));
    }
    keys.push(("status", Yaml::List(spec.status.iter().map(status).collect())));
    keys.extend(spec.body.as_ref().map(|rule| ("body", body(rule))));
    keys.push(("response_limit", text(size_text(spec.response_limit))));
    keys.push(("redirects", text(spec.redirects)));
    keys.push(("keep_connection", text(spec.keep_connection)));
    keys.extend(spec.tls.as_ref().map(|spec| ("tls", tls(spec))));
    mapping(keys)
}

fn body(rule: &BodyRule) -> Yaml {
    match rule {
        BodyRule::Text(contained) => text(contained),
        BodyRule::Regex(pattern) => mapping([("regex", text(pattern))]),
        BodyRule::Json { pointer, equals } => {
            mapping([("json", mapping([("pointer", text(pointer)), ("equals", text(equals))]))])
        }
        BodyRule::Sha256(digest) => mapping([("sha256", text(hex::encode(digest)))]),
    }
}

fn grpc(spec: &GrpcSpec) -> Yaml {
    let mut keys = Vec::new();
    if !spec.service.is_empty() {
        keys.push(("service", text(&spec.service)));
    }
    keys.extend(spec.host.as_ref().map(|host| ("host", text(host))));
    keys.extend(spec.tls.as_ref().map(|spec| ("tls", tls(spec))));
    keys.push(("keep_connection", text(spec.keep_connection)));
    mapping(keys)
}

pub(super) fn tls(spec: &TlsSpec) -> Yaml {
    let mut keys = Vec::new();
    keys.extend(spec.ca.as_ref().map(|place| ("ca", place_of(place))));
    keys.extend(spec.server_name.as_ref().map(|name| ("server_name", text(name))));
    keys.push(("verify", text(spec.verify == Verify::Full)));
    if let Some(client) = &spec.client {
        keys.push(("certificate", place_of(&client.certificate)));
        keys.push(("key", place_of(&client.key)));
    }
    if !spec.alpn.is_empty() {
        keys.push(("alpn", Yaml::List(spec.alpn.iter().map(text).collect())));
    }
    keys.push(("expiry_warning", time(spec.expiry_warning)));
    mapping(keys)
}

fn place_of(place: &Secret) -> Yaml {
    match place {
        Secret::File(path) => mapping([("file", text(path.display()))]),
        Secret::Credential(name) => mapping([("credential", text(name))]),
    }
}
