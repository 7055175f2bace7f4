//! Ours beside theirs: policies and tables that differ are an alarm before a failover makes them an outage. Pure.
//!
//! A reload reaches one director before the other, and a server that dies is seen by one before the other: a difference counts
//! when it has lasted for [`GRACE`]. It is told once when it begins to count, and once when it ends.

use super::heard::Heard;
use super::report::{Report, Summaries};
use super::view::Names;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a difference may last without counting.
pub const GRACE: Duration = Duration::from_secs(10);

/// This director.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// What it tells of itself; `None` until it does.
    pub report: Option<&'a Report>,
    pub pools: &'a Summaries,
}

/// What began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The policies differ; false: they are the same again.
    Policies(bool),
    /// The tables of these pools differ, of some under `mh`.
    Tables { pools: Names, mh: bool },
    /// All tables are the same again.
    TablesMatch,
}

/// How they compare now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub policy_match: Option<bool>,
    pub table_match: Option<bool>,
    pub differing: Names,
    pub mh_differs: bool,
    pub down_there: Names,
    pub down_here: Names,
}

/// What must be remembered of one peer.
#[derive(Debug, Default)]
pub struct Comparison {
    policies_differ_since: Option<Instant>,
    policies_alarmed: bool,
    /// Pools whose tables differ, and since when.
    differing: BTreeMap<String, Instant>,
    /// What was told of tables last.
    tables_alarmed: Option<Names>,
}

impl Comparison {
    /// Compares; what began or ended goes into `alarms`. `theirs` is `None` while nothing is heard: nothing is known then, and
    /// what counted before still does when it is heard again.
    pub fn look(
        &mut self,
        now: Instant,
        ours: Ours<'_>,
        theirs: Option<&Heard>,
        alarms: &mut Vec<Alarm>,
    ) -> Compared {
        let Some((heard, report)) = theirs.and_then(|heard| Some((heard, heard.report.as_ref()?))) else {
            return Compared::default();
        };
        let policy_match = match ours.report.and_then(|ours| same_policy(ours, report)) {
            Some(same) => Some(self.policies(now, same, alarms)),
            // A director that has just reloaded does not know its policy's number yet: an alarm stands until it does.
            None => self.policies_alarmed.then_some(false),
        };
        let mut compared = Compared { policy_match, ..Compared::default() };
        if heard.is_complete() {
            pools_down(ours.pools, &heard.pools, &mut compared);
            if report.ready && ours.report.is_some_and(|ours| ours.ready) {
                self.tables(now, ours.pools, &heard.pools, &mut compared, alarms);
            }
        }
        compared
    }

    /// Whether they count as the same.
    fn policies(&mut self, now: Instant, same: bool, alarms: &mut Vec<Alarm>) -> bool {
        self.policies_differ_since = (!same).then(|| self.policies_differ_since.unwrap_or(now));
        let alarmed = self.policies_differ_since.is_some_and(|since| since + GRACE <= now);
        if std::mem::replace(&mut self.policies_alarmed, alarmed) != alarmed {
            alarms.push(Alarm::Policies(alarmed));
        }
        !alarmed
    }

    fn tables(
        &mut self,
        now: Instant,
        ours: &Summaries,
        theirs: &Summaries,
        compared: &mut Compared,
        alarms: &mut Vec<Alarm>,
    ) {
        let mut differing = BTreeMap::new();
        // A pool that only one of them has is a difference of the policies, and told as that.
        let both = ours.iter().filter_map(|(name, pool)| Some((name, pool, theirs.get(name)?)));
        for (name, our, their) in both.filter(|(_, our, their)| our.table != their.table) {
            let since = self.differing.get(name).copied().unwrap_or(now);
            differing.insert(name.clone(), since);
            if since + GRACE <= now {
                compared.differing.push(name);
                compared.mh_differs |= our.mh || their.mh;
            }
        }
        self.differing = differing;
        compared.table_match = Some(compared.differing.is_empty());
        let counting = Some(&compared.differing).filter(|pools| !pools.is_empty());
        if self.tables_alarmed.as_ref() != counting {
            alarms.push(counting.map_or(Alarm::TablesMatch, |pools| Alarm::Tables {
                pools: pools.clone(),
                mh: compared.mh_differs,
            }));
            self.tables_alarmed = counting.cloned();
        }
    }
}

/// Whether both run one policy; `None` while that is unknown. Another version of the program may mean something else by the
/// same files.
fn same_policy(ours: &Report, theirs: &Report) -> Option<bool> {
    let same = |ours: &Option<String>, theirs: &Option<String>| Some(ours.as_ref()? == theirs.as_ref()?);
    let meaning = same(&ours.policy, &theirs.policy)?;
    Some(meaning || same(&ours.policy_files, &theirs.policy_files) == Some(true))
}

