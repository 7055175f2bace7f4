// Who holds a virtual router's addresses, by all that this director knows: its own role, what the others say of themselves,
// and whose advertisements it hears.
import { ago, worse } from "./words.js";
import { here, peers, sinceStart, state } from "./state.js";

// Another Master that was heard longer ago is none.
const MASTER_HEARD_MS = 5000;
// What was heard so soon after this director became Master was the last of the one before.
const GIVES_WAY_WITHIN_MS = 500;

// What another director said of itself on the channel; a silent one's word is old, and counts for nothing.
const channel = (peer) => peer.channel || {};
const routersOf = (peer) => (channel(peer).up === false ? [] : (channel(peer).report || {}).routers || []);

export function holding(router) {
  const others = peers().filter((peer) => peer.up).flatMap((peer) =>
    routersOf(peer).filter((other) => other.name === router.name).map((other) => ({ peer, other })));
  const masters = others.filter(({ other }) => other.role === "master");
  const holders = router.role === "master" ? [here()] : [];
  masters.forEach(({ peer }) => holders.push(peer.name));
  if (!masters.length && hearsAnother(router)) holders.push(nameOf(router.other_master.address));
  const found = { holders, others, masters, there: addressesThere(router, masters) };
  found.agrees = agreement(found);
  found.level = holders.length === 1 ? worse(found.there.level, found.agrees.level === "quiet" ? "good" : found.agrees.level) : "bad";
  return found;
}

function hearsAnother(router) {
  const heard = router.other_master;
  if (!heard || heard.heard_ms_ago >= MASTER_HEARD_MS) return false;
  return router.role !== "master" || heard.heard_ms_ago + GIVES_WAY_WITHIN_MS < state.status.uptime_ms - router.since_ms;
}

function nameOf(address) {
  return peers().length === 1 ? peers()[0].name : address;
}

function addressesThere(router, masters) {
  const holder = router.role === "master" ? router : masters.length === 1 ? masters[0].other : null;
  if (!holder || holder.addresses_wanted === undefined || holder.addresses_wanted === null) {
    return { level: "good", text: "held there, not seen from here" };
  }
  const { addresses_wanted: wanted, addresses_held: held } = holder;
  return { level: held >= wanted ? "good" : "bad", text: held + " of " + wanted + " really there" };
}

function agreement({ holders, others }) {
  if (!peers().length) return { level: "quiet", text: "no other director" };
  const silent = peers().filter((peer) => !peer.up);
  if (silent.length) {
    const words = (peer) => peer.name + (peer.last_heard_ms_ago === null ? " was never heard" : " not heard for " + ago(peer.last_heard_ms_ago));
    return { level: "warn", text: silent.map(words).join(", ") };
  }
  if (holders.length > 1) return { level: "bad", text: "both say Master" };
  if (!holders.length) return { level: "bad", text: "neither says Master" };
  const unfit = others.find(({ other }) => other.role === "fault" || other.role === "initialize");
  if (unfit) return { level: "warn", text: unfit.peer.name + (unfit.other.role === "fault" ? " is in Fault" : " takes no part") };
  const names = peers().map((peer) => peer.name).join(", ");
  return { level: "good", text: others.length ? names + " agrees" : names + " is heard" };
}

export const ROLES = { master: "Master", backup: "Backup", fault: "in Fault", initialize: "not yet in the election" };

// "lb-a is Master for 3 min: no Master was heard for a down interval"
export function story(router, { masters }) {
  const there = masters.map(({ peer, other }) => peer.name + " is Master" + (other.for_ms === undefined ? "" : " for " + ago(other.for_ms)) + " · ");
  const own = here() + " is " + (ROLES[router.role] || router.role) + " for " + ago(sinceStart(router.since_ms));
  return there.join("") + own + (router.because ? ": " + router.because : "") + (router.released ? " · released" : "");
}
