//! What reading a keepalived.conf collects: the site, what its blocks refer to, and the verdicts.

use super::keywords::{self, Place};
use super::notify::Alerts;
use super::sync_group::GroupRules;
use super::tree::Statement;
use super::value::switch;
use crate::import::site::{Garp, Service, Site};
use crate::import::verdict::{Judged, Ledger, Origin, Verdict, none, same};
use std::collections::{BTreeMap, BTreeSet};

/// What `global_defs` sets for the blocks below.
pub(super) struct Globals {
    pub(super) version: u8,
    pub(super) checksum_as_v2: bool,
    pub(super) garp: Garp,
    /// Least time between two announcements, by interface.
    pub(super) garp_groups: BTreeMap<String, u64>,
    pub(super) start_delay_ms: u64,
    pub(super) interface: String,
    pub(super) script_user: Option<String>,
}

/// A script, a file or a process that routers track, with its own weight.
#[derive(Clone, Debug)]
pub(super) struct Tracking {
    pub(super) what: crate::import::site::Tracked,
    pub(super) weight: i32,
    pub(super) reverse: bool,
}

/// Certificates of `SSL`.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorities {
    pub(super) ca: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

pub(super) struct Context<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) site: Site,
    pub(super) globals: Globals,
    pub(super) scripts: BTreeMap<String, Tracking>,
    pub(super) files: BTreeMap<String, Tracking>,
    pub(super) processes: BTreeMap<String, Tracking>,
    pub(super) service_groups: BTreeMap<String, Vec<(Service, Origin)>>,
    pub(super) authorities: Authorities,
    /// Names of scripts that something tracks.
    pub(super) tracked_scripts: BTreeSet<String>,
    pub(super) pool_names: BTreeSet<String>,
    /// What groups add to their routers.
    pub(super) group_rules: Vec<GroupRules>,
    pub(super) alerts: Alerts,
}

impl<'a> Context<'a> {
    pub(super) fn new(ledger: &'a mut Ledger) -> Self {
        Self {
            ledger,
            site: Site { removes_at_stop: true, ..Site::default() },
            globals: Globals {
                version: 2,
                checksum_as_v2: false,
                garp: Garp::default(),
                garp_groups: BTreeMap::new(),
                start_delay_ms: 0,
                interface: "eth0".to_owned(),
                script_user: None,
            },
            scripts: BTreeMap::new(),
            files: BTreeMap::new(),
            processes: BTreeMap::new(),
            service_groups: BTreeMap::new(),
            authorities: Authorities::default(),
            tracked_scripts: BTreeSet::new(),
            pool_names: BTreeSet::new(),
            group_rules: Vec::new(),
            alerts: Alerts::default(),
        }
    }

    /// The site, without the scripts that nobody tracks.
    pub(super) fn finish(mut self) -> Site {
        self.apply_groups();
        self.finish_mail();
        self.site.scripts.retain(|check| self.tracked_scripts.contains(&check.hint));
        self.site
    }

    pub(super) fn note(&mut self, statement: &Statement, judged: Judged) {
        self.ledger.note(statement.at, judged);
    }

    /// The verdict of a statement's keyword; `None`, and noted, where there is no such keyword.
    pub(super) fn judge(&mut self, place: Place, statement: &Statement) -> Option<Judged> {
        let judged = keywords::find(place, statement.name());
        if judged.is_none() {
            self.swallow(statement, none(format!("unknown keyword {}", statement.name())));
        }
        judged
    }

    /// Gives a statement and everything inside one verdict.
    pub(super) fn swallow(&mut self, statement: &Statement, judged: Judged) {
        statement.inside().iter().for_each(|inner| self.swallow(inner, judged.clone()));
        self.note(statement, judged);
    }

    /// Reads the statements of a block: `read` takes each, and says where its value makes the keyword's verdict another one.
    pub(super) fn block(
        &mut self,
        place: Place,
        statements: &[Statement],
        read: impl FnMut(&mut Self, &Statement) -> Option<Judged>,
    ) {
        self.block_of(&[place], statements, read);
    }

    /// The same of a block that has the keywords of several.
    pub(super) fn block_of(
        &mut self,
        places: &[Place],
        statements: &[Statement],
        mut read: impl FnMut(&mut Self, &Statement) -> Option<Judged>,
    ) {
        for statement in statements {
            let known = places.iter().find_map(|place| keywords::find(*place, statement.name()));
            let Some(judged) = known else {
                self.swallow(statement, none(format!("unknown keyword {}", statement.name())));
                continue;
            };
            if judged.verdict == Verdict::None && statement.block.is_some() {
                self.swallow(statement, judged);
                continue;
            }
            let outcome = read(self, statement);
            let is_off = statement.name().starts_with("smtp_alert") && !switch(statement);
            self.note(statement, if is_off { same() } else { outcome.unwrap_or(judged) });
        }
    }
}
