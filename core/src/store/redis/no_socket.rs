//! Where no event loop of a host's could watch a socket: the runtime does.

use std::convert::Infallible;

use crate::host::{Watched, Watcher};

/// There is none.
pub(super) struct Control(Infallible);

impl Control {
    pub(super) fn expect_more(&self) {
        match self.0 {}
    }
}

impl Watched for Control {
    fn watcher(&self) -> &Watcher {
        match self.0 {}
    }
}
