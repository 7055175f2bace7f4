//! A mail at events: where it goes, and that nobody reads its password on the way.

use super::authentication::secret;
use super::exchanges::greeting_name;
use crate::model::{MailSecurity, MailSettings, Secret};
use crate::policy::address::host_and_port;
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{MailText, MailTlsWord};
use crate::policy::source::{Sources, Span};
use std::collections::BTreeMap;

/// Bytes of a user name at most.
const LONGEST_NAME: usize = 255;

/// Everything but the certificate authorities, which are said beside it; `None` after a problem.
pub(super) fn settings(
    said: &Spanned<MailText>,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<MailSettings> {
    let text = &said.value;
    let security = match text.tls.value() {
        None => MailSecurity::default(),
        Some(MailTlsWord::StartTls) => MailSecurity::StartTls,
        Some(MailTlsWord::Tls) => MailSecurity::Tls,
        Some(MailTlsWord::None) => MailSecurity::None,
    };
    let server = text.server.given().and_then(|server| host(server, problems));
    let from = text.from.given().and_then(|from| address(from, problems));
    let to = recipients(text, problems);
    let login = login(text, security, sources, problems);
    let hello = match &text.hello {
        Field::Given(hello) => greeting_name(hello, problems),
        Field::Absent | Field::Bad => None,
    };
    let (server, port) = server?;
    Some(MailSettings {
        server,
        port: port.unwrap_or(security.usual_port()),
        security,
        from: from?,
        to: to?,
        login,
        ca: None,
        hello,
        collect: text.collect.value().map_or(defaults::MAIL_COLLECT, |collect| collect.0),
    })
}

fn problem(span: Span, message: impl Into<String>, help: &str, problems: &mut Problems) {
    problems.push(Diagnostic::new(Code::EventMail, span, message).help(help));
}

fn host(said: &Spanned<Text>, problems: &mut Problems) -> Option<(String, Option<u16>)> {
    let found = host_and_port(&said.value.0);
    if found.is_none() {
        let message = format!("{} is not the name of a mail server", quoted(&said.value.0));
        problem(
            said.span,
            message,
            "write a host name or an address, and :PORT: smtp.example.com:587",
            problems,
        );
    }
    found
}

/// An address of one person or list.
fn address(said: &Spanned<Text>, problems: &mut Problems) -> Option<String> {
    let text = &said.value.0;
    if MailSettings::is_address(text) {
        return Some(text.clone());
    }
    let message = format!("{} is not a mail address", quoted(text));
    problem(
        said.span,
        message,
        "write NAME@DOMAIN in ASCII, without a display name: ops@example.com",
        problems,
    );
    None
}

fn recipients(text: &MailText, problems: &mut Problems) -> Option<Vec<String>> {
    let said = text.to.given()?;
    let list = &said.value.0;
    if list.is_empty() && !problems.any_within(said.span) {
        problem(said.span, "this mail goes to nobody", "write to: [ops@example.com]", problems);
    }
    if list.len() > MailSettings::MOST_RECIPIENTS {
        let message = format!("{} recipients are more than {}", list.len(), MailSettings::MOST_RECIPIENTS);
        problem(said.span, message, "let the mail server pass it on to a list", problems);
    }
    let mut first: BTreeMap<&str, Span> = BTreeMap::new();
    for one in list {
        if let Some(span) = first.insert(&one.value.0, one.span) {
            let message = format!("{} stands here twice", quoted(&one.value.0));
            let diagnostic = Diagnostic::new(Code::EventMail, one.span, message);
            problems.push(diagnostic.related(span, "the first").help("leave one of them out"));
        }
    }
    let addresses: Vec<String> = list.iter().filter_map(|one| address(one, problems)).collect();
    (!addresses.is_empty()).then_some(addresses)
}

/// User and password: both or none, and never in the open.
fn login(
    text: &MailText,
    security: MailSecurity,
    sources: &Sources,
    problems: &mut Problems,
) -> Option<(String, Secret)> {
    let (said, message) = match (text.username.is_absent(), text.password.is_absent()) {
        (false, true) => (text.username.span(), "`username` without `password`"),
        (true, false) => (text.password.span(), "`password` without `username`"),
        (true, true) | (false, false) => (None, ""),
    };
    if let Some(span) = said {
        problem(span, message, "who logs in says both", problems);
    }
    if let (MailSecurity::None, Some(span)) = (security, text.password.span()) {
        let message = "with `tls: none` everybody on the way could read this password";
        problem(span, message, "leave `tls: none` out, or the login", problems);
    }
    let user = text.username.given()?;
    let name = &user.value.0;
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let message = format!("{} is not the name of a user", quoted(name));
        problem(user.span, message, "write the name that the server knows", problems);
    }
    Some((name.clone(), secret(text.password.value()?, sources)?))
}
