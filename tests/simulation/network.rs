//! The links between the directors: delay, loss, duplicates, late packets, cuts.

use crate::draw::Drawn;
use crate::random::Random;

/// One link.
#[derive(Clone, Debug, Default)]
struct Wire {
    loss: u64,
    duplicates: u64,
    late: (u64, u64),
    /// From and to, between which nothing gets through.
    cuts: Vec<(usize, usize)>,
    base: u64,
}

/// All links.
#[derive(Clone, Debug)]
pub struct Network {
    wires: Vec<Wire>,
}

impl Network {
    pub fn new(drawn: &Drawn) -> Self {
        Self { wires: vec![Wire { base: 80, ..Wire::default() }; drawn.links] }
    }

    /// The delays, µs, after which a packet arrives: none, one, or two of them.
    pub fn carry(&self, random: &mut Random, link: usize, from: usize, to: usize) -> [Option<u64>; 2] {
        let wire = &self.wires[link];
        if wire.cuts.contains(&(from, to)) || random.chance(wire.loss) {
            return [None, None];
        }
        let delay = |random: &mut Random| {
            let late = if random.chance(wire.late.0) { random.below(wire.late.1) } else { 0 };
            wire.base + random.below(300) + late
        };
        let first = Some(delay(random));
        let second = random.chance(wire.duplicates).then(|| delay(random) + random.below(30_000));
        [first, second]
    }

    pub fn set_loss(&mut self, link: usize, permille: u64) {
        self.wires[link].loss = permille;
    }

    pub fn set_duplicates(&mut self, link: usize, permille: u64) {
        self.wires[link].duplicates = permille;
    }

    pub fn set_late(&mut self, link: usize, permille: u64, by: u64) {
        self.wires[link].late = (permille, by);
    }

    pub fn set_cut(&mut self, link: usize, from: usize, to: usize, cut: bool) {
        let cuts = &mut self.wires[link].cuts;
        cuts.retain(|known| *known != (from, to));
        if cut {
            cuts.push((from, to));
        }
    }

    pub fn heal(&mut self) {
        for wire in &mut self.wires {
            *wire = Wire { base: wire.base, ..Wire::default() };
        }
    }

    /// Whether packets come twice.
    pub fn doubles(&self, link: usize) -> bool {
        self.wires[link].duplicates > 0
    }

    pub fn is_healthy(&self, link: usize) -> bool {
        let wire = &self.wires[link];
        wire.loss == 0 && wire.late.0 == 0 && wire.cuts.is_empty()
    }
}
