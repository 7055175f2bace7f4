//! Hooks of events: what is run, called or written to, at which events.

use super::{EventKind, PoolName, RouterName, Secret, Severity};
use std::collections::BTreeSet;
use std::time::Duration;

/// Something that is run, called or written to at events, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHook {
    pub act: HookAct,
    /// Bounds a program, or one attempt of a webhook or a mail, 100 ms..=60 s.
    pub timeout: Duration,
    pub filter: EventFilter,
}

impl EventHook {
    /// Hooks of one policy, at most.
    pub const MOST: usize = 16;

    /// Whether it is made ready from files, whose content may be another at the next reload.
    #[must_use]
    pub const fn reads_files(&self) -> bool {
        match &self.act {
            HookAct::Exec { .. } => false,
            HookAct::Webhook { url, secret, ca } => {
                matches!(url, HookUrl::Secret(_)) || secret.is_some() || ca.is_some()
            }
            HookAct::Mail(mail) => mail.login.is_some() || mail.ca.is_some(),
        }
    }
}

/// What a hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAct {
    /// A program, an absolute path, and its arguments; never empty. `None`: as the director's own user.
    Exec { command: Vec<String>, user: Option<String> },
    /// A POST of the event.
    Webhook {
        url: HookUrl,
        /// Signs what is sent.
        secret: Option<Secret>,
        /// Certificate authorities to trust; `None`: the system's.
        ca: Option<Secret>,
    },
    /// A mail of the events of some seconds.
    Mail(MailSettings),
}

/// A mail at events, and the server that takes it (RFC 5321, RFC 6409).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailSettings {
    /// Host name or address of the mail server.
    pub server: String,
    pub port: u16,
    pub security: MailSecurity,
    /// An address in ASCII, as all of `to` are.
    pub from: String,
    /// 1..=[`Self::MOST_RECIPIENTS`], each once.
    pub to: Vec<String>,
    /// User name and password; never with [`MailSecurity::None`].
    pub login: Option<(String, Secret)>,
    /// Certificate authorities to trust; `None`: the system's.
    pub ca: Option<Secret>,
    /// What the director calls itself in EHLO; `None`: the name of its host.
    pub hello: Option<String>,
    /// From the first event to the mail that tells it and what came after it, 0 s..=1 h.
    pub collect: Duration,
}

impl MailSettings {
    /// Recipients of one hook at most.
    pub const MOST_RECIPIENTS: usize = 16;
    /// Bytes of an address at most (RFC 5321, section 4.5.3.1.3, without its brackets).
    pub const LONGEST_ADDRESS: usize = 254;

    /// Whether a text is an address of somebody, without a display name, and in ASCII: so any server takes it.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        let plain = text.len() <= Self::LONGEST_ADDRESS && text.bytes().all(|byte| byte.is_ascii_graphic());
        plain && text.parse::<lettre::Address>().is_ok()
    }
}

/// How the way to a mail server is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailSecurity {
    /// By STARTTLS (RFC 3207); a server that does not offer it gets no mail.
    #[default]
    StartTls,
    /// From the first byte on (RFC 8314).
    Tls,
    /// Not at all.
    None,
}

impl MailSecurity {
    /// The port where a server takes mail in this way, unless it is said.
    #[must_use]
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }

    /// Its word in the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }
}

/// Where a webhook is. Whoever knows some addresses may post: those are secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookUrl {
    Plain(String),
    Secret(Secret),
}

/// Which events a hook gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Empty: every kind but [`EventKind::TableChanged`], which follows from the others.
    pub kinds: BTreeSet<EventKind>,
    /// At least so grave.
    pub severity: Severity,
    /// With pools or routers: what concerns one of them.
    pub pools: BTreeSet<PoolName>,
    pub routers: BTreeSet<RouterName>,
}

impl EventFilter {
    /// Whether an event of this kind and gravity, of this pool or router, is taken.
    #[must_use]
    pub fn takes(
        &self,
        kind: EventKind,
        severity: Severity,
        pool: Option<&str>,
        router: Option<&str>,
    ) -> bool {
        let of_kind = match self.kinds.is_empty() {
            true => kind != EventKind::TableChanged,
            false => self.kinds.contains(&kind),
        };
        let everywhere = self.pools.is_empty() && self.routers.is_empty();
        let concerns =
            |names: &BTreeSet<PoolName>, name: Option<&str>| name.is_some_and(|name| names.contains(name));
        let here = everywhere || concerns(&self.pools, pool) || concerns(&self.routers, router);
        of_kind && severity >= self.severity && here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_everything_is_taken_but_what_follows_from_the_rest() {
        let all = EventFilter::default();
        assert!(all.takes(EventKind::ServerUp, Severity::Info, None, None));
        assert!(!all.takes(EventKind::TableChanged, Severity::Info, None, None));
        let kinds = EventFilter { kinds: [EventKind::TableChanged].into(), ..EventFilter::default() };
        assert!(kinds.takes(EventKind::TableChanged, Severity::Info, None, None));
        assert!(!kinds.takes(EventKind::ServerUp, Severity::Info, None, None));
    }

    #[test]
    fn pools_and_routers_are_either_or_and_gravity_is_at_least() {
        let filter = EventFilter {
            severity: Severity::Warning,
            pools: ["web".into()].into(),
            routers: ["outside".into()].into(),
            ..EventFilter::default()
        };
        let takes = |pool, router| filter.takes(EventKind::PoolDown, Severity::Error, pool, router);
        assert!(takes(Some("web"), None) && takes(None, Some("outside")));
        assert!(!takes(Some("api"), None) && !takes(None, None));
        assert!(!filter.takes(EventKind::PoolDown, Severity::Info, Some("web"), None));
    }
}
