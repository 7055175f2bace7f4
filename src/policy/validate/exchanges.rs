//! Probes that exchange bytes over TCP or UDP: one exchange a check, and each waits for an answer.

use super::checks::Files;
use super::{authentication, tls};
use crate::model::{
    DialogueSpec, MySqlSpec, OnSilence, Pattern, PostgreSqlSpec, Preset, ProbeSpec, RedisSpec, SmtpSpec,
    Step, UdpSpec,
};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{
    MySqlText, OnSilenceWord, PatternText, PostgreSqlText, RedisText, SendText, SmtpText, StepText, TcpText,
    UdpText,
};
use crate::policy::source::{Sources, Span};

/// A tcp probe: a connection alone, or one exchange on it.
pub(super) fn tcp(
    text: &TcpText,
    span: Span,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<ProbeSpec> {
    let said = [
        ("`send` and `expect`", !text.send.is_absent() || !text.expect.is_absent()),
        ("`dialogue`", !text.dialogue.is_absent()),
        ("`redis`", !text.redis.is_absent()),
        ("`mysql`", !text.mysql.is_absent()),
        ("`postgresql`", !text.postgresql.is_absent()),
    ];
    let said: Vec<&str> = said.into_iter().filter(|(_, said)| *said).map(|(what, _)| what).collect();
    if said.len() > 1 {
        let message = format!("this check says its exchange in {} ways: {}", said.len(), said.join(" and "));
        problems.push(Diagnostic::new(Code::TcpExchange, span, message).help("keep one of them"));
        return None;
    }
    let preset = |preset| Some(ProbeSpec::Preset(preset));
    if said.is_empty() {
        Some(ProbeSpec::Tcp)
    } else if let Some(redis) = text.redis.given() {
        preset(Preset::Redis(self::redis(&redis.value.0, sources)))
    } else if let Some(mysql) = text.mysql.given() {
        self::mysql(&mysql.value.0, mysql.span, problems).map(|spec| ProbeSpec::Preset(Preset::MySql(spec)))
    } else if let Some(postgresql) = text.postgresql.given() {
        let spec = self::postgresql(&postgresql.value, problems)?;
        preset(Preset::PostgreSql(spec))
    } else {
        dialogue(text, span, problems).map(ProbeSpec::Dialogue)
    }
}

/// The steps of an exchange in texts, in the short form or as a list.
fn dialogue(text: &TcpText, span: Span, problems: &mut Problems) -> Option<DialogueSpec> {
    let Some(list) = text.dialogue.given() else {
        let steps = step(&text.send, &text.expect, problems)?;
        return awaited(steps, span, problems);
    };
    let said: Vec<_> = list.value.0.iter().map(|said| one_step(said, problems)).collect();
    let steps: Option<Vec<Vec<Step>>> = said.into_iter().collect();
    let steps = steps?.concat();
    if steps.len() > DialogueSpec::MOST_STEPS {
        let message =
            format!("this dialogue has {} steps, and {} are the most", steps.len(), DialogueSpec::MOST_STEPS);
        problems.push(
            Diagnostic::new(Code::TcpExchange, list.span, message)
                .help("probe less, or write a program for an exec check"),
        );
        return None;
    }
    if problems.any_within(list.span) {
        return None;
    }
    awaited(steps, list.span, problems)
}

fn one_step(said: &Spanned<StepText>, problems: &mut Problems) -> Option<Vec<Step>> {
    if said.value.send.is_absent() && said.value.expect.is_absent() {
        if !problems.any_within(said.span) {
            let message = "this step neither sends nor expects anything";
            let diagnostic = Diagnostic::new(Code::TcpExchange, said.span, message);
            problems.push(diagnostic.help("write {send: …}, {expect: …}, or both in this order"));
        }
        return None;
    }
    step(&said.value.send, &said.value.expect, problems)
}

/// What is sent, then what is awaited; `None` after a problem.
fn step(send: &Field<SendText>, expect: &Field<PatternText>, problems: &mut Problems) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    match send {
        Field::Absent => {}
        Field::Bad => return None,
        Field::Given(bytes) => steps.push(Step::Send(bytes.value.0.clone())),
    }
    match expect {
        Field::Absent => {}
        Field::Bad => return None,
        Field::Given(said) => steps.push(Step::Expect(pattern(said, problems)?)),
    }
    Some(steps)
}

/// A dialogue whose end waits for the server: what is sent last and not answered may never have arrived.
fn awaited(steps: Vec<Step>, span: Span, problems: &mut Problems) -> Option<DialogueSpec> {
    if let Some(Step::Expect(_)) = steps.last() {
        return Some(DialogueSpec { steps });
    }
    let message = "this exchange does not wait for an answer at its end";
    problems.push(
        Diagnostic::new(Code::TcpExchange, span, message).help("say what the server answers: `expect: …`"),
    );
    None
}

