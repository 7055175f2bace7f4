//! The words of a mail: subject and text. Pure.
//!
//! What is in an event may come from outside (a server's answer, a name): of its control characters nothing is left, so that no
//! line of it can pass for a header or for a line of the mail's own.

use super::digest::Collected;
use super::message::Message;
use crate::control::EventRecord;
use crate::time::utc;
use std::fmt::Write as _;

/// Characters of a subject's sentence at most: mail programs show fewer.
const LONGEST_SUBJECT: usize = 150;
/// Characters of a sentence in the text at most.
const LONGEST_SENTENCE: usize = 2_000;

/// A mail without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
    /// The left side of its Message-ID: the same however often it is sent.
    pub(super) key: String,
}

impl Letter {
    /// Tells what was collected, and how many events before it could not be told.
    pub(super) fn of(collected: &Collected, lost: u64) -> Self {
        let Collected { listed, gravest, number } = collected;
        let director = one_line(gravest.director.as_deref().unwrap_or("tandem"), LONGEST_SUBJECT);
        let mut subject = format!("[{director}] {}", one_line(&gravest.message, LONGEST_SUBJECT));
        if *number > 1 {
            let _ = write!(subject, " (and {} more)", number - 1);
        }
        let mut text: String = listed.iter().map(|event| paragraph(event)).collect();
        let left_out = number.saturating_sub(listed.len() as u64);
        if left_out > 0 {
            let _ = writeln!(text, "{left_out} more are not listed here.\n");
        }
        if listed.iter().all(|event| event.id != gravest.id) {
            let _ = writeln!(text, "The gravest of them:\n");
            text.push_str(&paragraph(gravest));
        }
        if lost > 0 {
            let _ = writeln!(text, "{lost} events before these could not be told in time.\n");
        }
        let _ = writeln!(
            text,
            "-- \nThe director {director} wrote this, since on_event of its policy says so.\n\
             What happened: tandem events --since 1h\nHow it is now: tandem status"
        );
        let key = Message { event: gravest, lost }.idempotency_key();
        Self { subject, text, key }
    }
}

fn paragraph(event: &EventRecord) -> String {
    let sentence = one_line(&event.message, LONGEST_SENTENCE);
    let reason = one_line(&event.reason, LONGEST_SUBJECT);
    let mut text = format!("{sentence}\n  at {}: {}, {}", utc(event.unix_ms), event.kind, event.severity);
    if !reason.is_empty() {
        let _ = write!(text, ", because: {reason}");
    }
    let _ = writeln!(text, "\n  look further: {}\n", look_further(event));
    text
}

/// The command that says more of what an event is about.
fn look_further(event: &EventRecord) -> String {
    let word = |name: &str| one_line(name, LONGEST_SUBJECT);
    let subject = &event.subject;
    match (&subject.pool, &subject.server, &subject.router) {
        (Some(pool), Some(server), _) => format!("tandem explain {} {}", word(pool), word(server)),
        (Some(pool), None, _) => format!("tandem explain {}", word(pool)),
        (None, Some(server), _) => format!("tandem events --server {}", word(server)),
        (None, None, Some(router)) => format!("tandem events --router {}", word(router)),
        (None, None, None) => "tandem status".to_owned(),
    }
}

/// The text without control characters, and no longer than that.
fn one_line(text: &str, longest: usize) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut line: String = text.chars().take(longest).map(clean).collect();
    if text.chars().nth(longest).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Subject, event_record};
    use crate::model::{EventKind, Severity};
    use std::sync::Arc;

    fn collected(events: &[EventRecord], number: u64) -> Collected {
        let listed: Vec<_> = events.iter().cloned().map(Arc::new).collect();
        let gravest = listed.iter().rev().max_by_key(|event| event.severity).expect("an event");
        Collected { gravest: Arc::clone(gravest), listed, number }
    }

    fn master() -> EventRecord {
        EventRecord {
            kind: EventKind::RouterMaster,
            reason: "master_down".to_owned(),
            message: "outside is Master: the Master was not heard any more".to_owned(),
            subject: Subject { router: Some("outside".to_owned()), ..Subject::default() },
            ..event_record(2)
        }
    }

    #[test]
    fn a_mail_says_who_what_when_why_and_how_to_look_further() {
        let letter = Letter::of(&collected(&[event_record(1), master()], 2), 0);
        assert_eq!(letter.subject, "[lb-a] web1 of web is down: no answer within 1s (and 1 more)");
        let text = "web1 of web is down: no answer within 1s\n  \
             at 2023-11-14T22:13:20.001Z: server_down, warning, because: connect_timeout\n  \
             look further: tandem explain web web1\n\n\
             outside is Master: the Master was not heard any more\n  \
             at 2023-11-14T22:13:20.002Z: router_master, warning, because: master_down\n  \
             look further: tandem events --router outside\n\n\
             -- \nThe director lb-a wrote this, since on_event of its policy says so.\n\
             What happened: tandem events --since 1h\nHow it is now: tandem status\n";
        assert_eq!(letter.text, text);
        assert_eq!(letter.key, "lb-a-1700000000001-1");
    }

    #[test]
    fn the_gravest_is_the_subject_and_what_is_left_out_is_counted() {
        let grave =
            EventRecord { severity: Severity::Error, message: "web is down".to_owned(), ..event_record(7) };
        let mut many = collected(&[event_record(1)], 40_000);
        many.gravest = Arc::new(grave);
        let letter = Letter::of(&many, 3);
        assert_eq!(letter.subject, "[lb-a] web is down (and 39999 more)");
        for said in
            ["39999 more are not listed here.", "The gravest of them:\n\nweb is down\n", "3 events before"]
        {
            assert!(letter.text.contains(said), "{}", letter.text);
        }
    }

    #[test]
    fn nothing_from_outside_makes_a_line_of_its_own() {
        let evil = EventRecord {
            message: "down: 500\r\nBcc: all@example.com\r\n\r\nHello\n.\n".to_owned(),
            director: Some("lb\r\nX: y".to_owned()),
            ..event_record(1)
        };
        let letter = Letter::of(&collected(&[evil], 1), 0);
        assert!(!letter.subject.contains(char::is_control), "{:?}", letter.subject);
        let starts = |start: &str| letter.text.lines().any(|line| line.starts_with(start));
        assert!(!starts("Bcc:") && !starts("Hello") && !starts("X:") && !starts("."), "{}", letter.text);
        let long = EventRecord { message: "x".repeat(5_000), ..event_record(1) };
        assert!(Letter::of(&collected(&[long], 1), 0).subject.chars().count() < 170);
    }
}
