//! Our one nftables table, `inet tandem`, written and listed by the `nft` program in single transactions.
//!
//! Observing is cheap: the kernel counts the transactions of a network namespace, and the program is only asked for a listing
//! when that number has moved. No other table is ever touched, and only `tandem doctor` looks at
//! them.
//!
//! Sources: `linux/netfilter/nf_tables.h`, `linux/netfilter/nfnetlink.h`, libnftables-json(5).

mod digest;
mod render;

pub(super) use digest::digest_of;

use super::KernelError;
use super::netlink::{Attributes, Message, Netlink, NetlinkError};
use super::program::{self, Ended};
use crate::model::{ObservedRuleset, Ruleset};
use netlink_sys::protocols::NETLINK_NETFILTER;
use serde_json::Value;

/// Our table.
const FAMILY: &str = "inet";
const TABLE: &str = "tandem";

/// `NFNL_SUBSYS_NFTABLES` and `NFT_MSG_GETGEN`.
const GET_GENERATION: u16 = (10 << 8) | 16;
/// `struct nfgenmsg`: no family, version 0, no resource.
const NFGENMSG: [u8; 4] = [0, 0, 0, 0];
/// `NFTA_GEN_ID`.
const NFTA_GEN_ID: u16 = 1;
/// How much of nft's complaint an error repeats, in characters.
const COMPLAINT_CHARACTERS_MAX: usize = 300;

/// The table as it was last seen.
#[derive(Debug, Default)]
pub(crate) struct Nftables {
    netlink: Option<Netlink>,
    /// The generation before the listing, and what the listing said.
    seen: Option<(u32, ObservedRuleset)>,
}

impl Nftables {
    /// Whether our table is there, and a digest of it.
    ///
    /// # Errors
    /// When the kernel or the program cannot be asked.
    pub(crate) fn observe(&mut self) -> Result<ObservedRuleset, KernelError> {
        // Asked before listing: a transaction in between is then seen by the next observation.
        let generation = self.generation()?;
        if let Some((seen_at, ruleset)) = &self.seen
            && *seen_at == generation
        {
            return Ok(ruleset.clone());
        }
        let ruleset = list()?;
        self.seen = Some((generation, ruleset.clone()));
        Ok(ruleset)
    }

    fn generation(&mut self) -> Result<u32, KernelError> {
        let explain = |error: NetlinkError| {
            let missing = ": this kernel has no nftables: load it with `modprobe nf_tables` (in a container: on the host)";
            KernelError::from_netfilter("cannot read nftables' generation", &error, missing)
        };
        let netlink = match self.netlink.take() {
            Some(netlink) => netlink,
            None => Netlink::open(NETLINK_NETFILTER).map_err(explain)?,
        };
        let reply = self.netlink.insert(netlink).request(&Message::new(GET_GENERATION, 0).header(&NFGENMSG));
        let reply = reply.map_err(explain)?;
        let attributes = Attributes(reply.get(NFGENMSG.len()..).unwrap_or_default());
        let generation = attributes.find(NFTA_GEN_ID).and_then(|id| id.value.first_chunk().copied());
        generation.map(u32::from_be_bytes).ok_or_else(|| {
            KernelError::new("cannot read nftables' generation: the kernel's answer does not hold it")
        })
    }
}

/// Replaces the whole table in one transaction.
///
/// # Errors
/// When the program is missing or the kernel refuses; then nothing has changed.
pub(crate) fn replace(ruleset: &Ruleset) -> Result<(), KernelError> {
    transact("replace", &render::replacement(ruleset))
}

/// Removes the table; it may be gone already.
///
/// # Errors
/// When the program is missing or the kernel refuses.
pub(crate) fn remove() -> Result<(), KernelError> {
    transact("remove", &render::removal())
}

fn transact(verb: &str, document: &Value) -> Result<(), KernelError> {
    // Not "-", which nft opens as /dev/stdin: containers and small root file systems may lack that link.
    let ended = nft(&["-j", "-f", "/proc/self/fd/0"], document.to_string().as_bytes())?;
    if ended.success { Ok(()) } else { Err(complaint(verb, &ended)) }
}

fn list() -> Result<ObservedRuleset, KernelError> {
    let ended = nft(&["-j", "list", "table", FAMILY, TABLE], b"")?;
    if !ended.success && ended.stderr.contains("No such file or directory") {
        return Ok(ObservedRuleset::Absent);
    }
    if !ended.success {
        return Err(complaint("list", &ended));
    }
    let listing: Value = serde_json::from_slice(&ended.stdout).map_err(|error| {
        KernelError::new(format!("cannot list nftables table {FAMILY} {TABLE}: nft printed no JSON: {error}"))
    })?;
    Ok(ObservedRuleset::Present(digest_of(&listing)))
}

/// The rules of all tables of this network namespace, as libnftables-json(5) has them.
///
/// # Errors
/// When the program is missing, or the kernel refuses.
pub(crate) fn every_table() -> Result<Value, KernelError> {
    let ended = nft(&["-j", "list", "ruleset"], b"")?;
    let failed = |why: &str| KernelError::new(format!("cannot list the rules of nftables: {why}"));
    if !ended.success {
        return Err(failed(ended.stderr.lines().next().unwrap_or("nft failed")));
    }
    serde_json::from_slice(&ended.stdout).map_err(|error| failed(&format!("nft printed no JSON: {error}")))
}

fn nft(arguments: &[&str], input: &[u8]) -> Result<Ended, KernelError> {
    program::run(&program::find("nft", "nftables")?, arguments, input)
}

fn complaint(verb: &str, ended: &Ended) -> KernelError {
    let said = ended.stderr.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("; ");
    let said: String = said.chars().take(COMPLAINT_CHARACTERS_MAX).collect();
    let advice =
        if said.contains("Operation not permitted") { " (it needs root or CAP_NET_ADMIN)" } else { "" };
    KernelError::new(format!("cannot {verb} nftables table {FAMILY} {TABLE}: nft says: {said}{advice}"))
}
