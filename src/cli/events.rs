//! `tandem events`: what has happened to a running director, and what happens.

use super::ExitStatus;
use super::arguments::EventsOptions;
use super::ask::{failed, wait_for};
use super::colour_on;
use super::table::{Tint, tinted};
use crate::control::{Client, ClientError, EventList, EventQuery, EventRecord, Followed};
use crate::model::Severity;
use crate::policy::Colour;
use crate::time::milliseconds;
use crate::time::utc;
use std::io::{IsTerminal as _, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Prints events, a line each, the oldest first.
///
/// # Errors
/// When they cannot be written.
pub(super) fn events(
    wanted: EventsOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let form = match wanted.json {
        true => Form::Json,
        false => Form::Text(colour_on(std::io::stdout().is_terminal())),
    };
    let client = Client::new(&wanted.at.socket);
    let ended = wait_for(print(&client, wanted, form, out, err))?;
    match ended {
        Ok(()) => Ok(ExitStatus::Done),
        Err(End::Client(error)) => failed(&error, err),
        Err(End::Writer(error)) => Err(error.into()),
    }
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Text(Colour),
    Json,
}

/// Why it is over.
#[derive(Debug)]
enum End {
    Client(ClientError),
    Writer(std::io::Error),
}

impl From<ClientError> for End {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Writer(error)
    }
}

async fn print(
    client: &Client,
    wanted: EventsOptions,
    form: Form,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), End> {
    let query = EventQuery { since_ms: wanted.since.map(ago), pool: wanted.pool, ..EventQuery::default() };
    let EventList { events, last_id, .. } = client.events(&query).await?;
    events.iter().try_for_each(|event| write(event, form, out))?;
    if !wanted.follow {
        return Ok(());
    }
    out.flush()?;
    let from_now_on = EventQuery { since_ms: None, after: Some(last_id), ..query };
    let each = |followed| {
        match followed {
            Followed::Event(event) => write(&event, form, out)?,
            Followed::Lost(lost) => writeln!(err, "tandem: {lost} events came too fast and are left out")?,
        }
        out.flush()?;
        Ok(())
    };
    client.follow(&from_now_on, each).await
}

/// Unix time in milliseconds.
fn ago(time: Duration) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how long ago is by the wall clock, as people count")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    milliseconds(now.saturating_sub(time))
}

fn write(event: &EventRecord, form: Form, out: &mut dyn Write) -> std::io::Result<()> {
    match form {
        Form::Text(colour) => writeln!(out, "{}", line(event, colour)),
        Form::Json => writeln!(out, "{}", serde_json::to_string(event)?),
    }
}

/// Time, gravity, kind, sentence, and the word of the reason.
pub(super) fn line(event: &EventRecord, colour: Colour) -> String {
    let tint = match event.severity {
        Severity::Info => Tint::Plain,
        Severity::Warning => Tint::Doubtful,
        Severity::Error => Tint::Bad,
    };
    let severity = tinted(format!("{:7}", event.severity.name()), tint, colour);
    let kind = format!("{:18}", event.kind.name());
    // What a server or a kernel said may hold anything; a terminal obeys some of it.
    let message: String =
        event.message.chars().map(|found| if found.is_control() { ' ' } else { found }).collect();
    format!("{}  {severity}  {kind}  {message}  [{}]", utc(event.unix_ms), event.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event_record;

    #[test]
    fn an_event_is_one_line_with_its_time_and_reason() {
        let text = line(&event_record(7), Colour::Plain);
        assert_eq!(
            text,
            "2023-11-14T22:13:20.007Z  warning  server_down         web1 of web is down: no answer within 1s  \
             [connect_timeout]"
        );
        let strange = EventRecord { message: "a\nb\u{1b}[31mc".to_owned(), ..event_record(7) };
        assert!(!line(&strange, Colour::Plain).contains(char::is_control));
        assert!(line(&event_record(7), Colour::Ansi).contains('\u{1b}'));
    }
}
