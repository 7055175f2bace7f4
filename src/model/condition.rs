//! What decides on a real server: one check, several together, or what decides on a server of another pool.

use super::{PoolName, TargetKey};
use std::sync::Arc;

/// What decides on a real server. A list is never empty, and what is tracked never leads back to its tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// One running check.
    Check(Arc<TargetKey>),
    /// Up while all of these are.
    All(Vec<Self>),
    /// Up while any of these is.
    Any(Vec<Self>),
    /// Up while a server of another pool is.
    Track(Tracking),
}

/// A server of another pool whose checks decide here too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    pub pool: PoolName,
    /// Its name there.
    pub server: Arc<str>,
    /// Whether the policy names it. Else it is the one that has the tracker's own name, or alone has its address.
    pub named: bool,
    /// What decides on it; `None`: it is not checked, always up.
    pub decided_by: Option<Arc<Condition>>,
}

/// What checks say of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub up: bool,
    /// Whether probes stand behind it: what is not known yet cannot change it.
    pub settled: bool,
}

impl Judgement {
    /// A server that nothing checks.
    pub const UNCHECKED: Self = Self { up: true, settled: true };
}

impl Condition {
    /// Every running check that it depends on, each as often as it is there, in the order of the policy.
    #[must_use]
    pub fn targets(&self) -> Vec<&Arc<TargetKey>> {
        match self {
            Self::Check(target) => vec![target],
            Self::All(members) | Self::Any(members) => members.iter().flat_map(Self::targets).collect(),
            Self::Track(tracking) => tracking.decided_by.as_deref().map(Self::targets).unwrap_or_default(),
        }
    }

    /// The running checks of its own, without those of servers that it tracks.
    #[must_use]
    pub fn own_targets(&self) -> Vec<&Arc<TargetKey>> {
        match self {
            Self::Check(target) => vec![target],
            Self::All(members) | Self::Any(members) => members.iter().flat_map(Self::own_targets).collect(),
            Self::Track(_) => Vec::new(),
        }
    }

    /// The same, to be changed.
    pub fn own_targets_mut(&mut self) -> Vec<&mut TargetKey> {
        match self {
            Self::Check(target) => vec![Arc::make_mut(target)],
            Self::All(members) | Self::Any(members) => {
                members.iter_mut().flat_map(Self::own_targets_mut).collect()
            }
            Self::Track(_) => Vec::new(),
        }
    }

    /// What it says, where `of` answers for each running check. Of several, it is settled as soon as those that are not yet
    /// settled cannot change it.
    pub fn judge(&self, of: &impl Fn(&TargetKey) -> Judgement) -> Judgement {
        match self {
            Self::Check(target) => of(target),
            Self::All(members) => together(members.iter().map(|member| member.judge(of)), false),
            Self::Any(members) => together(members.iter().map(|member| member.judge(of)), true),
            Self::Track(tracking) => {
                tracking.decided_by.as_ref().map_or(Judgement::UNCHECKED, |condition| condition.judge(of))
            }
        }
    }

    /// The first running check that makes it what it is: of all, one that is down; of any, one that is up; where there is
    /// none, the first. `None` where nothing is checked.
    pub fn decisive(&self, of: &impl Fn(&TargetKey) -> Judgement) -> Option<&TargetKey> {
        match self {
            Self::Check(target) => Some(target),
            Self::All(members) => first_that_is(false, members, of),
            Self::Any(members) => first_that_is(true, members, of),
            Self::Track(tracking) => tracking.decided_by.as_ref()?.decisive(of),
        }
    }
}

/// What several say together, where one that is `strong` makes the whole so.
fn together(members: impl Iterator<Item = Judgement>, strong: bool) -> Judgement {
    let whole = Judgement { up: !strong, settled: true };
    members.fold(whole, |whole, member| match (whole.up == strong, member.up == strong) {
        (true, true) => Judgement { settled: whole.settled || member.settled, ..whole },
        (true, false) => whole,
        (false, true) => member,
        (false, false) => Judgement { settled: whole.settled && member.settled, ..whole },
    })
}

fn first_that_is<'a>(
    up: bool,
    members: &'a [Condition],
    of: &impl Fn(&TargetKey) -> Judgement,
) -> Option<&'a TargetKey> {
    let decisive = members.iter().find(|member| member.judge(of).up == up);
    decisive.or(members.first())?.decisive(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: u16) -> Condition {
        let address = ([10, 0, 0, 1], number).into();
        Condition::Check(Arc::new(TargetKey { check: "alive".into(), address, real_path: None }))
    }

    /// The states of ports 0, 1, 2: `+` up, `-` down, and in brackets of `?` not settled.
    fn of(states: &str) -> impl Fn(&TargetKey) -> Judgement {
        let states: Vec<(bool, bool)> =
            states.split_whitespace().map(|state| (state.starts_with('+'), !state.ends_with('?'))).collect();
        move |target| {
            let (up, settled) = states[usize::from(target.address.port())];
            Judgement { up, settled }
        }
    }

    #[track_caller]
    fn says(condition: &Condition, states: &str) -> (bool, bool, Option<u16>) {
        let Judgement { up, settled } = condition.judge(&of(states));
        (up, settled, condition.decisive(&of(states)).map(|target| target.address.port()))
    }

    #[test]
    fn all_are_up_while_each_is_and_one_that_is_surely_down_settles_it() {
        let all = Condition::All(vec![check(0), check(1)]);
        assert_eq!(says(&all, "+ +"), (true, true, Some(0)));
        assert_eq!(says(&all, "+ -"), (false, true, Some(1)));
        assert_eq!(says(&all, "+? -"), (false, true, Some(1)));
        assert_eq!(says(&all, "-? -"), (false, true, Some(0)));
        assert_eq!(says(&all, "+ +?"), (true, false, Some(0)));
        assert_eq!(says(&all, "+ -?"), (false, false, Some(1)));
    }

    #[test]
    fn any_is_up_while_one_is_and_one_that_is_surely_up_settles_it() {
        let any = Condition::Any(vec![check(0), check(1)]);
        assert_eq!(says(&any, "- +"), (true, true, Some(1)));
        assert_eq!(says(&any, "- -"), (false, true, Some(0)));
        assert_eq!(says(&any, "-? +"), (true, true, Some(1)));
        assert_eq!(says(&any, "+? +"), (true, true, Some(0)));
        assert_eq!(says(&any, "- -?"), (false, false, Some(0)));
        assert_eq!(says(&any, "-? +?"), (true, false, Some(1)));
    }

    #[test]
    fn conditions_nest_and_a_tracked_server_decides_with_its_own() {
        let tracked = |decided_by| {
            Condition::Track(Tracking { pool: "web".into(), server: "one".into(), named: false, decided_by })
        };
        let nested =
            Condition::All(vec![check(0), Condition::Any(vec![check(1), tracked(Some(Arc::new(check(2))))])]);
        assert_eq!(says(&nested, "+ - +"), (true, true, Some(0)));
        assert_eq!(says(&nested, "+ - -"), (false, true, Some(1)));
        assert_eq!(nested.targets().len(), 3);
        assert_eq!(says(&tracked(None), ""), (true, true, None), "what is not checked is up");
    }
}
