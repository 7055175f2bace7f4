//! Probes that exchange bytes, written out as YAML.

use super::resolved_checks;
use super::yaml_text::{Yaml, mapping, text};
use crate::hex;
use crate::model::{
    DialogueSpec, DnsSpec, DnsTransport, OnSilence, Pattern, Preset, ProbeSpec, Secret, SmtpSpec, Step,
    UdpSpec,
};
use std::path::Path;

/// Puts the relative paths of a probe below a folder.
pub(super) fn below(probe: &mut ProbeSpec, base: &Path) {
    if let ProbeSpec::Preset(Preset::Redis(spec)) = probe
        && let Some(Secret::File(path)) = &mut spec.password
    {
        *path = base.join(&*path);
    }
}

pub(super) fn dialogue(spec: &DialogueSpec) -> Yaml {
    let step = |step: &Step| match step {
        Step::Send(sent) => mapping([("send", bytes(sent))]),
        Step::Expect(pattern) => mapping([("expect", self::pattern(pattern))]),
    };
    mapping([("dialogue", Yaml::List(spec.steps.iter().map(step).collect()))])
}

pub(super) fn preset(preset: &Preset) -> Yaml {
    let (name, keys) = match preset {
        Preset::Redis(spec) => {
            let user = spec.user.as_ref().map(|user| ("user", text(user)));
            let password = spec.password.as_ref().map(|secret| ("password", self::secret(secret)));
            ("redis", [user, password])
        }
        Preset::MySql(spec) => ("mysql", [spec.user.as_ref().map(|user| ("user", text(user))), None]),
        Preset::PostgreSql(spec) => {
            let database = spec.database.as_ref().map(|database| ("database", text(database)));
            ("postgresql", [Some(("user", text(&spec.user))), database])
        }
    };
    mapping([(name, mapping(keys.into_iter().flatten()))])
}

pub(super) fn smtp(spec: &SmtpSpec) -> Yaml {
    let mut keys = Vec::new();
    keys.extend(spec.hello.as_ref().map(|hello| ("hello", text(hello))));
    if let Some(tls) = &spec.starttls {
        keys.push(("starttls", text(true)));
        keys.push(("tls", resolved_checks::tls(tls)));
    }
    mapping(keys)
}

pub(super) fn udp(spec: &UdpSpec) -> Yaml {
    let mut keys = Vec::new();
    if !spec.send.is_empty() {
        keys.push(("send", bytes(&spec.send)));
    }
    keys.extend(spec.expect.as_ref().map(|expect| ("expect", pattern(expect))));
    keys.push((
        "on_silence",
        text(match spec.on_silence {
            OnSilence::Up => "up",
            OnSilence::Down => "down",
        }),
    ));
    mapping(keys)
}

pub(super) fn dns(spec: &DnsSpec) -> Yaml {
    let transport = match spec.transport {
        DnsTransport::Udp => "udp",
        DnsTransport::Tcp => "tcp",
    };
    let mut keys = vec![
        ("name", text(&spec.name)),
        ("type", text(spec.record.name())),
        ("protocol", text(transport)),
        ("rcode", Yaml::List(spec.rcode.iter().map(|code| text(code.name())).collect())),
    ];
    if !spec.answer.is_empty() {
        keys.push(("answer", Yaml::List(spec.answer.iter().map(text).collect())));
    }
    mapping(keys)
}

fn pattern(pattern: &Pattern) -> Yaml {
    match pattern {
        Pattern::Bytes(expected) => bytes(expected),
        Pattern::Regex(source) => mapping([("regex", text(source))]),
    }
}

/// Bytes as text where that is readable, else as hexadecimal digits.
fn bytes(bytes: &[u8]) -> Yaml {
    let readable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    match std::str::from_utf8(bytes) {
        Ok(readable_text) if bytes.iter().all(readable) => text(readable_text),
        Ok(_) | Err(_) => mapping([("hex", text(hex::encode(bytes)))]),
    }
}

fn secret(secret: &Secret) -> Yaml {
    mapping([match secret {
        Secret::File(path) => ("file", text(path.display())),
        Secret::Credential(name) => ("credential", text(name)),
    }])
}
