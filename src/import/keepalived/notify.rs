//! Scripts that keepalived runs at changes, and its mail.

use super::context::Context;
use super::tree::Statement;
use super::value::{bad, switch, time};
use super::words::command;
use crate::import::names;
use crate::import::site::{About, Mail, Script};
use crate::import::verdict::{Judged, Origin, near, none, same};
use crate::model::{EventKind, MailSettings, SmtpSpec};

/// What `notify` is run with: its own arguments, and of keepalived's four the first three.
const NOTIFY: &str = "exec \"$0\" \"$@\" \"$TANDEM_STATE\"";

/// What is said of mail, all over the file.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    to: Vec<String>,
    to_at: Option<Origin>,
    from: Option<String>,
    server: Option<String>,
    hello: Option<String>,
    timeout_ms: Option<u64>,
    all: Option<bool>,
    of_routers: Option<bool>,
    of_pools: Option<bool>,
    /// Where it is switched on.
    at: Vec<Origin>,
    routers: Vec<String>,
    pools: Vec<String>,
}

/// A script of a router, a group (with the router that stands for it), a pool or a server; `None` where the keyword is no script.
pub(super) fn script(
    inner: &Statement,
    about: &About,
    group: Option<&str>,
    default_user: Option<&String>,
) -> Option<Result<Script, Judged>> {
    use EventKind::{
        DirectorStopping, PoolDown, PoolUp, RouterBackup, RouterFault, RouterMaster, RouterOut, ServerDown,
        ServerUp,
    };
    let kinds = match inner.name() {
        "notify_master" => vec![RouterMaster],
        "notify_backup" => vec![RouterBackup],
        "notify_fault" => vec![RouterFault],
        "notify_stop" => vec![DirectorStopping],
        "notify_deleted" => vec![RouterOut],
        "notify" => vec![RouterMaster, RouterBackup, RouterFault],
        "quorum_up" => vec![PoolUp],
        "quorum_down" => vec![PoolDown],
        "notify_up" => vec![ServerUp],
        "notify_down" => vec![ServerDown],
        _ => return None,
    };
    let Some(mut argv) = argv(inner) else {
        return Some(Err(bad(inner).unwrap_or_else(same)));
    };
    if inner.name() == "notify" {
        let (what, name) = match (group, about) {
            (Some(group), _) => ("GROUP", group),
            (None, About::Router(name)) => ("INSTANCE", name.as_str()),
            (None, _) => ("INSTANCE", ""),
        };
        argv.splice(0..0, ["/bin/sh", "-c", NOTIFY].map(str::to_owned));
        argv.extend([what, name].map(str::to_owned));
    }
    // One that is about a router would never hear that the director stops.
    let about = if inner.name() == "notify_stop" { About::Director } else { about.clone() };
    let user = inner.word(2).map(str::to_owned).or_else(|| default_user.cloned());
    Some(Ok(Script { at: inner.at, kinds, command: argv, user, about }))
}

/// A program with its whole path and its arguments.
fn argv(inner: &Statement) -> Option<Vec<String>> {
    let argv = command(inner.word(1)?);
    let visible = |word: &String| !word.trim().is_empty() && !word.chars().any(char::is_control);
    let good = argv.iter().all(visible) && argv.first().is_some_and(|program| program.starts_with('/'));
    good.then_some(argv)
}

