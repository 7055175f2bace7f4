// What happened lately, the newest first.
import { byId, h, show } from "./document.js";
import { ago, clock, sign, word } from "./words.js";
import { clockNow, peers, state } from "./state.js";

export const EVENTS_FOR_MS = 15 * 60 * 1000;
// Events that are shown, and that are kept.
const SHOWN = 100;
const KEPT = 1000;
const LEVELS = { error: "bad", warning: "warn", info: "quiet" };

// A director that has lost its state counts from 1 again.
const keyOf = (event) => (event.director || "") + " " + event.id + " " + event.unix_ms;

// Takes events in, each once.
export function addEvents(found) {
  const known = new Map((state.events || []).map((event) => [keyOf(event), event]));
  found.forEach((event) => known.set(keyOf(event), event));
  state.events = [...known.values()].sort((a, b) => b.unix_ms - a.unix_ms || b.id - a.id).slice(0, KEPT);
}

function row(event) {
  const level = LEVELS[event.severity] || "quiet";
  return h("li", { "data-key": "event-" + keyOf(event), "data-level": level },
    h("time", { datetime: new Date(event.unix_ms).toISOString(), title: ago(clockNow() - event.unix_ms) + " ago" }, clock(event.unix_ms)), sign(level),
    h("span", { class: "text" }, event.director && peers().length ? h("span", { class: "quiet" }, event.director + " ") : "",
      level === "quiet" ? "" : word(level, event.severity + ": "), event.message));
}

export function showEvents() {
  const place = byId("events-list");
  if (state.events === null) {
    show(place, h("p", { class: "card row empty", "data-key": "none" }, "This director does not tell its events."));
    return;
  }
  const recent = state.events.filter((event) => event.unix_ms >= clockNow() - EVENTS_FOR_MS);
  // What scrolls can be reached by keyboard.
  show(place, recent.length
    ? h("div", { class: "card", "data-key": "some", tabindex: "0", role: "region", "aria-label": "Events, the newest first" }, h("ul", { class: "events" }, recent.slice(0, SHOWN).map(row)))
    : h("p", { class: "card row empty", "data-key": "nothing" }, "Nothing happened."));
}
