//! A hook that writes a mail (shell): one message to all its recipients, handed to one mail server, tried again a few times.
//!
//! A recipient that the server refuses does not keep the others from theirs, and one that it asks to try later is tried alone.
//! STARTTLS is taken or nothing is sent. Source: RFC 5321, RFC 3207, RFC 3834 (`Auto-Submitted`).

use super::attempts::{Attempt, Attempts};
use super::letter::Letter;
use super::trust::{LONGEST_SECRET, authorities, read};
use crate::hash::fnv1a;
use crate::model::{MailSecurity, MailSettings};
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// A server is given so long to say goodbye.
const LONGEST_GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Mailer {
    name: String,
    server: String,
    port: u16,
    hello: ClientId,
    security: Security,
    login: Option<Credentials>,
    from: Address,
    to: Vec<Address>,
    timeout: Duration,
}

impl std::fmt::Debug for Mailer {
    /// Without the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mailer").field("name", &self.name).finish_non_exhaustive()
    }
}

enum Security {
    StartTls(TlsParameters),
    Tls(TlsParameters),
    None,
}

/// A message on its way.
struct Open {
    content: Vec<u8>,
    /// Those who shall still get it.
    waiting: Vec<Address>,
    /// Whether somebody has got it.
    taken: bool,
}

impl Mailer {
    pub(super) fn new(settings: &MailSettings, timeout: Duration) -> Result<Self, String> {
        let address =
            |text: &String| text.parse::<Address>().map_err(|error| format!("its address {text}: {error}"));
        let login = settings.login.as_ref().map(|(user, place)| {
            let password = String::from_utf8(read(place, LONGEST_SECRET)?);
            let password = password.map_err(|_| "its password is no text".to_owned())?;
            Ok::<_, String>(Credentials::new(user.clone(), password))
        });
        Ok(Self {
            name: format!("mail by {}", settings.server),
            server: settings.server.clone(),
            port: settings.port,
            hello: hello(settings.hello.as_ref()),
            security: security(settings)?,
            login: login.transpose()?,
            from: address(&settings.from)?,
            to: settings.to.iter().map(address).collect::<Result<_, _>>()?,
            timeout,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends a letter, more than once where that may help. One recipient who gets it is enough.
    pub(super) async fn send(&self, letter: &Letter) -> Result<(), String> {
        let content = self.message(letter)?.formatted();
        let mut open = Open { content, waiting: self.to.clone(), taken: false };
        let mut attempts = Attempts::begin();
        let ended = loop {
            match self.attempt(&mut open).await {
                Attempt::Taken => break Ok(()),
                Attempt::Refused(reason) => break Err(reason),
                Attempt::Failed(reason) => {
                    if let Err(reason) = attempts.again(&self.name, reason).await {
                        break Err(reason);
                    }
                }
            }
        };
        match ended {
            Err(reason) if open.taken => {
                tracing::warn!("hook {}: not all recipients: {reason}", self.name);
                Ok(())
            }
            ended => ended,
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, String> {
        let mut builder = Message::builder()
            .from(Mailbox::new(None, self.from.clone()))
            .subject(letter.subject.clone())
            .message_id(Some(self.message_id(letter)))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(Mailbox::new(None, to.clone()));
        }
        // Lines of a mail end in CR LF whatever the text has.
        builder.body(letter.text.replace('\n', "\r\n")).map_err(|error| error.to_string())
    }

    /// The same for each attempt, and another where anything else is said or anybody else gets it.
    fn message_id(&self, letter: &Letter) -> String {
        let to: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        let said = fnv1a(format!("{}\n{}\n{}", to.join(","), letter.subject, letter.text).into_bytes());
        format!("<{}-{said:016x}@{}>", local_part(&letter.key), self.from.domain())
    }

    async fn attempt(&self, open: &mut Open) -> Attempt {
        let deadline = Instant::now() + self.timeout;
        let mut connection = match timeout_at(deadline, self.connect()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(attempt)) => return attempt,
            Err(_) => return Attempt::Failed("it did not greet in time".to_owned()),
        };
        let attempt = timeout_at(deadline, self.converse(&mut connection, open)).await;
        goodbye(&mut connection).await;
        match attempt {
            Ok(attempt) => attempt.unwrap_or_else(|error| judge(&error)),
            Err(_) => Attempt::Failed("no answer in time".to_owned()),
        }
    }

    /// A connection, sealed as it should be. One that TLS failed on has no stream any more: nothing more may be said on it.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Attempt> {
        let from_the_start = match &self.security {
            Security::Tls(parameters) => Some(parameters.clone()),
            Security::StartTls(_) | Security::None => None,
        };
        let server = (self.server.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, from_the_start, None)
                .await
                .map_err(|error| judge(&error))?;
        if let Security::StartTls(parameters) = &self.security {
            if !connection.can_starttls() {
                goodbye(&mut connection).await;
                return Err(Attempt::Refused("it does not offer STARTTLS: nothing is sent".to_owned()));
            }
            connection.starttls(parameters.clone(), &self.hello).await.map_err(|error| judge(&error))?;
        }
        Ok(connection)
    }

    async fn converse(
        &self,
        connection: &mut AsyncSmtpConnection,
        open: &mut Open,
    ) -> Result<Attempt, Error> {
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        self.hand_over(connection, open).await
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        open: &mut Open,
    ) -> Result<Attempt, Error> {
        connection.command(Mail::new(Some(self.from.clone()), Vec::new())).await?;
        let (mut accepted, mut later, mut refused) = (0, Vec::new(), Vec::new());
        let mut reason = String::new();
        for to in &open.waiting {
            match connection.command(Rcpt::new(to.clone(), Vec::new())).await {
                Ok(_) => accepted += 1,
                Err(error) if error.is_transient() => {
                    reason = format!("{to}: {}", words(&error));
                    later.push(to.clone());
                }
                Err(error) if error.is_permanent() => refused.push(format!("{to}: {}", words(&error))),
                Err(error) => return Err(error),
            }
        }
        if accepted > 0 {
            connection.command(Data).await?;
            connection.message(&open.content).await?;
            open.taken = true;
        }
        open.waiting = later;
        Ok(match (open.waiting.is_empty(), refused.is_empty()) {
            (true, true) => Attempt::Taken,
            (true, false) => Attempt::Refused(refused.join("; ")),
            (false, true) => Attempt::Failed(reason),
            (false, false) => {
                tracing::warn!("hook {}: {}", self.name, refused.join("; "));
                Attempt::Failed(reason)
            }
        })
    }
}

/// What was taken is taken, whatever becomes of this.
async fn goodbye(connection: &mut AsyncSmtpConnection) {
    let _ = timeout(LONGEST_GOODBYE, connection.abort()).await;
}

/// What the director calls itself: what the policy says, or the name of its host.
fn hello(said: Option<&String>) -> ClientId {
    let host = || nix::unistd::gethostname().ok()?.into_string().ok();
    let name = said.cloned().or_else(host).filter(|name| !name.is_empty());
    name.map_or(ClientId::Ipv4(Ipv4Addr::LOCALHOST), ClientId::Domain)
}

fn security(settings: &MailSettings) -> Result<Security, String> {
    let parameters = || {
        let mut builder =
            TlsParameters::builder(settings.server.clone()).certificate_store(CertificateStore::None);
        for authority in authorities(settings.ca.as_ref())? {
            let certificate = Certificate::from_der(authority.to_vec()).map_err(|error| words(&error))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(|error| words(&error))
    };
    Ok(match settings.security {
        MailSecurity::StartTls => Security::StartTls(parameters()?),
        MailSecurity::Tls => Security::Tls(parameters()?),
        MailSecurity::None => Security::None,
    })
}

/// A key as the left side of a Message-ID (RFC 5322, section 3.6.4): what is no atom of it is an underscore.
fn local_part(key: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    key.chars().map(plain).collect()
}

/// A server's 5xx stays so, and what it does not offer too; anything else may pass by itself (RFC 5321, section 4.2.1).
fn judge(error: &Error) -> Attempt {
    match error.is_permanent() || error.is_client() {
        true => Attempt::Refused(format!("{}: it is not tried again", words(error))),
        false => Attempt::Failed(words(error)),
    }
}

/// An error in one line; servers' words come from outside.
fn words(error: &Error) -> String {
    error.to_string().chars().filter(|letter| !letter.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailer() -> Mailer {
        let settings = MailSettings {
            server: "localhost".to_owned(),
            port: 25,
            security: MailSecurity::None,
            from: "tandem@example.com".to_owned(),
            to: vec!["ops@example.com".to_owned(), "night@example.com".to_owned()],
            login: None,
            ca: None,
            hello: None,
            collect: Duration::ZERO,
        };
        Mailer::new(&settings, Duration::from_secs(1)).expect("a mailer")
    }

    fn letter(subject: &str, text: &str) -> Letter {
        Letter { subject: subject.to_owned(), text: text.to_owned(), key: "lb-a.x-7-1".to_owned() }
    }

    /// Headers and text of a message.
    fn written(letter: &Letter) -> (Vec<String>, String) {
        let message = mailer().message(letter).expect("a message").formatted();
        let text = String::from_utf8(message).expect("ASCII");
        assert!(text.is_ascii() && !text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
        let (headers, text) = text.split_once("\r\n\r\n").expect("headers and a text");
        (headers.split("\r\n").map(str::to_owned).collect(), text.to_owned())
    }

    #[test]
    fn a_message_has_the_headers_of_a_mail_that_no_person_wrote() {
        let (headers, text) = written(&letter("[lb-a] web is down", "web is down\n.\n"));
        for header in [
            "From: tandem@example.com",
            "To: ops@example.com, night@example.com",
            "Subject: [lb-a] web is down",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(headers.iter().any(|line| line == header), "{header}: {headers:?}");
        }
        assert!(headers.iter().any(|line| line.starts_with("Date: ")), "{headers:?}");
        let id = headers.iter().find_map(|line| line.strip_prefix("Message-ID: ")).expect("an id");
        assert!(id.starts_with("<lb-a_x-7-1-") && id.ends_with("@example.com>"), "{id}");
        assert_eq!(text, "web is down\r\n.\r\n");
        let (again, _) = written(&letter("[lb-a] web is down", "web is down\n.\n"));
        assert!(again.iter().any(|line| line.ends_with(id)), "the same for the same");
        let (other, _) = written(&letter("[lb-a] web is down", "and more\n"));
        assert!(other.iter().all(|line| !line.ends_with(id)), "another for another");
    }

    #[test]
    fn a_subject_stays_one_header_whatever_is_in_it() {
        for subject in
            ["a\r\nBcc: all@example.com", "a\nBcc: all@example.com", "ä\r\n\r\nHello", &"long ".repeat(60)]
        {
            let (headers, text) = written(&letter(subject, "text\n"));
            let starts = |start: &str| headers.iter().any(|line| line.starts_with(start));
            assert!(starts("Subject: ") && !starts("Bcc") && !starts("Hello"), "{headers:?}");
            assert_eq!(text, "text\r\n", "{headers:?}");
        }
    }
}