impl Context<'_> {
    /// Takes a script or a switch of mail of a router; the outcome is that of a reader of keywords.
    pub(super) fn notice_of_router(
        &mut self,
        inner: &Statement,
        router: &str,
        group: Option<&str>,
    ) -> Option<Judged> {
        if inner.name() == "smtp_alert" {
            self.alerts.routers.retain(|name| name != router);
            if switch(inner) {
                self.alerts.routers.push(router.to_owned());
                self.alerts.at.push(inner.at);
            }
            return None;
        }
        let about = About::Router(router.to_owned());
        match script(inner, &about, group, self.globals.script_user.as_ref())? {
            Ok(script) => {
                self.site.notices.push(script);
                None
            }
            Err(judged) => Some(judged),
        }
    }

    /// Whether a router has mail that says nothing of it.
    pub(super) fn alerts_of_router(&mut self, router: &str, said: bool) {
        if !said && self.alerts.of_routers.or(self.alerts.all).unwrap_or(false) {
            self.alerts.routers.push(router.to_owned());
        }
    }

    /// Whether a pool has mail: `said` of it or of its servers, else as of all, else yes.
    pub(super) fn alerts_of_pool(&mut self, pool: &str, said: Option<bool>, at: Option<Origin>) {
        if said.or(self.alerts.of_pools).or(self.alerts.all).unwrap_or(true) {
            self.alerts.pools.push(pool.to_owned());
            self.alerts.at.extend(at);
        }
    }

    /// A keyword of mail in `global_defs`.
    pub(super) fn mail(&mut self, statement: &Statement) -> Option<Judged> {
        let alerts = &mut self.alerts;
        match statement.name() {
            "smtp_alert" => alerts.all = Some(switch(statement)),
            "smtp_alert_vrrp" => alerts.of_routers = Some(switch(statement)),
            "smtp_alert_checker" => alerts.of_pools = Some(switch(statement)),
            "notification_email" => recipients(statement, self),
            "notification_email_from" => {
                alerts.from = address(&statement.arguments().join(" "));
                return match (&alerts.from, statement.arguments()) {
                    (None, _) => bad(statement),
                    (Some(from), [said]) if from == said => None,
                    (Some(_), _) => Some(near("the address alone, without the name")),
                };
            }
            "smtp_server" => {
                let host =
                    statement.word(1).map(|host| host.trim_matches(['[', ']'])).and_then(names::server);
                let port = statement.word(2).map_or(Some(25), |port| port.parse::<u16>().ok());
                let (Some(host), Some(port @ 1..)) = (host, port) else { return bad(statement) };
                let six = host.contains(':');
                alerts.server = Some(if six { format!("[{host}]:{port}") } else { format!("{host}:{port}") });
            }
            "smtp_helo_name" => match statement.word(1).filter(|name| SmtpSpec::can_greet_with(name)) {
                Some(name) => alerts.hello = Some(name.to_owned()),
                None => return bad(statement),
            },
            "smtp_connect_timeout" => match time(statement, 1) {
                Some(limit) => alerts.timeout_ms = Some(limit),
                None => return bad(statement),
            },
            _ => {}
        }
        None
    }

    /// The mail of the site, once all of it was read.
    pub(super) fn finish_mail(&mut self) {
        let alerts = std::mem::take(&mut self.alerts);
        let Some(at) = alerts.to_at.filter(|_| !alerts.to.is_empty()) else {
            for at in alerts.at {
                self.ledger.note(at, none("nobody is named in notification_email"));
            }
            return;
        };
        if alerts.routers.is_empty() && alerts.pools.is_empty() {
            self.ledger.note(at, none("no router and no pool has an alert by mail"));
            return;
        }
        self.site.mail = Some(Mail {
            at,
            to: alerts.to,
            from: alerts.from,
            server: alerts.server.unwrap_or_else(|| "127.0.0.1:25".to_owned()),
            hello: alerts.hello,
            timeout_ms: alerts.timeout_ms,
            routers: alerts.routers,
            pools: alerts.pools,
        });
    }
}

fn recipients(statement: &Statement, context: &mut Context<'_>) {
    context.alerts.to_at = Some(statement.at);
    for line in statement.inside() {
        let found = address(&line.words.join(" "));
        let judged = match found {
            Some(_) if context.alerts.to.len() >= MailSettings::MOST_RECIPIENTS => {
                none("a mail has 16 recipients at most: let the mail server pass it on to a list")
            }
            Some(found) => {
                let whole = line.words == [found.clone()];
                if !context.alerts.to.contains(&found) {
                    context.alerts.to.push(found);
                }
                if whole { same() } else { near("the address alone, without the name") }
            }
            None => none("this is no mail address in ASCII"),
        };
        context.note(line, judged);
    }
}

/// The address of `Name <address>`, or of the address alone.
fn address(text: &str) -> Option<String> {
    let inner = text.rsplit_once('<').map_or(text, |(_, rest)| rest.trim_end().trim_end_matches('>'));
    let inner = inner.trim();
    MailSettings::is_address(inner).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_taken_out_of_its_name() {
        assert_eq!(address("Load balancer <lb@shop.example>").as_deref(), Some("lb@shop.example"));
        assert_eq!(address("root@localhost").as_deref(), Some("root@localhost"));
        assert_eq!(address("nobody"), None);
    }
}