fn pools_down(ours: &Summaries, theirs: &Summaries, compared: &mut Compared) {
    for (name, our) in ours {
        match theirs.get(name) {
            Some(their) if our.up && !their.up => compared.down_there.push(name),
            Some(their) if !our.up && their.up => compared.down_here.push(name),
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::report::PoolSummary;
    use std::sync::Arc;

    fn pools(table: &str, up: bool, mh: bool) -> Summaries {
        let web =
            PoolSummary { name: "web".to_owned(), up, table: table.to_owned(), mh, ..PoolSummary::default() };
        [("web".to_owned(), Arc::new(web))].into()
    }

    fn report(policy: &str, pools: usize) -> Report {
        let policy = Some(policy.to_owned());
        Report { policy_files: policy.clone(), policy, ready: true, pools, ..Report::default() }
    }

    fn heard(policy: &str, pools: Summaries) -> Heard {
        Heard { report: Some(Arc::new(report(policy, pools.len()))), at: None, pools }
    }

    /// What comes of comparing a policy `a` and a table `1` with what is heard at each second.
    fn course(theirs: &[Option<Heard>]) -> Vec<(u64, Alarm)> {
        let (ours, own) = (pools("1", true, false), report("a", 1));
        let mut comparison = Comparison::default();
        let mut found = Vec::new();
        for (second, theirs) in (0..).zip(theirs) {
            let mut alarms = Vec::new();
            let ours = Ours { report: Some(&own), pools: &ours };
            comparison.look(Instant::from_millis(second * 1_000), ours, theirs.as_ref(), &mut alarms);
            found.extend(alarms.into_iter().map(|alarm| (second, alarm)));
        }
        found
    }

    fn times<T: Clone>(count: usize, value: T) -> Vec<T> {
        vec![value; count]
    }

    #[test]
    fn a_difference_that_passes_within_its_grace_is_no_alarm() {
        let same = Some(heard("a", pools("1", true, false)));
        let other = Some(heard("b", pools("2", true, false)));
        let short = [times(9, other.clone()), times(3, same.clone()), times(9, other)].concat();
        assert_eq!(course(&short), []);
    }

    #[test]
    fn one_that_lasts_is_told_once_and_its_end_once() {
        let same = Some(heard("a", pools("1", true, false)));
        let policy = Some(heard("b", pools("1", true, false)));
        let seconds = [times(30, policy), times(5, same.clone())].concat();
        assert_eq!(course(&seconds), [(10, Alarm::Policies(true)), (30, Alarm::Policies(false))]);

        let table = Some(heard("a", pools("2", true, true)));
        let mut web = Names::default();
        web.push("web");
        let seconds = [times(30, table), times(5, same)].concat();
        let begun = Alarm::Tables { pools: web, mh: true };
        assert_eq!(course(&seconds), [(10, begun), (30, Alarm::TablesMatch)]);
    }

    #[test]
    fn an_alarm_stands_while_a_reloaded_policy_is_not_known_yet() {
        let (ours, own) = (Summaries::new(), report("a", 0));
        let mut comparison = Comparison::default();
        let mut look = |second: u64, policy: Option<&str>| {
            let mut theirs = heard("b", Summaries::new());
            theirs.report = Some(Arc::new(Report { policy: policy.map(str::to_owned), ..report("b", 0) }));
            let (ours, now) =
                (Ours { report: Some(&own), pools: &ours }, Instant::from_millis(second * 1_000));
            let mut alarms = Vec::new();
            (comparison.look(now, ours, Some(&theirs), &mut alarms).policy_match, alarms)
        };
        assert_eq!(look(0, None), (None, vec![]), "nothing is known and nobody is alarmed");
        assert_eq!(look(1, Some("b")), (Some(true), vec![]), "within the grace");
        assert_eq!(look(11, Some("b")), (Some(false), vec![Alarm::Policies(true)]));
        assert_eq!(look(12, None), (Some(false), vec![]));
        assert_eq!(look(13, Some("a")), (Some(true), vec![Alarm::Policies(false)]));
    }

    #[test]
    fn while_nothing_is_heard_nothing_is_known_and_nothing_is_told_again() {
        let other = Some(heard("b", pools("1", true, false)));
        let seconds = [times(15, other.clone()), times(30, None), times(15, other)].concat();
        assert_eq!(course(&seconds), [(10, Alarm::Policies(true))]);
        let mut comparison = Comparison::default();
        let ours = Ours { report: Some(&report("a", 0)), pools: &Summaries::new() };
        let compared = comparison.look(Instant::ZERO, ours, None, &mut Vec::new());
        assert_eq!((compared.policy_match, compared.table_match), (None, None));
    }

    #[test]
    fn another_version_may_mean_something_else_by_the_same_files() {
        let own = report("a", 0);
        let theirs = Report { policy: Some("b".to_owned()), ..own.clone() };
        assert_eq!(same_policy(&own, &theirs), Some(true));
        assert_eq!(same_policy(&own, &report("b", 0)), Some(false));
        assert_eq!(same_policy(&own, &Report { policy: None, ..own.clone() }), None);
    }

    #[test]
    fn pools_that_only_one_has_up_are_named_at_once() {
        let mut comparison = Comparison::default();
        let (up, down, own) = (pools("1", true, false), pools("1", false, false), report("a", 1));
        let mut compare = |ours: &Summaries, theirs: &Summaries| {
            let ours = Ours { report: Some(&own), pools: ours };
            let theirs = heard("a", theirs.clone());
            let compared = comparison.look(Instant::ZERO, ours, Some(&theirs), &mut Vec::new());
            (compared.down_here.count, compared.down_there.count)
        };
        assert_eq!(compare(&up, &down), (0, 1));
        assert_eq!(compare(&down, &up), (1, 0));
        assert_eq!(compare(&down, &down), (0, 0));
    }
}
