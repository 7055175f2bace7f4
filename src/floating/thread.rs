//! stub
use super::{Event, Order, Plan, Report};
use crate::advert::realtime::Clock;
use crate::kernel::KernelError;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
#[derive(Debug)]
pub struct AddressThread;
impl AddressThread {
    pub fn start(
        _p: Plan,
        _c: Clock,
        _a: Arc<AtomicU64>,
        _r: Box<dyn FnMut(Report) + Send>,
        _e: Box<dyn FnMut(Event) + Send>,
    ) -> Result<Self, KernelError> {
        Ok(Self)
    }
    pub fn order(&self, _o: Order) {}
    pub fn lengthen(&self, _d: Duration) {}
    pub fn finish(&self, _d: Duration) {}
}
