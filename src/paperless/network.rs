//! Connections to Paperless-ngx servers: who may be reached, who is believed, how long is waited, and one thread on which they live.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use reqwest::redirect;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use tokio::runtime::{self, Handle};

use super::{
    fault::{Fault, Unreachable},
    guard::{Guard, GuardedNames, Names},
};
use crate::config::{Config, PrivateNetworks};

/// How long is waited, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection: name, TCP and TLS.
    pub connect: Duration,
    /// For the first byte of an answer, once everything was sent. A Paperless-ngx 3 without its queue takes 19 seconds to say so.
    pub answer: Duration,
    /// Between two pieces of a body, there and back.
    pub pause: Duration,
    /// For a call with its answer, in all.
    pub call: Duration,
    /// For the call that carries a document, in all. Less than the lease of a job.
    pub transfer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(40),
            pause: Duration::from_secs(30),
            call: Duration::from_mins(1),
            transfer: Duration::from_mins(9),
        }
    }
}

/// What connections are made with.
#[derive(Clone, Debug)]
pub struct Options {
    pub private_networks: PrivateNetworks,
    /// Authorities beside those of the machine.
    pub authorities: Vec<CertificateDer<'static>>,
    pub patience: Patience,
    pub names: Names,
}

impl Options {
    pub fn new(config: &Config) -> Self {
        Self {
            private_networks: config.private_networks,
            authorities: config.authorities.0.clone(),
            patience: Patience::default(),
            names: Names::System,
        }
    }
}

/// Made once, used by every `Client`: it keeps the connections.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) http: reqwest::Client,
    pub(super) runtime: Handle,
    pub(super) guard: Guard,
    pub(super) patience: Patience,
}

impl Network {
    /// Fails if the machine has no thread left, or no TLS.
    pub fn new(options: Options) -> Result<Self, Fault> {
        let guard = Guard::new(options.private_networks);
        let names = GuardedNames { guard, names: options.names };
        let http = reqwest::Client::builder()
            .user_agent("Kinchart")
            .tls_backend_preconfigured(believed(&options.authorities)?)
            .dns_resolver(Arc::new(names))
            // A token goes to the address that somebody gave, and nowhere else: not after a redirect, not through a proxy of the environment.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .connect_timeout(options.patience.connect)
            .pool_idle_timeout(Duration::from_secs(20))
            .build()
            .map_err(|_| Fault::Unreachable(Unreachable::Tls))?;
        Ok(Self { http, runtime: thread_of_connections()?, guard, patience: options.patience })
    }
}

/// Every certificate is verified, against the machine's authorities and those of the setting.
pub(crate) fn believed(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read is no reason to believe none.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(authorities.iter().cloned());
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Fault::Unreachable(Unreachable::Tls))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Connections need somebody who drives them; callers are threads that come and go.
fn thread_of_connections() -> Result<Handle, Fault> {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = RUNTIME.get() {
        return Ok(handle.clone());
    }
    let no_thread = |error: std::io::Error| Fault::Here(error.kind());
    let runtime = runtime::Builder::new_current_thread().enable_all().thread_name("paperless").build().map_err(no_thread)?;
    let handle = runtime.handle().clone();
    let work = move || runtime.block_on(std::future::pending::<()>());
    thread::Builder::new().name("paperless".to_owned()).spawn(work).map_err(no_thread)?;
    // Another may have been as fast: its thread is used, this one sleeps.
    Ok(RUNTIME.get_or_init(|| handle).clone())
}

#[cfg(test)]
mod tests {
    use super::{Network, Options};
    use crate::config::Config;

    #[test]
    fn the_settings_make_a_network() {
        let network = Network::new(Options::new(&Config::default())).unwrap();
        assert!(network.guard.allows([127, 0, 0, 1].into()));
        assert!(network.patience.transfer > network.patience.call);
    }
}
