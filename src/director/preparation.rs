//! Makes a policy ready to be taken over (shell, off the loop): everything that can be wrong is found here, while the policy
//! before is in force and nothing was changed.

use super::host_look::{AskHost, new_addresses};
use super::loading::{Candidate, PolicyLoader, PolicyText};
use super::pair::keyring;
use super::permissions::lacking;
use super::renewal::Unchanged;
use super::run::Probers;
use crate::control::Api;
use crate::hook;
use crate::model::{self, Check, CheckName, Family, HostFacts, Policy, RealServer, Through};
use crate::observe::Listener;
use crate::probe::{PrepareError, Prober, TlsProfiles};
use crate::vrrp::station::Keyring;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A file on a dead network file system must not hold up every later reload.
const LONGEST: Duration = Duration::from_secs(50);

/// Which policy.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Files,
    Kept(PolicyText),
}

/// A policy with all that it needs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) policy: Arc<Policy>,
    pub(super) text: PolicyText,
    pub(super) warnings: Vec<String>,
    pub(super) probers: Probers,
    /// How this host reaches addresses that are new.
    pub(super) facts: HostFacts,
    pub(super) keyring: Keyring,
    /// Those of `on_event`.
    pub(super) hooks: Vec<hook::Ready>,
    /// Where it has metrics served elsewhere.
    pub(super) listener: Option<Listener>,
    /// Where it has the API served over TCP.
    pub(super) api: Option<Api>,
}

/// What it is made ready beside.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    pub(super) loader: Arc<dyn PolicyLoader>,
    pub(super) policy: Arc<Policy>,
    pub(super) probers: Probers,
    pub(super) ask_host: AskHost,
}

/// Reads, validates and makes ready; the error is for the operator.
pub(super) async fn prepare(origin: Origin, beside: Beside) -> Result<Prepared, String> {
    let metrics = beside.policy.metrics.listen;
    let api = beside.policy.api.as_ref().map(|api| api.listen);
    let prepared = timeout(LONGEST, spawn_blocking(move || read(&origin, &beside))).await;
    let prepared =
        prepared.map_err(|_| format!("the policy could not be read within {} s", LONGEST.as_secs()))?;
    let mut prepared = prepared.map_err(|error| format!("the policy could not be read: {error}"))??;
    let listen = prepared.policy.metrics.listen;
    if listen != metrics && listen.port() == metrics.port() {
        return Err(format!(
            "metrics are served at {metrics}: another address with the same port needs a restart; or name another port"
        ));
    }
    if listen != metrics {
        prepared.listener = Some(Listener::bind(listen).await.map_err(|error| error.to_string())?);
    }
    let prepare = timeout(LONGEST, Api::prepare(prepared.policy.api.as_ref(), api)).await;
    let prepare =
        prepare.map_err(|_| format!("the API's files could not be read within {} s", LONGEST.as_secs()))?;
    prepared.api = prepare.map_err(|error| error.to_string())?;
    Ok(prepared)
}

fn read(origin: &Origin, beside: &Beside) -> Result<Prepared, String> {
    let Candidate { policy, text, warnings } = match origin {
        Origin::Files => beside.loader.read_files(),
        Origin::Kept(text) => beside.loader.read_text(text),
    }?;
    if policy.pair.own != beside.policy.pair.own {
        let name = |policy: &Policy| policy.pair.own.clone().unwrap_or_else(|| "one that is alone".into());
        return Err(format!(
            "this director is {} and would be {}: that needs a restart",
            name(&beside.policy),
            name(&policy)
        ));
    }
    lacking(&policy).map_or(Ok(()), Err)?;
    let probers = renewed(&policy, beside).map_err(|error| error.to_string())?;
    // How it reaches the others is looked at again and again.
    let facts =
        (beside.ask_host)(&new_addresses(&policy, &beside.policy)).map_err(|error| error.to_string())?;
    let keyring = keyring(&policy.pair).map_err(|error| error.to_string())?;
    let hooks = hook::prepare(&policy.on_event).map_err(|error| error.to_string())?;
    Ok(Prepared {
        policy: Arc::new(policy),
        text,
        warnings,
        probers,
        facts,
        keyring,
        hooks,
        listener: None,
        api: None,
    })
}

/// The probers of another policy. One whose check is the same goes on, with its open connections, but where it has read a file:
/// certificates are renewed by a reload.
fn renewed(policy: &Policy, beside: &Beside) -> Result<Probers, PrepareError> {
    let mut known = beside.probers.clone();
    let unchanged = match policy.pair.directors == beside.policy.pair.directors {
        true => Unchanged::between(&beside.policy, policy),
        // Their source may be another.
        false => Unchanged::default(),
    };
    let reads = |check: &Check| check.probe.reads_files();
    known.retain(|(name, mark), _| {
        let check = policy.checks.get(name).filter(|check| !reads(check));
        check.is_some() && unchanged.asks_as_before(name, *mark)
    });
    make(policy, known)
}

/// One prober a check, and one for each real path: there the mark differs. Everything that can be wrong with one is found
/// here, before anything is changed.
pub(super) fn probers(policy: &Policy) -> Result<Probers, PrepareError> {
    make(policy, Probers::new())
}

fn make(policy: &Policy, mut known: Probers) -> Result<Probers, PrepareError> {
    let mut profiles = TlsProfiles::default();
    let mut probers = Probers::new();
    let mut add = |key: (CheckName, Option<u32>), check: &Check| {
        let prober = match known.remove(&key) {
            Some(prober) => prober,
            None => Arc::new(Prober::new(check, &mut profiles)?),
        };
        probers.insert(key, prober);
        Ok(())
    };
    for (name, check) in &policy.checks {
        add((name.clone(), None), check)?;
    }
    let mut marked = BTreeSet::new();
    // Few sites have such checks, and some have tens of thousands of servers.
    let led = policy.checks.values().any(|check| check.through == Through::RealPath);
    let servers = policy.pools.values().filter(|_| led).flat_map(model::Pool::every_server);
    for target in servers.flat_map(RealServer::targets) {
        let (Some(mark), Some(check)) = (target.real_path, policy.checks.get(&target.check)) else {
            continue;
        };
        if marked.insert((target.check.clone(), mark)) {
            let source = check.source.or_else(|| policy.pair.own_address(Family::of(target.address.ip())));
            add((target.check.clone(), Some(mark)), &Check { mark: Some(mark), source, ..check.clone() })?;
        }
    }
    Ok(probers)
}
