// The virtual addresses: for each who holds them, since when and why, whether the other director agrees, and whether they are
// really there. None or two holders are red.
import { button, byId, chevron, fold, h, opening, show, small } from "./document.js";
import { ago, count, RANK, sign, word, worse } from "./words.js";
import { here, mayAct, sinceStart, state } from "./state.js";
import { holding, story } from "./holders.js";

// Addresses that a row names before it is opened.
const NAMED = 3;

function row({ name, level, headline, lines, more, attributes }) {
  const key = "holds-" + name;
  return h("li", { class: "row", "data-level": level, "data-key": key, ...attributes },
    opening(key, {}, [
      h("span", { class: "line" }, sign(level), h("span", { class: "name grow" }, name), word(level, headline), chevron()),
      lines.map((line) => h("span", { class: "small" }, line)),
    ], () => more));
}

const listed = (addresses) => [
  addresses.length ? " · " : "",
  h("span", { class: "ip" }, addresses.slice(0, NAMED).join(" "), addresses.length > NAMED ? " +" + (addresses.length - NAMED) : ""),
];

const all = (addresses) => addresses.length > NAMED && h("p", { class: "small ip" }, addresses.join(" "));

// One virtual router.
function ofRouter(router) {
  const found = holding(router);
  const { holders, there, agrees, level } = found;
  const addresses = router.addresses || [];
  const trackers = router.trackers || [];
  const acts = mayAct() && (router.released
    ? button("Take part again", { "data-action": "clear-router", "data-router": router.name })
    : router.role === "master" && button("Hand over", { "data-action": "release", "data-router": router.name }));
  return {
    name: router.name,
    level,
    headline: "held by " + (holders.length > 1 ? holders.length + ": " : "") + (holders.join(" and ") || "nobody"),
    attributes: { "data-router": router.name },
    lines: [
      [word(there.level, there.text), listed(addresses)],
      [word(agrees.level === "quiet" ? "" : agrees.level, agrees.text), " · ", story(router, found)],
      ...trackers.filter((tracker) => !tracker.good).map((tracker) => word("bad", "bad: " + tracker.name)),
      ...(router.complaints || []).map((heard) => "heard " + ago(heard.heard_ms_ago) + " ago from " + heard.source + ": " + (heard.advice || heard.kind)),
    ],
    more: [
      trackers.filter((tracker) => tracker.good).map((tracker) => h("p", { class: "small" }, word("good", "good"), " " + tracker.name)),
      h("p", { class: "small" }, "priority " + router.priority), all(addresses), acts && h("p", {}, acts),
    ],
  };
}

// The addresses of one interface that a director holds alone.
function ofInterface(name, found) {
  const there = found.filter((one) => one.held);
  const missing = found.filter((one) => !one.held);
  // One that only observes holds nothing, and may see another program do so.
  const level = missing.length === 0 ? "good" : state.status.observing ? "warn" : "bad";
  const addresses = found.map((one) => one.address);
  // What the kernel says names the address.
  const gone = (one) => h("span", {}, word(level, "missing for " + ago(sinceStart(one.since_ms))), ": " + (one.because || one.address));
  const since = Math.max(...there.map((one) => one.since_ms));
  return {
    name,
    level,
    headline: there.length ? "held by " + here() : state.status.observing ? "not held here" : "held by nobody",
    attributes: { "data-interface": name },
    lines: [
      [word(level, there.length + " of " + found.length + " really there"), there.length ? " for " + ago(sinceStart(since)) : "", listed(addresses)],
      ...missing.slice(0, NAMED).map(gone),
      missing.length > NAMED && word(level, count(missing.length - NAMED, "more is missing", "more are missing")),
    ].filter(Boolean),
    more: [h("p", { class: "small" }, "This director holds them alone: the policy names no virtual router for them."), all(addresses)],
  };
}

function holdings() {
  const alone = new Map();
  for (const one of state.status.addresses || []) alone.set(one.interface, [...(alone.get(one.interface) || []), one]);
  return [...(state.status.routers || []).map(ofRouter), ...[...alone].map(([name, found]) => ofInterface(name, found))]
    .sort((a, b) => RANK[a.level] - RANK[b.level]);
}

export const addressLevel = () => holdings().reduce((level, one) => worse(level, one.level), "good");
// One sentence for each, for those who hear this page.
export const spokenAddresses = () => holdings().map((one) => one.name + " " + one.headline);

export function showAddresses() {
  const found = holdings();
  const room = small() ? 2 : 8;
  const first = found.filter((one, index) => index < room || one.level === "bad");
  const rest = found.slice(first.length);
  show(byId("addresses-list"),
    found.length ? h("ul", { class: "card rows", "data-key": "rows" }, first.map(row))
      : h("p", { class: "card row empty", "data-key": "none" }, "The policy gives this director no virtual address to hold."),
    rest.length > 0 && fold("addresses-rest", count(rest.length, "more holder"), () => h("ul", { class: "rows" }, rest.map(row))));
}
