//! The way to all Paperless-ngx servers of this installation: made when the first of them is asked, and shared by all.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::paperless::{Fault, Network, Options};

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Wire(Arc<Inner>);

struct Inner {
    options: Options,
    network: Mutex<Option<Network>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Inner { options, network: Mutex::default() }))
    }

    /// Fails if the machine has no thread left, or no TLS.
    pub fn network(&self) -> Result<Network, Fault> {
        let mut network = self.0.network.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(network) = network.as_ref() {
            return Ok(network.clone());
        }
        let made = Network::new(self.0.options.clone())?;
        *network = Some(made.clone());
        Ok(made)
    }

    /// Another network from now on: tests have less patience than people.
    pub fn set(&self, network: Network) {
        *self.0.network.lock().unwrap_or_else(PoisonError::into_inner) = Some(network);
    }
}
