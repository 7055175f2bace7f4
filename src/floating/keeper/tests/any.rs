//! Any sequence of inputs, with a kernel that keeps lifetimes and refuses at will.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A step of a generated story: what happens, and milliseconds since the step before.
#[derive(Clone, Debug)]
enum Step {
    Hold,
    Release(u64),
    Drop,
    Announce,
    Link(Option<(bool, bool)>),
    Add(u8),
    Remove(u8),
    Seen(u8),
    Lengthen,
    Refuse(bool),
    Live(bool),
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let last = 1_u8..4;
    let what = prop_oneof![
        Just(Step::Hold),
        (0_u64..3_000).prop_map(Step::Release),
        Just(Step::Drop),
        Just(Step::Announce),
        proptest::option::of((any::<bool>(), any::<bool>())).prop_map(Step::Link),
        last.clone().prop_map(Step::Add),
        last.clone().prop_map(Step::Remove),
        last.prop_map(Step::Seen),
        Just(Step::Lengthen),
        any::<bool>().prop_map(Step::Refuse),
        any::<bool>().prop_map(Step::Live),
    ];
    (0_u64..1_500, what)
}

/// The kernel's addresses and the end of each one's lifetime.
struct Fake {
    keeper: Keeper,
    held: BTreeMap<IpAddr, Option<Instant>>,
    link: bool,
    refuses: bool,
    lives: bool,
    now: u64,
}

/// Outputs without a wait, at most: three addresses never need as many.
const OUTPUTS_MAX: usize = 200;

impl Fake {
    fn input(&mut self, input: Input) {
        self.keeper.handle(input);
    }

    fn poll(&mut self) -> Option<Instant> {
        for _ in 0..OUTPUTS_MAX {
            match self.keeper.poll() {
                Output::Wait { deadline } => return deadline,
                Output::Operate(batch) => self.operate(&batch),
                Output::Announce(announcement) => {
                    assert!(self.held.contains_key(&announcement.address), "announces what is not held");
                }
                Output::SetLink { .. } => panic!("no interface of this plan is a macvlan"),
                Output::Report(_) | Output::Tell(_) => {}
            }
        }
        panic!("poll does not come to an end");
    }

    fn operate(&mut self, batch: &[Operation]) {
        let results = batch.iter().map(|operation| {
            let until = operation.lifetime.map(|lifetime| millis(self.now) + lifetime);
            match operation.kind {
                _ if self.refuses => Err(1),
                _ if !self.link => Err(19),
                OperationKind::Add | OperationKind::Renew => {
                    self.held.insert(operation.address, until);
                    Ok(())
                }
                OperationKind::Remove => self.held.remove(&operation.address).map(|_| ()).ok_or(99),
            }
        });
        let results = results.collect();
        self.keeper.handle(Input::Done { at: millis(self.now), results });
    }

    fn expire(&mut self) {
        let now = millis(self.now);
        let over: Vec<IpAddr> = self
            .held
            .iter()
            .filter(|(_, until)| until.is_some_and(|until| until <= now))
            .map(|(address, _)| *address)
            .collect();
        for address in over {
            self.held.remove(&address);
            self.input(Input::AddressLost { at: now, interface: "eth0".into(), address, prefix_length: 32 });
        }
    }

    fn advance(&mut self, millis_more: u64) {
        let end = self.now + millis_more;
        loop {
            self.expire();
            let now = millis(self.now);
            if self.lives {
                self.input(Input::AdvertThreadAlive { at: now, sign: now });
            }
            self.input(Input::Timeout { at: now });
            let deadline = self.poll();
            assert!(deadline.is_none_or(|deadline| deadline > now), "it waits for the past");
            let expiry = self.held.values().flatten().min().copied();
            let next = [deadline, expiry]
                .into_iter()
                .flatten()
                .min()
                .map_or(end + 1, |at| (at.as_micros().div_ceil(1_000)).max(self.now + 1));
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
        }
    }

    fn take(&mut self, step: Step) {
        let at = millis(self.now);
        let interface: Arc<str> = "eth0".into();
        let order = |order| Input::Order { at, order };
        let wish = |wish| order(Order::Wish { router: WEB, wish });
        match step {
            Step::Hold => self.input(wish(Wish::Hold)),
            Step::Release(after) => self.input(wish(Wish::Release { by: millis(self.now + after) })),
            Step::Drop => self.input(wish(Wish::Drop)),
            Step::Announce => self.input(order(Order::Announce { router: WEB, repeat: 3 })),
            Step::Link(link) => {
                self.link = link.is_some();
                if !self.link {
                    self.held.clear();
                }
                let link = link.map(|(up, carrier)| Link { up, carrier, ..LINK });
                self.input(Input::Link { at, interface, link });
            }
            Step::Add(last) if self.link => {
                self.held.insert(address(last), None);
                let held = HeldAddress { address: address(last), prefix_length: 32, valid: None };
                self.input(Input::AddressFound { at, interface, held });
            }
            Step::Remove(last) if self.held.remove(&address(last)).is_some() => {
                let address = address(last);
                self.input(Input::AddressLost { at, interface, address, prefix_length: 32 });
            }
            Step::Add(_) | Step::Remove(_) => {}
            Step::Seen(last) => {
                let address = address(last);
                self.input(Input::Seen { at, interface, address, hardware_address: FOREIGN });
            }
            Step::Lengthen => self.input(Input::Lengthen { at, lifetime: Duration::from_secs(30) }),
            Step::Refuse(refuses) => self.refuses = refuses,
            Step::Live(lives) => self.lives = lives,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn after_any_story_nothing_is_held_four_seconds_after_drop(
        lifetimes in any::<bool>(),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let plan = plan(&[address(1), address(2), address(3)], lifetimes);
        let keeper = Keeper::new(&plan);
        let mut fake = Fake { keeper, held: BTreeMap::new(), link: true, refuses: false, lives: true, now: 0 };
        fake.take(Step::Link(Some((true, true))));
        for (wait, step) in steps {
            fake.advance(wait);
            fake.take(step);
        }
        fake.refuses = false;
        fake.take(Step::Drop);
        fake.advance(4_000);
        prop_assert!(fake.held.is_empty(), "{:?}", fake.held);
        prop_assert!(fake.keeper.is_quiet());
        fake.lives = true;
        fake.take(Step::Link(Some((true, true))));
        fake.take(Step::Hold);
        fake.advance(10_000);
        prop_assert_eq!(fake.held.len(), 3);
    }
}
