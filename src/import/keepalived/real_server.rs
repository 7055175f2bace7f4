//! `real_server`: a machine that answers, and its checkers.

use super::checkers;
use super::context::Context;
use super::keywords::Place;
use super::tree::Statement;
use super::value::{bad, number, or_bad, switch};
use super::virtual_server::{Draft, forwarding};
use crate::import::site::{About, Server};
use crate::import::verdict::{Judged, near, none};

/// The largest weight of the kernel that a policy takes.
const MOST_WEIGHT: u32 = 65_535;

pub(super) fn block(statement: &Statement, draft: &mut Draft, context: &mut Context<'_>) -> Option<Judged> {
    let mut inherited = draft.inherited.clone();
    context.ledger.block(statement.at, statement.origins());
    let Some(address) = statement.word(1).and_then(|address| address.parse().ok()) else {
        context.swallow(statement, none("a server is named by its address: names are not resolved"));
        return Some(none("a server is named by its address: names are not resolved"));
    };
    let Some(port) = port(statement) else {
        context.swallow(statement, none("the port is not a number"));
        return Some(none("the port is not a number"));
    };
    let mut server = Server {
        at: statement.at,
        address,
        port,
        weight: 1,
        upper: None,
        lower: None,
        forwarding: None,
        checks: Vec::new(),
    };
    let is_checker = |inner: &Statement| inner.name().ends_with("_CHECK") || inner.name().ends_with("_GET");
    let (checkers, own): (Vec<Statement>, Vec<Statement>) =
        statement.inside().iter().cloned().partition(is_checker);
    let about = About::Server(String::new(), address, port);
    context.block(Place::RealServer, &own, |context, inner| {
        if let Some(outcome) = draft.notice(inner, &about, context) {
            return outcome;
        }
        if let Some(outcome) = inherited.read(inner) {
            return outcome;
        }
        read(inner, &mut server, draft)
    });
    draft.pool.starts_down |= inherited.alpha;
    context.block(Place::RealServer, &checkers, |context, inner| {
        checkers::block(inner, &inherited, &mut server, context)
    });
    draft.pool.servers.push(server);
    None
}

/// The port behind an address: `None` inside where there is none, or 0; the outer one where it is no port.
pub(super) fn port(statement: &Statement) -> Option<Option<u16>> {
    match statement.word(2) {
        None => Some(None),
        Some(text) => text.parse().ok().map(|port| Some(port).filter(|port| *port > 0)),
    }
}

fn read(inner: &Statement, server: &mut Server, draft: &mut Draft) -> Option<Judged> {
    match inner.name() {
        "weight" => match number::<u32>(inner, 1) {
            Some(weight) if weight <= MOST_WEIGHT => server.weight = weight,
            Some(_) => {
                server.weight = MOST_WEIGHT;
                return Some(near("65535 is the largest weight"));
            }
            None => return bad(inner),
        },
        "lvs_method" | "lb_kind" => match forwarding(inner) {
            Some(own) => server.forwarding = (own != draft.pool.forwarding).then_some(own),
            None => return bad(inner),
        },
        "uthreshold" => {
            server.upper = Some(or_bad!(number(inner, 1), inner)).filter(|upper| *upper > 0);
        }
        "lthreshold" => server.lower = Some(or_bad!(number(inner, 1), inner)),
        "inhibit_on_failure" if switch(inner) && !draft.pool.quiesces => {
            draft.pool.quiesces = true;
            return Some(near("for every server of the pool"));
        }
        _ => {}
    }
    None
}
