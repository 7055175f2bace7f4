//! The checkers of a real server, but for HTTP's.

use super::checker::{Defaults, Inherited, Target, timeout_of};
use super::context::Context;
use super::http;
use super::keywords::Place;
use super::tree::Statement;
use super::value::{bad, number, or_bad, time};
use crate::import::checks::{bare, check, exec, is_regex};
use crate::import::names;
use crate::import::site::{Check, Server, Tracked};
use crate::import::verdict::{Judged, none};
use crate::import::yaml::{Entry, entry, mapping, word};
use crate::model::SmtpSpec;

const SECOND: Defaults = Defaults { retry: 1, delay_before_retry: Some(1000) };
const OF_DNS: Defaults = Defaults { retry: 3, delay_before_retry: None };
const OF_MISC: Defaults = Defaults { retry: 0, delay_before_retry: Some(1000) };

pub(super) fn block(
    statement: &Statement,
    inherited: &Inherited,
    server: &mut Server,
    context: &mut Context<'_>,
) -> Option<Judged> {
    let checks: Vec<Check> = match statement.name() {
        "HTTP_GET" | "SSL_GET" => http::checks(statement, inherited, context),
        "SMTP_CHECK" => smtp(statement, inherited, context),
        "DNS_CHECK" => vec![dns(statement, inherited, context)],
        "MISC_CHECK" => misc(statement, inherited, context).into_iter().collect(),
        "UDP_CHECK" => vec![udp(statement, inherited, context)],
        "FILE_CHECK" => file(statement, inherited, context).into_iter().collect(),
        "PING_CHECK" => vec![plain("ping", statement, inherited, context)],
        _ => vec![plain("tcp", statement, inherited, context)],
    };
    let empty = checks.is_empty();
    server.checks.extend(checks.into_iter().map(|check| (check, statement.at)));
    empty.then(|| none("this checker names nothing to check: it is left out"))
}

