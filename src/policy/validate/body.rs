//! What the body of an answer must be: the rule, read as far as it can be without an answer.

use crate::hex;
use crate::model::{BodyRule, Pattern};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Spanned;
use crate::policy::scalar::Text;
use crate::policy::schema::{BodyRuleText, BodyText, JsonText, RegexText};
use crate::policy::source::Span;

/// The rule; `None` after a problem.
pub(super) fn rule(text: &BodyText, span: Span, problems: &mut Problems) -> Option<BodyRule> {
    match text {
        BodyText::Contains(text) => Some(BodyRule::Text(text.0.clone())),
        BodyText::Rule(rule) => of_rule(rule, span, problems),
    }
}

fn of_rule(text: &BodyRuleText, span: Span, problems: &mut Problems) -> Option<BodyRule> {
    if let Some(pattern) = text.regex.given() {
        return regex(pattern, problems);
    }
    if let Some(digest) = text.sha256.given() {
        return sha256(digest, problems);
    }
    json(&text.json.given().filter(|_| !problems.any_within(span))?.value, problems)
}

fn regex(pattern: &Spanned<RegexText>, problems: &mut Problems) -> Option<BodyRule> {
    match Pattern::regex(&pattern.value.0) {
        Ok(_) => Some(BodyRule::Regex(pattern.value.0.clone())),
        Err(why) => {
            let message =
                format!("{} cannot be used as a regular expression: {why}", quoted(&pattern.value.0));
            problems.push(Diagnostic::new(Code::BadRegex, pattern.span, message).help(
                "there are no backreferences and no look-around; write a literal `.` or `(` as `\\.`, `\\(`",
            ));
            None
        }
    }
}

fn sha256(digest: &Spanned<Text>, problems: &mut Problems) -> Option<BodyRule> {
    let bytes = hex::decode(&digest.value.0).and_then(|bytes| bytes.try_into().ok());
    if bytes.is_none() {
        let message = format!("{} is not a SHA-256 digest", quoted(&digest.value.0));
        problems.push(
            Diagnostic::new(Code::BodyRule, digest.span, message)
                .help("write 64 hexadecimal digits: curl -s http://RIP/PATH | sha256sum"),
        );
    }
    bytes.map(BodyRule::Sha256)
}

fn json(text: &JsonText, problems: &mut Problems) -> Option<BodyRule> {
    let (pointer, equals) = (text.pointer.given()?, text.equals.value()?);
    if !pointer.value.0.starts_with('/') {
        let message = format!("{} is not a JSON pointer", quoted(&pointer.value.0));
        problems.push(
            Diagnostic::new(Code::BodyRule, pointer.span, message)
                .help("begin it with `/`, and separate the levels by `/`: /checks/0/state"),
        );
        return None;
    }
    Some(BodyRule::Json { pointer: pointer.value.0.clone(), equals: equals.0.clone() })
}
