// The status page. It asks the API of the director that serves it, and shows what it says; nothing comes from anywhere else.
import { actWith, denied } from "./act.js";
import { addressLevel, showAddresses, spokenAddresses } from "./addresses.js";
import { byId, onOpening } from "./document.js";
import { showEvents } from "./events.js";
import { isAlone, showVerdict } from "./failover.js";
import { live } from "./live.js";
import { showOverrides } from "./overrides.js";
import { poolLevel, showPools } from "./pools.js";
import { here, mayAct, peers, state, viewAge } from "./state.js";
import { ago } from "./words.js";

// Older than this the view may mislead; much older, and something stands still.
const AGE_WARN_MS = 6000;
const AGE_BAD_MS = 15000;

let spoken = "";

const isBad = () => addressLevel() === "bad" || (state.status.pools || []).some((pool) => poolLevel(pool) === "bad");

function showHead() {
  const { status } = state;
  byId("director").textContent = status.director || "Tandem";
  const others = peers().map((peer) => peer.name + (peer.up ? "" : " (silent)")).join(", ");
  byId("about").textContent = (others ? "with " + others + " · " : "") + "policy " + status.policy_generation + " · up " + ago(status.uptime_ms + viewAge());
  byId("who").textContent = mayAct() ? "May act" : state.token ? "May read" : "Token";
}

// Why what is shown is not what is; null while it is.
function stale() {
  const { status, failure } = state;
  if (failure) return ((status && status.director) || "The director") + " " + failure;
  if (status && viewAge() > AGE_BAD_MS) return "The event loop of " + here() + " stands still";
  return null;
}

function showAge() {
  const { status } = state;
  const old = status ? viewAge() : 0;
  const why = stale();
  const level = why ? "bad" : !status ? "quiet" : old > AGE_WARN_MS ? "warn" : "good";
  const how = state.streaming ? "live" : "every 2 s";
  byId("age").dataset.level = level;
  byId("age").textContent = !status ? (why ? "no answer" : "asking …") : why || old > AGE_WARN_MS ? "OLD: " + ago(old) : how + " · " + (old < 1000 ? "now" : ago(old) + " old");
  byId("stale").hidden = !why;
  byId("stale").textContent = why ? why + (status ? ": what you see is " + ago(old) + " old." : ".") : "";
  document.body.dataset.stale = String(Boolean(why));
  if (status) document.title = (why ? "? " : isBad() ? "✗ " : status.safe_to_fail_over.yes || isAlone() ? "" : "! ") + here() + " – Tandem";
}

// A screen reader is told what changes, and not every two seconds that nothing did.
function speak() {
  const bad = (state.status ? state.status.pools || [] : []).filter((pool) => poolLevel(pool) === "bad").map((pool) => pool.name + " is down");
  const known = state.status ? ["Safe to fail over: " + (state.status.safe_to_fail_over.yes ? "yes" : "no"), ...spokenAddresses(), ...bad] : [];
  const why = stale();
  const text = (why ? [why] : known).join(". ");
  if (text === spoken) return;
  spoken = text;
  byId("spoken").textContent = text;
}

function showAll() {
  if (state.status) {
    showHead();
    showVerdict();
    showAddresses();
    showPools();
    showOverrides();
    showEvents();
  }
  showAge();
  speak();
}

const look = live(showAll, denied);
actWith(look);
onOpening(() => state.status && showAll());
setInterval(showAge, 1000);