/// Reads the keywords that every checker has, and hands on the others.
pub(super) fn common(
    place: Option<Place>,
    statements: &[Statement],
    inherited: &mut Inherited,
    target: &mut Target,
    context: &mut Context<'_>,
    mut own: impl FnMut(&mut Context<'_>, &Statement) -> Option<Judged>,
) {
    let places: Vec<Place> = place.into_iter().chain([Place::Checker]).collect();
    context.block_of(&places, statements, |context, inner| {
        if let Some(outcome) = target.read(inner) {
            return outcome;
        }
        match inherited.read(inner) {
            Some(outcome) => outcome,
            None => own(context, inner),
        }
    });
}

fn plain(kind: &str, statement: &Statement, inherited: &Inherited, context: &mut Context<'_>) -> Check {
    let (mut inherited, mut target) = (inherited.clone(), Target::default());
    common(None, statement.inside(), &mut inherited, &mut target, context, |_, _| None);
    target.of(bare(kind, kind, inherited.pace(SECOND)))
}

/// One check for each `host` of old files, else one.
fn smtp(statement: &Statement, inherited: &Inherited, context: &mut Context<'_>) -> Vec<Check> {
    let (mut inherited, mut target) = (inherited.clone(), Target::default());
    let mut hello = None;
    let mut hosts: Vec<Target> = Vec::new();
    common(Some(Place::Smtp), statement.inside(), &mut inherited, &mut target, context, |context, inner| {
        match inner.name() {
            "helo_name" => {
                let name = or_bad!(inner.word(1).filter(|name| SmtpSpec::can_greet_with(name)), inner);
                hello = Some(entry("hello", word(name)));
            }
            "host" => {
                let mut host = Target::default();
                let mut ignored = Inherited::default();
                common(None, inner.inside(), &mut ignored, &mut host, context, |_, _| None);
                hosts.push(host);
            }
            _ => {}
        }
        None
    });
    if hosts.is_empty() {
        hosts.push(target);
    }
    let smtp = check("smtp", "smtp", mapping(hello), inherited.pace(SECOND));
    hosts.iter().map(|host| host.of(smtp.clone())).collect()
}

fn dns(statement: &Statement, inherited: &Inherited, context: &mut Context<'_>) -> Check {
    let (mut inherited, mut target) = (inherited.clone(), Target::default());
    let (mut name, mut kind) = (".".to_owned(), "SOA".to_owned());
    common(Some(Place::Dns), statement.inside(), &mut inherited, &mut target, context, |_, inner| {
        match (inner.name(), inner.word(1)) {
            ("name", Some(text)) if names::domain(text).is_some() => text.clone_into(&mut name),
            ("type", Some(text @ ("A" | "NS" | "CNAME" | "SOA" | "MX" | "TXT" | "AAAA"))) => {
                text.clone_into(&mut kind)
            }
            _ => return bad(inner),
        }
        None
    });
    let keys = [entry("name", word(name)), entry("type", word(kind))];
    target.of(check("dns", "dns", mapping(keys), inherited.pace(OF_DNS)))
}

fn misc(statement: &Statement, inherited: &Inherited, context: &mut Context<'_>) -> Option<Check> {
    let (mut inherited, mut target) = (inherited.clone(), Target::default());
    let mut line = None;
    let mut timeout = None;
    let mut user = context.globals.script_user.clone();
    let mut weighs = false;
    common(Some(Place::Misc), statement.inside(), &mut inherited, &mut target, context, |_, inner| {
        match inner.name() {
            "misc_path" => line = Some((inner.arguments().join(" "), inner.at)),
            "misc_timeout" => timeout = Some(or_bad!(time(inner, 1), inner)),
            "misc_dynamic" => weighs = true,
            "user" => user = inner.word(1).map(str::to_owned),
            _ => {}
        }
        None
    });
    let (line, at) = line?;
    let (check, judged) = exec("misc", &line, user, inherited.pace(OF_MISC), weighs);
    context.ledger.note(at, judged);
    let timeout = timeout.unwrap_or_else(|| inherited.interval());
    Some(target.of(timeout_of(check, timeout)))
}

fn file(statement: &Statement, inherited: &Inherited, context: &mut Context<'_>) -> Option<Check> {
    let (mut inherited, mut target) = (inherited.clone(), Target::default());
    let mut path = None;
    common(Some(Place::File), statement.inside(), &mut inherited, &mut target, context, |context, inner| {
        if inner.name() != "track_file" {
            return None;
        }
        match inner.word(1).and_then(|name| context.files.get(name)).map(|tracking| &tracking.what) {
            Some(Tracked::File(file)) => path = Some(file.clone()),
            _ => return Some(none("no track_file has this name")),
        }
        None
    });
    let keys = [entry("path", word(path?))];
    let todo = "TODO: let the file say up, down, drain or a share such as 50%: with a number alone the server is down.";
    Some(Check {
        todo: vec![todo.to_owned()],
        ..check("file", "file", mapping(keys), inherited.pace(OF_MISC))
    })
}

/// What a UDP check sends and awaits.
#[derive(Default)]
struct Exchange {
    payload: Option<String>,
    /// Digits of the reply, `x` for any; empty: any reply.
    reply: Option<Vec<[char; 2]>>,
    length: (Option<u32>, Option<u32>),
}

fn udp(statement: &Statement, inherited: &Inherited, context: &mut Context<'_>) -> Check {
    let (mut inherited, mut target) = (inherited.clone(), Target::default());
    let mut exchange = Exchange::default();
    common(Some(Place::Udp), statement.inside(), &mut inherited, &mut target, context, |_, inner| {
        match inner.name() {
            "payload" => match digits(inner.arguments(), false) {
                Some(bytes) if !bytes.is_empty() => exchange.payload = Some(bytes.iter().flatten().collect()),
                _ => return bad(inner),
            },
            "require_reply" => match digits(inner.arguments(), true) {
                Some(bytes) => exchange.reply = Some(bytes),
                None => return bad(inner),
            },
            "min_reply_length" => exchange.length.0 = Some(or_bad!(number(inner, 1), inner)),
            "max_reply_length" => exchange.length.1 = Some(or_bad!(number(inner, 1), inner)),
            _ => {}
        }
        None
    });
    target.of(check("udp", "udp", mapping(exchange.keys()), inherited.pace(SECOND)))
}

impl Exchange {
    fn keys(&self) -> Vec<Entry> {
        let hex = |digits: &str| mapping([entry("hex", word(digits))]);
        let mut keys: Vec<Entry> = self.payload.iter().map(|payload| entry("send", hex(payload))).collect();
        let Some(reply) = &self.reply else { return keys };
        let expression = self.expression(reply).filter(|source| is_regex(source));
        keys.extend(expression.map(|source| entry("expect", mapping([entry("regex", word(source))]))));
        keys.push(entry("on_silence", word("down")));
        keys
    }

    /// What an answer must look like; `None`: any answer will do.
    fn expression(&self, reply: &[[char; 2]]) -> Option<String> {
        let (least, most) = self.length;
        if reply.is_empty() && least.is_none() && most.is_none() {
            return None;
        }
        let mut source = of_bytes(reply);
        if least.is_some() || most.is_some() {
            let known = u32::try_from(reply.len()).unwrap_or(u32::MAX);
            // An answer without a byte would be none here.
            let least = least.unwrap_or(0).max(1).saturating_sub(known);
            let most = most.unwrap_or(255).min(1000).saturating_sub(known).max(least);
            source.push_str(&format!(".{{{least},{most}}}$"));
        }
        Some(source)
    }
}

/// The bytes that an answer begins with, as an expression.
fn of_bytes(reply: &[[char; 2]]) -> String {
    let one = |[high, low]: &[char; 2]| match (*high, *low) {
        ('x', 'x') => ".".to_owned(),
        (high, 'x') => format!("[\\x{high}0-\\x{high}f]"),
        ('x', low) => {
            let all: String = "0123456789abcdef".chars().map(|high| format!("\\x{high}{low}")).collect();
            format!("[{all}]")
        }
        (high, low) => format!("\\x{high}{low}"),
    };
    format!("(?s-u)^{}", reply.iter().map(one).collect::<String>())
}

/// Bytes of a free hexadecimal text: each word is cut into twos from the left, and a single digit is a byte.
fn digits(words: &[String], wildcards: bool) -> Option<Vec<[char; 2]>> {
    let mut bytes = Vec::new();
    for text in words.iter().flat_map(|text| text.split_whitespace()) {
        let letters: Vec<char> = text.chars().map(|letter| letter.to_ascii_lowercase()).collect();
        if letters.iter().any(|letter| !(letter.is_ascii_hexdigit() || (wildcards && *letter == 'x'))) {
            return None;
        }
        bytes.extend(letters.chunks(2).map(|pair| match pair {
            [high, low] => [*high, *low],
            _ => ['0', pair.first().copied().unwrap_or('0')],
        }));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_texts_are_read_as_the_manual_has_it() {
        let words: Vec<String> = ["Ab12f", "3", "456", "546443123"].map(str::to_owned).to_vec();
        let bytes: String = digits(&words, false).into_iter().flatten().flatten().collect();
        assert_eq!(bytes, "ab120f0345065464431203");
        assert_eq!(digits(&["0x".to_owned()], false), None);
    }

    #[test]
    fn bytes_and_length_of_an_answer_are_one_expression() {
        let expression =
            |reply: &[[char; 2]], length| Exchange { length, ..Exchange::default() }.expression(reply);
        assert_eq!(expression(&[['4', '0']], (Some(4), None)).as_deref(), Some("(?s-u)^\\x40.{3,254}$"));
        assert_eq!(expression(&[], (None, Some(20))).as_deref(), Some("(?s-u)^.{1,20}$"));
        assert_eq!(expression(&[], (None, None)), None);
    }

    #[test]
    fn any_digit_of_a_reply_is_a_class_of_bytes() {
        assert_eq!(of_bytes(&[['0', '1'], ['x', 'x'], ['2', 'x']]), "(?s-u)^\\x01.[\\x20-\\x2f]");
        assert!(is_regex(&of_bytes(&[['x', '4']])));
    }
}
