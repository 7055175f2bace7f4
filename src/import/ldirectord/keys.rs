//! The keywords of ldirectord.cf with their verdicts.

use crate::import::verdict::{Judged, near, none, same};

const MAIL: &str =
    "write {mail: {server: …, from: …, to: […]}} under on_event: which events it tells is said there";
const NO_SCRIPT: &str =
    "no program is run at this change: it is a line of the log and a change of the metrics";

/// Keywords whose value is a number.
pub(super) const NUMBERS: [&str; 6] =
    ["checktimeout", "negotiatetimeout", "checkinterval", "failurecount", "checkport", "persistent"];

/// The verdict of a keyword; `None`: there is no such keyword.
pub(super) fn judged(name: &str) -> Option<Judged> {
    Some(match name {
        "virtual" | "virtual6" | "real" | "real6" | "fallback" | "fallback6" => same(),
        "checktimeout" | "negotiatetimeout" | "checkinterval" | "failurecount" | "checkport" => same(),
        "checktype" | "service" | "request" | "receive" | "httpmethod" | "virtualhost" | "database" => same(),
        "scheduler" | "persistent" | "netmask" | "protocol" | "ops" | "quiescent" | "cleanstop" => same(),
        "checkcommand" | "login" => same(),
        "checkcount" => near("failurecount counts failures in a row, of pings too"),
        "passwd" => {
            near("no check logs in with a password: the greeting, or the user's being known, is enough")
        }
        "secret" => none("there is no check of RADIUS"),
        "logfile" => near("the log goes to the journal; --log-format json is for machines"),
        "supervised" | "fork" => {
            near("always: one process in the foreground, which checks every server at the same time")
        }
        "readdquiescent" => near("always: the table is made as the policy says"),
        "servicename" | "comment" => near("a label of the pool, in the metrics"),
        "monitorfile" => near("each verdict is a line of the log, and every check is counted in the metrics"),
        "maintenancedir" => {
            none("a check of a file says down or drain for one server: checks: {by-hand: {file: {path: …}}}")
        }
        "emailalert" | "emailalertfrom" | "emailalertfreq" | "emailalertstatus" | "smtp" => none(MAIL),
        "fallbackcommand" | "callback" => none(NO_SCRIPT),
        "autoreload" => none("this version cannot reload: restart it, the table and its connections stay"),
        "execute" => none("one director has one policy, of as many files as it includes"),
        _ => return None,
    })
}