/// What is expected; a regular expression is tried here.
fn pattern(said: &Spanned<PatternText>, problems: &mut Problems) -> Option<Pattern> {
    match &said.value {
        PatternText::Bytes(bytes) => Some(Pattern::Bytes(bytes.clone())),
        PatternText::Regex(source) => match Pattern::regex(source) {
            Ok(_) => Some(Pattern::Regex(source.clone())),
            Err(why) => {
                let message = format!("{} cannot be used: {why}", quoted(source));
                problems.push(
                    Diagnostic::new(Code::BadRegex, said.span, message)
                        .help("write an expression that a healthy answer matches and nothing else does"),
                );
                None
            }
        },
    }
}

fn redis(text: &RedisText, sources: &Sources) -> RedisSpec {
    RedisSpec {
        user: text.user.value().map(|user| user.0.clone()),
        password: text.password.value().and_then(|place| authentication::secret(place, sources)),
    }
}

fn mysql(text: &MySqlText, span: Span, problems: &mut Problems) -> Option<MySqlSpec> {
    match &text.user {
        Field::Absent => {
            let message = "without a user, the server counts each of these probes as a broken connection, \
                           and blocks this host after `max_connect_errors`";
            problems.push(
                Diagnostic::new(Code::MySqlWithoutUser, span, message)
                    .help("make a user without password and privileges, and say it: `mysql: {user: check}`"),
            );
            Some(MySqlSpec { user: None })
        }
        Field::Bad => None,
        Field::Given(user) => {
            let user = name_within(user, MySqlSpec::LONGEST_USER, problems)?;
            Some(MySqlSpec { user: Some(user) })
        }
    }
}

fn postgresql(text: &PostgreSqlText, problems: &mut Problems) -> Option<PostgreSqlSpec> {
    let user = name_within(text.user.given()?, PostgreSqlSpec::LONGEST_NAME, problems)?;
    let database = match &text.database {
        Field::Absent => None,
        Field::Bad => return None,
        Field::Given(name) => Some(name_within(name, PostgreSqlSpec::LONGEST_NAME, problems)?),
    };
    Some(PostgreSqlSpec { user, database })
}

fn name_within(said: &Spanned<Text>, most: usize, problems: &mut Problems) -> Option<String> {
    let name = &said.value.0;
    if name.len() > most {
        let message = format!("{} has {} bytes, and {most} is the most here", quoted(name), name.len());
        problems.push(Diagnostic::new(Code::BadText, said.span, message).help("write a shorter name"));
        return None;
    }
    Some(name.clone())
}

/// An smtp probe, and the files that it needs; `None` after a problem.
pub(super) fn smtp(
    text: &SmtpText,
    span: Span,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(SmtpSpec, Files)> {
    let hello = match &text.hello {
        Field::Absent => None,
        Field::Bad => return None,
        Field::Given(said) => Some(greeting_name(said, problems)?),
    };
    if !text.starttls.value().is_some_and(|starttls| starttls.0) {
        if let Some(span) = text.tls.span() {
            let message = "`tls` means nothing to smtp without `starttls: true`";
            let diagnostic = Diagnostic::new(Code::CheckKeyUnused, span, message);
            problems.push(diagnostic.help("add `starttls: true`, or leave it out"));
        }
        return Some((SmtpSpec { hello, starttls: None }, Files::new()));
    }
    let (tls, files) = tls::session(text.tls.value(), sources, problems);
    tls::name_to_verify(&tls, "add `tls: {server_name: NAME}`", span, problems);
    Some((SmtpSpec { hello, starttls: Some(tls) }, files))
}

/// What a director calls itself to a mail server.
pub(super) fn greeting_name(said: &Spanned<Text>, problems: &mut Problems) -> Option<String> {
    let name = &said.value.0;
    if SmtpSpec::can_greet_with(name) {
        return Some(name.clone());
    }
    let message = format!("{} is not a name that a mail server can be greeted with", quoted(name));
    problems.push(
        Diagnostic::new(Code::BadText, said.span, message)
            .help("write a host name, or an address in brackets: \"[192.0.2.1]\""),
    );
    None
}

/// A udp probe; `None` after a problem.
pub(super) fn udp(text: &UdpText, problems: &mut Problems) -> Option<UdpSpec> {
    let send = match &text.send {
        Field::Absent => Vec::new(),
        Field::Bad => return None,
        Field::Given(bytes) => bytes.value.0.clone(),
    };
    let expect = match &text.expect {
        Field::Absent => None,
        Field::Bad => return None,
        Field::Given(said) => Some(pattern(said, problems)?),
    };
    let on_silence = match text.on_silence.value() {
        Some(OnSilenceWord::Up) => OnSilence::Up,
        Some(OnSilenceWord::Down) => OnSilence::Down,
        None if expect.is_some() => OnSilence::Down,
        None => OnSilence::Up,
    };
    Some(UdpSpec { send, expect, on_silence })
}
