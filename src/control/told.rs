//! A status that is made when somebody asks for it: of fifty thousand servers it is tens of megabytes, which the event loop
//! has no time to write down twice a second, for nobody.

use super::status::Status;
use std::fmt;
use std::sync::{Arc, OnceLock};

type Make = Box<dyn Fn() -> Status + Send + Sync>;

/// One status, made at most once.
pub(super) struct Told {
    made: OnceLock<Arc<Status>>,
    make: Make,
}

impl Told {
    pub(super) fn when_asked(make: impl Fn() -> Status + Send + Sync + 'static) -> Self {
        Self { made: OnceLock::new(), make: Box::new(make) }
    }

    /// The status; who asks first waits for it. It may take as long as a thread of the event loop must not.
    pub(super) fn status(&self) -> Arc<Status> {
        Arc::clone(self.made.get_or_init(|| Arc::new((self.make)())))
    }
}

impl From<Status> for Told {
    fn from(status: Status) -> Self {
        Self::when_asked(move || status.clone())
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Told").field("made", &self.made.get().is_some()).finish_non_exhaustive()
    }
}
