//! keepalived.conf to the common form.
//!
//! ```text
//! files ─▶ lines (comments, quotes) ─▶ macros ─▶ statements ─▶ blocks, one file each ─▶ Site
//! ```
//!
//! Every statement gets a verdict: that of its keyword (`keywords`), made worse where its value asks for more. What keepalived
//! only warns of is read as keepalived reads it. Source: keepalived.conf(5) of version 2.4.

mod address;
mod authentication;
mod checker;
mod checkers;
mod context;
mod files;
mod global;
mod http;
mod instance;
mod keywords;
mod macros;
mod notify;
mod real_server;
mod service_group;
mod sync_group;
mod track;
mod tree;
mod value;
mod virtual_server;
mod words;

pub(super) use files::read as read_file;
pub(super) use keywords::anywhere;
pub(super) use virtual_server::{empty_pool, prefix};
pub(super) use words::{command, counts};

use super::site::Site;
use super::verdict::{Ledger, near, none, same};
use crate::policy::Files;
use context::Context;
use keywords::Place;
use std::path::Path;
use tree::Statement;

/// What a file says of its machine, which is `config_id` to its conditions.
pub(super) fn read(
    path: &Path,
    text: &str,
    files: &dyn Files,
    config_id: &str,
    ledger: &mut Ledger,
) -> Result<Site, String> {
    let mut reader = files::Reader::new(files, ledger, config_id);
    reader.text(path, text, 0);
    let expander = reader.expander;
    if let Some(why) = expander.stopped {
        return Err(why);
    }
    let (statements, problems) = tree::statements(&expander.pieces);
    for (at, problem) in problems {
        ledger.note(at, none(problem));
    }
    let mut context = Context::new(ledger);
    for first in [true, false] {
        let turn = |statement: &&Statement| is_definition(statement.name()) == first;
        statements.iter().filter(turn).for_each(|statement| root(statement, &mut context));
    }
    let site = context.finish();
    ledger.fill(counts, &near("never read: it belongs to a macro that nothing uses, or to another machine"));
    Ok(site)
}

/// Blocks that others refer to, wherever they stand.
fn is_definition(name: &str) -> bool {
    !matches!(name, "vrrp_instance" | "vrrp_sync_group" | "virtual_server")
}

fn root(statement: &Statement, context: &mut Context<'_>) {
    let Some(judged) = context.judge(Place::Root, statement) else { return };
    match statement.name() {
        "global_defs" => global::block(statement, context),
        "vrrp_script" => track::script(statement, context),
        "track_file" | "vrrp_track_file" => track::file(statement, context),
        "vrrp_track_process" => track::process(statement, context),
        "virtual_server_group" => service_group::block(statement, context),
        "SSL" => http::authorities(statement, context),
        "garp_group" => global::garp_group(statement, context),
        "static_ipaddress" => address::held(statement, context),
        "vrrp_instance" => instance::block(statement, context),
        "vrrp_sync_group" => sync_group::block(statement, context),
        "virtual_server" => return virtual_server::block(statement, context),
        _ => return context.swallow(statement, judged),
    }
    context.note(statement, if statement.block.is_some() { judged } else { same() });
}
