//! When a macvlan is up: while its router holds or releases, so that no frame bears the virtual MAC from anywhere else. Pure.
//!
//! It does not make the links: [`crate::floating::macvlan`] says which there are.

use super::facts::Interface;
use super::standing::Standing;
use super::{Keeper, Output};
use crate::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// A link that did not do as it was asked is asked again so much later.
const ASK_AGAIN: Duration = Duration::from_millis(100);

impl Keeper {
    /// The next link that is not as wished.
    pub(super) fn next_link(&mut self) -> Option<Output> {
        let (id, up) = (0..self.interfaces.len()).find_map(|id| {
            let up = self.wrong_link(id)?;
            (self.ask_again_at(id) <= self.now).then_some((id, up))
        })?;
        self.interfaces[id].asked_at = Some(self.now);
        let interface = &self.interfaces[id];
        Some(Output::SetLink { interface: Arc::clone(&interface.name), index: interface.link?.index, up })
    }

    /// Whether every macvlan is up or down as it should be.
    pub(super) fn links_are_as_wished(&self) -> bool {
        (0..self.interfaces.len()).all(|id| self.wrong_link(id).is_none())
    }

    pub(super) fn link_deadline(&self) -> Option<Instant> {
        let wrong = (0..self.interfaces.len()).filter(|id| self.wrong_link(*id).is_some());
        wrong.map(|id| self.ask_again_at(id)).min()
    }

    fn ask_again_at(&self, id: usize) -> Instant {
        self.interfaces[id].asked_at.map_or(Instant::ZERO, |at| at + ASK_AGAIN)
    }

    /// What a macvlan must become, where it is not so.
    fn wrong_link(&self, id: usize) -> Option<bool> {
        let interface = self.interfaces.get(id).filter(|interface| interface.governed)?;
        let up = self.should_be_up(interface)?;
        (interface.link?.up != up).then_some(up)
    }

    /// `None` before the first wish. A Master whose advert thread is silent, and whose addresses have therefore left, is none.
    fn should_be_up(&self, interface: &Interface) -> Option<bool> {
        let address = *interface.addresses.first()?;
        match self.standing_of(address) {
            Standing::Unwished => None,
            Standing::Hold => {
                let holds_any = interface.addresses.iter().any(|id| self.addresses[*id].is_held());
                Some(holds_any || self.is_alive())
            }
            Standing::Release { .. } => Some(true),
            Standing::Drop { .. } => Some(false),
        }
    }
}
