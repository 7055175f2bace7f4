//! Two directors judge a pool together.

use super::policy::take;
use super::world::{ONE, TWO, World, dr};
use crate::desired::fixtures::{ip, server};
use crate::director::core::Input;
use crate::director::event::Event;
use crate::model::{Forwarding, Policy, VerdictBy};
use crate::rotation::ActKind;
use std::sync::Arc;
use std::time::Duration;

fn judged_by_both() -> Policy {
    let mut policy = dr();
    policy.pools.get_mut("web").expect("the pool").rules.verdict = VerdictBy::Both;
    policy
}

/// Two directors, and whether they hear each other.
struct Two {
    worlds: [World; 2],
    hear: bool,
}

impl Two {
    fn new() -> Self {
        Self { worlds: [World::fresh(judged_by_both()), World::fresh(judged_by_both())], hear: true }
    }

    /// A second is ten moments at which each tells the other what it sees.
    fn run_for(&mut self, time: u64) {
        for _ in 0..time * 10 {
            let said = [0, 1].map(|one| Arc::new(self.worlds[one].sights.clone()));
            for (world, said) in self.worlds.iter_mut().zip(said.into_iter().rev()) {
                let (at, others) = (world.now, if self.hear { vec![said] } else { Vec::new() });
                world.core.handle(Input::Sights { at, others });
                world.run_for(Duration::from_millis(100));
            }
        }
    }

    fn tables(&self) -> [Vec<String>; 2] {
        [0, 1].map(|one| self.worlds[one].addresses())
    }

    fn sees(&self, one: usize) -> Option<bool> {
        self.worlds[one].core.sees_pool(&"web".into())
    }
}

#[test]
fn a_server_that_one_director_alone_does_not_reach_stays_in_both_tables() {
    let mut two = Two::new();
    two.run_for(5);
    two.worlds[0].dead.insert(ip(ONE));
    two.run_for(20);
    assert_eq!(two.tables(), [[ONE, TWO], [ONE, TWO]]);
    assert_eq!(two.sees(0), Some(true), "one of two is not most");
    let disputed = |event: &Event| matches!(event, Event::Acted { act, .. } if matches!(act.kind, ActKind::Disputed { .. }) && act.begins);
    assert_eq!(two.worlds[0].events.iter().filter(|event| disputed(event)).count(), 1);
    two.worlds[1].dead.insert(ip(ONE));
    two.run_for(20);
    assert_eq!(two.tables(), [[TWO], [TWO]]);
    two.worlds[1].dead.clear();
    two.run_for(10);
    assert_eq!(two.tables(), [[ONE, TWO], [ONE, TWO]], "one of them sees it answer");
}

#[test]
fn a_director_that_is_alone_judges_alone() {
    let mut two = Two::new();
    two.run_for(5);
    two.worlds[0].dead.extend([ip(ONE), ip(TWO)]);
    two.run_for(20);
    assert_eq!((two.sees(0), two.sees(1)), (Some(false), Some(true)));
    assert_eq!(two.tables(), [[ONE, TWO], [ONE, TWO]], "it yields instead of emptying the pool");
    two.hear = false;
    two.run_for(1);
    assert_eq!(two.worlds[0].addresses(), [""; 0], "nobody is left to whom it could yield");
    assert_eq!(two.sees(0), Some(true));
    two.hear = true;
    two.run_for(1);
    assert_eq!(two.worlds[0].addresses(), [ONE, TWO]);
}

#[test]
fn while_the_directors_have_other_servers_each_judges_alone() {
    let mut two = Two::new();
    two.run_for(5);
    let mut more = judged_by_both();
    let pool = more.pools.get_mut("web").expect("the pool");
    pool.servers.insert(0, server("192.168.101.77", &Forwarding::DirectRouting));
    take(&mut two.worlds[1], more.clone());
    two.run_for(5);
    two.worlds[0].dead.insert(ip(ONE));
    two.run_for(20);
    assert_eq!(two.worlds[0].addresses(), [TWO], "the other's first server is another one");
    take(&mut two.worlds[0], more);
    two.run_for(5);
    assert_eq!(two.worlds[0].addresses().len(), 3);
}
