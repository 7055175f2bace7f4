// The status page. It asks the API of the director that serves it, and shows what it says: all data goes into text nodes and
// plain attributes, never into markup. Nothing is kept but the token, until the tab is closed.
"use strict";

const ASK_EVERY_MS = 2000;
const ANSWER_WITHIN_MS = 8000;
const EVENTS_FOR_MS = 15 * 60 * 1000;
const MOST_EVENTS = 100;
// Older than this the view may mislead; much older, and something stands still.
const AGE_WARN_MS = 6000;
const AGE_BAD_MS = 15000;
// Another Master that was heard longer ago is none.
const MASTER_HEARD_MS = 5000;
// Pools whose servers are asked for, and the largest of them.
const POOLS_IN_DETAIL = 6;
const SERVERS_IN_DETAIL = 2000;
const SERVERS_SHOWN = 50;
// Servers of one network with one failure that are told as one line.
const RACK = 3;
// Samples of a sparkline: five minutes.
const SAMPLES = 150;
const SERIES = 600;

const state = {
  status: null, statusAt: 0, failure: null, may: null, events: null, servers: new Map(), opened: new Set(), series: new Map(),
  spoken: "", token: null, action: null, returnTo: null,
};

// --- the document: elements are made anew and laid over the old ones, so that focus and open folds stay ---

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

function h(tag, attributes, ...children) {
  const isSvg = tag === "svg" || tag === "path" || tag === "rect";
  const element = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

function show(place, ...children) {
  const wanted = children.flat(Infinity).filter(Boolean);
  lay(place, wanted);
}

function lay(place, wanted) {
  const keyed = new Map();
  for (const child of place.children) if (child.dataset && child.dataset.key) keyed.set(child.dataset.key, child);
  wanted.forEach((next, index) => {
    const key = next.dataset && next.dataset.key;
    const old = (key && keyed.get(key)) || place.childNodes[index];
    if (old && alike(old, next)) {
      if (old !== place.childNodes[index]) place.insertBefore(old, place.childNodes[index] || null);
      patch(old, next);
    } else {
      place.insertBefore(next, place.childNodes[index] || null);
    }
  });
  while (place.childNodes.length > wanted.length) place.lastChild.remove();
}

function alike(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) return false;
  return old.nodeType === Node.TEXT_NODE || (old.dataset || {}).key === (next.dataset || {}).key;
}

function patch(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const name of old.getAttributeNames()) if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const name of next.getAttributeNames()) {
    if (name !== "open" && old.getAttribute(name) !== next.getAttribute(name)) old.setAttribute(name, next.getAttribute(name));
  }
  lay(old, [...next.childNodes]);
}

// --- words ---

function ago(ms) {
  if (ms === null || ms === undefined) return "never";
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 1) return "now";
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor((s % 86400) / 3600) + " h";
}

const count = (number, one, many) => number + " " + (number === 1 ? one : many || one + "s");
const SIGNS = { good: "✓", warn: "!", bad: "✗", quiet: "·" };
const CHEVRON = () => h("span", { class: "chevron", "aria-hidden": "true" }, "›");
const sign = (level) => h("span", { class: "sign", "data-level": level, "aria-hidden": "true" }, SIGNS[level]);
const word = (level, ...text) => h("span", { class: "word", "data-level": level }, ...text);
const mayAct = () => state.may === "act";

// The director's own wall clock, now.
function clockNow() {
  const status = state.status;
  return status.started_unix_ms + status.uptime_ms + viewAge();
}

function viewAge() {
  return state.status.age_ms + (performance.now() - state.statusAt);
}

const sinceStart = (ms) => state.status.uptime_ms - ms + viewAge();

// --- who holds the addresses ---

// What another director said of itself on the channel; a silent one's word is old, and counts for nothing.
const channel = (peer) => peer.channel || {};
const routersOf = (peer) => (channel(peer).up === false ? [] : (channel(peer).report || {}).routers || []);

function holding(router) {
  const here = state.status.director || "this director";
  const peers = state.status.peers || [];
  const others = peers.filter((peer) => peer.up).flatMap((peer) =>
    routersOf(peer).filter((other) => other.name === router.name).map((other) => ({ peer, other })));
  const masters = others.filter(({ other }) => other.role === "master");
  const heard = router.other_master && router.other_master.heard_ms_ago < MASTER_HEARD_MS ? router.other_master : null;
  const holders = router.role === "master" ? [here] : [];
  masters.forEach(({ peer }) => holders.push(peer.name));
  if (!masters.length && heard) holders.push(nameOf(heard.address));
  const found = { holders, others, masters, peers, heard };
  found.level = holders.length === 1 ? "good" : "bad";
  found.there = addressesThere(router, masters);
  if (found.level === "good" && found.there.level !== "good") found.level = found.there.level;
  found.agrees = agreement(router, found);
  if (found.level === "good" && found.agrees.level === "warn") found.level = "warn";
  return found;
}

function nameOf(address) {
  const peers = state.status.peers || [];
  const known = peers.find((peer) => (peer.addresses || []).includes(address) || peer.address === address);
  return known ? known.name : peers.length === 1 ? peers[0].name : address;
}

function addressesThere(router, masters) {
  const holder = router.role === "master" ? router : masters.length === 1 ? masters[0].other : null;
  if (!holder || holder.addresses_wanted === undefined || holder.addresses_wanted === null) {
    return { level: "good", text: "held there, not seen from here" };
  }
  const { addresses_wanted: wanted, addresses_held: held } = holder;
  const text = held + " of " + wanted + " really there";
  return { level: held >= wanted ? "good" : "bad", text };
}

function agreement(router, { holders, others, peers }) {
  if (!peers.length) return { level: "quiet", text: "no other director" };
  const silent = peers.filter((peer) => !peer.up);
  if (silent.length) {
    const words = silent.map((peer) => peer.name + (peer.last_heard_ms_ago === null ? " was never heard" : " not heard for " + ago(peer.last_heard_ms_ago)));
    return { level: "warn", text: words.join(", ") };
  }
  if (holders.length > 1) return { level: "bad", text: "both say Master" };
  if (!holders.length) return { level: "bad", text: "neither says Master" };
  const names = peers.map((peer) => peer.name).join(", ");
  return others.length ? { level: "good", text: names + " agrees" } : { level: "good", text: names + " is heard" };
}

function addressRow(router) {
  const found = holding(router);
  const here = state.status.director || "this director";
  const headline = found.holders.length === 1 ? "held by " + found.holders[0]
    : found.holders.length ? "held by " + found.holders.length + ": " + found.holders.join(" and ") : "held by nobody";
  const role = router.role === "master" ? "Master" : router.role === "backup" ? "Backup" : router.role === "fault" ? "Fault" : "not yet in the election";
  const because = router.because ? ": " + router.because : "";
  const addresses = router.addresses || [];
  const release = mayAct() && (router.released
    ? button("Take part again", { "data-action": "clear-router", "data-router": router.name })
    : router.role === "master" && button("Hand over", { "data-action": "release", "data-router": router.name }));
  const key = "router-" + router.name;
  const more = [
    ...(router.trackers || []).map((tracker) => h("p", { class: "small" }, word(tracker.good ? "good" : "bad", tracker.good ? "good" : "bad"), " " + tracker.name)),
    h("p", { class: "small" }, "priority " + router.priority, addresses.length > 3 ? " · " + addresses.join(" ") : ""),
    release && h("p", {}, release),
  ];
  return h("li", { class: "row", "data-level": found.level, "data-key": key, "data-router": router.name },
    h("details", { "data-key": key, "data-fold": key, open: state.opened.has(key) },
      h("summary", {},
        h("span", { class: "line" }, sign(found.level), h("span", { class: "name grow" }, router.name), word(found.level, headline), CHEVRON()),
        h("span", { class: "small" }, word(found.there.level, found.there.text), addresses.length ? " · " : "",
          h("span", { class: "ip" }, addresses.slice(0, 3).join(" "), addresses.length > 3 ? " +" + (addresses.length - 3) : "")),
        h("span", { class: "small" }, word(found.agrees.level === "quiet" ? "" : found.agrees.level, found.agrees.text), " · ",
          found.masters.map(({ peer, other }) => peer.name + " is Master" + (other.for_ms === undefined ? "" : " for " + ago(other.for_ms)) + " · "),
          here + " is " + role + " for " + ago(sinceStart(router.since_ms)) + because + (router.released ? " · released" : "")),
        (router.trackers || []).filter((tracker) => !tracker.good).map((tracker) => h("span", { class: "small" }, word("bad", "bad: " + tracker.name))),
        (router.complaints || []).map((complaint) => h("span", { class: "small" }, "heard " + ago(complaint.heard_ms_ago) + " ago from " + complaint.source + ": " + (complaint.advice || complaint.kind)))),
      state.opened.has(key) ? h("div", { class: "details" }, more) : h("div", {})));
}

const button = (text, attributes) => h("button", { type: "button", ...attributes }, text);

function showAddresses() {
  const routers = (state.status.routers || []).map((router) => ({ router, found: holding(router) }));
  if (!routers.length) {
    show(byId("addresses-list"), h("p", { class: "card row empty" }, "No virtual routers: this director holds its addresses alone."));
    return;
  }
  const rank = { bad: 0, warn: 1, good: 2 };
  routers.sort((a, b) => rank[a.found.level] - rank[b.found.level]);
  const room = small() ? 2 : 8;
  const first = routers.filter((one, index) => index < room || one.found.level === "bad");
  const rest = routers.slice(first.length);
  show(byId("addresses-list"),
    h("ul", { class: "card rows", "data-key": "rows" }, first.map((one) => addressRow(one.router))),
    rest.length > 0 && fold("addresses-rest", count(rest.length, "more virtual router"), () =>
      h("ul", { class: "rows" }, rest.map((one) => addressRow(one.router)))));
}

const small = () => window.matchMedia("(max-width: 640px)").matches;

function fold(key, title, content) {
  return h("details", { class: "fold", "data-key": key, "data-fold": key, open: state.opened.has(key) },
    h("summary", {}, h("span", { class: "line" }, h("span", { class: "grow" }, title), CHEVRON())), state.opened.has(key) ? h("div", { class: "details" }, content()) : h("div", { class: "details" }));
}

// --- failover ---

function alarms() {
  const found = [];
  for (const peer of state.status.peers || []) {
    if (channel(peer).policy_match === false) found.push(["bad", peer.name + " runs another policy: a failover would change what is served"]);
    if (channel(peer).table_match === false) found.push(["bad", peer.name + " has other tables: a failover would move clients to other servers"]);
  }
  if (state.status.ready === false) found.push(["warn", "not ready: " + (state.status.awaits || "starting")]);
  if (state.status.observing) found.push(["warn", "observing: this director changes nothing"]);
  return found;
}

function showVerdict() {
  const safe = state.status.safe_to_fail_over;
  const level = safe.yes ? "good" : "bad";
  show(byId("verdict"),
    h("div", { class: "verdict", "data-level": level, id: "verdict-card" }, sign(level),
      h("div", {}, h("strong", {}, "Safe to fail over: ", safe.yes ? "yes" : "no"), h("span", {}, "because " + safe.because))),
    alarms().map(([level, text]) => h("p", { class: "alarm", "data-level": level }, text)));
}

// --- pools ---

function poolLevel(pool) {
  if (!pool.up || pool.sorry || (pool.servers > 0 && pool.servers_up === 0)) return "bad";
  if (pool.panic || pool.frozen || pool.servers_up < pool.servers) return "warn";
  return "good";
}

const share = (pool) => (pool.servers ? pool.servers_up / pool.servers : 1);

function sortedPools() {
  const rank = { bad: 0, warn: 1, good: 2 };
  return (state.status.pools || []).map((pool) => ({ pool, level: poolLevel(pool) }))
    .sort((a, b) => rank[a.level] - rank[b.level] || share(a.pool) - share(b.pool) || (a.pool.name < b.pool.name ? -1 : 1));
}

// The network of an address, in which a rack is: /24, or /64.
function network(address) {
  const ipv4 = /^(\d+\.\d+\.\d+)\.\d+(:\d+)?$/.exec(address || "");
  if (ipv4) return ipv4[1] + ".0/24";
  const bare = (address || "").replace(/^\[|\](:\d+)?$/g, "");
  if (!bare.includes(":")) return null;
  const parts = bare.split("::")[0].split(":").slice(0, 4);
  return parts.join(":") + "::/64";
}

const host = (server) => (server.address || server.name || "").replace(/^\[(.*)\](:\d+)?$/, "$1").replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");
const whyDown = (server) => server.last_failure || server.reason || "down";
const isDown = (server) => server.up === false;

// Failing servers of one network with one failure, over all pools.
function racks() {
  const groups = new Map();
  for (const { list } of state.servers.values()) {
    for (const server of list.filter(isDown)) {
      const place = network(server.address || server.name);
      if (!place) continue;
      const key = place + " " + whyDown(server);
      const group = groups.get(key) || { place, why: whyDown(server), hosts: new Set(), pools: new Set(), since: null };
      group.hosts.add(host(server));
      group.pools.add(server.pool);
      if (server.last_change_ms !== null && server.last_change_ms !== undefined) group.since = Math.max(group.since || 0, server.last_change_ms);
      groups.set(key, group);
    }
  }
  return [...groups.values()].filter((group) => group.hosts.size >= RACK).sort((a, b) => b.hosts.size - a.hosts.size);
}

function rackRow(group) {
  return h("li", { class: "row rack", "data-key": "rack-" + group.place + group.why, "data-rack": group.place },
    h("div", { class: "line" }, sign("bad"), h("span", { class: "name" }, count(group.hosts.size, "server"), " in ", h("span", { class: "ip" }, group.place)),
      h("span", { class: "grow" }), word("bad", "down" + (group.since === null ? "" : " for " + ago(sinceStart(group.since))))),
    h("p", { class: "small" }, group.why + " · in " + count(group.pools.size, "pool") + ": " + [...group.pools].sort().slice(0, 4).join(", ") + (group.pools.size > 4 ? " …" : "")));
}

function poolRow({ pool, level }, inRack) {
  const notes = [];
  if (!pool.up) notes.push("below its quorum");
  if (pool.sorry) notes.push("the sorry server answers");
  if (pool.panic) notes.push("panic");
  if (pool.frozen) notes.push("frozen by an operator");
  const known = state.servers.get(pool.name);
  const down = known ? known.list.filter(isDown) : [];
  const single = down.filter((server) => !inRack.has(host(server) + " " + whyDown(server)));
  const text = [...notes, ...single.slice(0, 2).map((server) => server.name + ": " + whyDown(server))];
  if (single.length > 2) text.push(count(single.length - 2, "more", "more"));
  const key = "pool-" + pool.name;
  return h("li", { class: "row", "data-level": level === "good" ? null : level, "data-key": key, "data-pool": pool.name },
    h("details", { "data-key": key, "data-fold": key, "data-servers-of": pool.name, open: state.opened.has(key) },
      h("summary", {},
        h("span", { class: "line" }, sign(level), h("span", { class: "name" }, pool.name), h("span", { class: "grow small" }, text.join(" · ")),
          spark("pool " + pool.name, pool.name + ": servers up over the last minutes", pool.servers),
          word(level, pool.servers_up + " of " + pool.servers + " up"), CHEVRON()),
        bar(share(pool))),
      state.opened.has(key) ? serverList(pool, known) : h("div", {})));
}

function bar(part) {
  return h("svg", { class: "bar", viewBox: "0 0 100 5", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { class: "all", width: 100, height: 5 }), h("rect", { class: "up", width: Math.round(part * 1000) / 10, height: 5 }));
}

function serverList(pool, known) {
  if (!known) {
    return h("p", { class: "small" }, pool.servers > SERVERS_IN_DETAIL ? "too many servers to list here: tandem status --json" : "asking for its servers …");
  }
  const ordered = [...known.list].sort((a, b) => Number(isDown(b)) - Number(isDown(a)));
  return h("ul", { class: "servers" }, ordered.slice(0, SERVERS_SHOWN).map((server) => serverRow(pool, server)),
    ordered.length > SERVERS_SHOWN && h("li", { class: "small" }, count(ordered.length - SERVERS_SHOWN, "more server") + " are not shown"));
}

function serverRow(pool, server) {
  const level = isDown(server) ? "bad" : server.in_rotation === false ? "warn" : "good";
  const title = isDown(server) ? "down" : server.in_rotation === false ? "out of rotation" : "up";
  const facts = [];
  if (isDown(server)) facts.push(whyDown(server));
  if (server.ordered) facts.push("ordered: " + server.ordered);
  if (!isDown(server) && server.weight_effective !== undefined) facts.push("weight " + server.weight_effective + (server.weight_effective === server.weight_configured ? "" : " of " + server.weight_configured));
  if (server.active_connections > 0 || (!isDown(server) && server.active_connections === 0)) facts.push(count(server.active_connections, "connection"));
  if (server.last_change_ms !== null && server.last_change_ms !== undefined) facts.push("for " + ago(sinceStart(server.last_change_ms)));
  return h("li", { "data-key": "server-" + server.name }, sign(level),
    h("span", { class: "grow" }, h("span", { class: "name" }, server.name), " ", word(level, title), h("span", { class: "small" }, facts.join(" · "))),
    spark("server " + pool.name + "/" + server.name, server.name + ": active connections over the last minutes", null),
    mayAct() && button("Drain", { "data-action": "drain", "data-pool": pool.name, "data-server": server.name, "aria-label": "Drain " + server.name + " in " + pool.name }));
}

function showPools() {
  const pools = sortedPools();
  const groups = racks();
  const inRack = new Set();
  for (const { list } of state.servers.values()) {
    for (const server of list.filter(isDown)) {
      if (groups.some((group) => group.place === network(server.address || server.name) && group.why === whyDown(server))) inRack.add(host(server) + " " + whyDown(server));
    }
  }
  const bad = pools.filter(({ level }) => level !== "good");
  const good = pools.filter(({ level }) => level === "good");
  const room = small() ? 3 : 12;
  const rows = [...groups.slice(0, small() ? 1 : 3).map(rackRow), ...bad.slice(0, room).map((one) => poolRow(one, inRack))];
  show(byId("pools-list"),
    rows.length > 0 && h("ul", { class: "card rows", "data-key": "worst" }, rows),
    !pools.length && h("p", { class: "card row empty", "data-key": "none" }, "The policy has no pools."),
    bad.length > room && fold("pools-bad", count(bad.length - room, "more pool") + " with failures", () =>
      h("ul", { class: "rows" }, bad.slice(room).map((one) => poolRow(one, inRack)))),
    good.length > 0 && fold("pools-good", "✓ " + count(good.length, "healthy pool") + ", " + count(good.reduce((sum, { pool }) => sum + pool.servers_up, 0), "server") + " up", () =>
      h("ul", { class: "rows" }, good.map((one) => poolRow(one, inRack)))));
}

// --- sparklines: what this page has seen itself ---

function sample(key, value) {
  if (typeof value !== "number") return;
  if (!state.series.has(key) && state.series.size >= SERIES) state.series.delete(state.series.keys().next().value);
  const values = state.series.get(key) || [];
  values.push(value);
  if (values.length > SAMPLES) values.shift();
  state.series.set(key, values);
}

function spark(key, label, most) {
  const values = state.series.get(key) || [];
  if (values.length < 3) return null;
  const top = Math.max(most || 0, ...values, 1);
  const step = 100 / (SAMPLES - 1);
  const from = 100 - (values.length - 1) * step;
  const point = (value, index) => (from + index * step).toFixed(1) + " " + (19 - (value / top) * 18).toFixed(1);
  return h("svg", { class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img", "aria-label": label + ": now " + values[values.length - 1] + ", least " + Math.min(...values) + ", most " + Math.max(...values) },
    h("path", { d: "M" + values.map(point).join("L") }));
}

// --- overrides and events ---

const KINDS = { drain: "drained", disable: "disabled", weight: "weight", force_up: "forced up", freeze: "frozen" };

function overrideRow(order) {
  const what = order.server ? order.server + (order.pool ? " in " + order.pool : ", all pools") : order.pool ? order.pool : "every pool";
  const left = order.until_unix_ms ? "ends in " + ago(order.until_unix_ms - clockNow()) : "until it is cleared";
  const kind = order.kind === "weight" && order.weight !== null ? "weight " + order.weight : KINDS[order.kind] || order.kind;
  const age = clockNow() - order.set_unix_ms;
  return h("li", { class: "row", "data-key": "override-" + order.id, "data-override": order.id },
    h("div", { class: "line" }, word("warn", kind), h("span", { class: "name grow" }, what), h("span", { class: "quiet" }, ago(age) + " old"),
      mayAct() && button("Clear", { "data-action": "clear", "data-override": order.id, "aria-label": "Clear the override of " + what })),
    h("p", { class: "small by" }, [order.by && "by " + order.by, order.reason, left].filter(Boolean).join(" · ")));
}

function showOverrides() {
  const orders = [...(state.status.overrides || [])].sort((a, b) => b.set_unix_ms - a.set_unix_ms);
  const room = small() ? 2 : 6;
  show(byId("overrides-list"),
    orders.length ? h("ul", { class: "card rows", "data-key": "rows" }, orders.slice(0, room).map(overrideRow))
      : h("p", { class: "card row empty", "data-key": "none" }, "None."),
    orders.length > room && fold("overrides-rest", count(orders.length - room, "more override"), () =>
      h("ul", { class: "rows" }, orders.slice(room).map(overrideRow))));
}

const LEVELS = { error: "bad", warning: "warn", info: "quiet" };

function eventRow(event) {
  const level = LEVELS[event.severity] || "quiet";
  const at = new Date(event.unix_ms);
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
  return h("li", { "data-key": "event-" + (event.director || "") + event.id },
    h("time", { datetime: at.toISOString(), title: ago(clockNow() - event.unix_ms) + " ago" }, time), sign(level),
    h("span", { class: "text" }, event.director && (state.status.peers || []).length ? h("span", { class: "quiet" }, event.director + " ") : "",
      level === "quiet" ? event.message : word(level, event.severity + ": "), level === "quiet" ? "" : event.message));
}

function showEvents() {
  if (state.events === null) {
    show(byId("events-list"), h("p", { class: "card row empty" }, "This director does not tell its events."));
    return;
  }
  const from = clockNow() - EVENTS_FOR_MS;
  const recent = state.events.filter((event) => event.unix_ms >= from).sort((a, b) => b.unix_ms - a.unix_ms || b.id - a.id);
  show(byId("events-list"), recent.length
    ? h("div", { class: "card", tabindex: "0", role: "region", "aria-label": "Events, the newest first" }, h("ul", { class: "events" }, recent.slice(0, MOST_EVENTS).map(eventRow)))
    : h("p", { class: "card row empty" }, "Nothing happened."));
}

// --- head ---

function showHead() {
  const status = state.status;
  const name = status && status.director ? status.director : "Tandem";
  byId("director").textContent = name;
  const peers = status ? (status.peers || []).map((peer) => peer.name + (peer.up ? "" : " (silent)")).join(", ") : "";
  byId("about").textContent = status ? (peers ? "with " + peers + " · " : "") + "policy " + status.policy_generation + " · up " + ago(status.uptime_ms + viewAge()) : "";
  byId("who").textContent = mayAct() ? "May act" : state.token ? "May read" : "Token";
  document.title = title(status);
  showAge();
}

function title(status) {
  if (!status) return "Tandem";
  const bad = (status.routers || []).some((router) => holding(router).level === "bad") || (status.pools || []).some((pool) => poolLevel(pool) === "bad");
  return (bad ? "✗ " : status.safe_to_fail_over.yes ? "" : "! ") + (status.director || "Tandem") + " – Tandem";
}

function showAge() {
  const age = byId("age");
  const known = state.status !== null;
  const ms = known ? viewAge() : 0;
  const level = !known ? "quiet" : ms > AGE_BAD_MS ? "bad" : ms > AGE_WARN_MS || state.failure ? "warn" : "good";
  const text = !known ? state.failure || "asking …" : (ms > AGE_BAD_MS ? "OLD: " : "") + ago(ms) + (ms < 1000 ? "" : " old") + (state.failure ? " · " + state.failure : "");
  age.dataset.level = level;
  age.textContent = known && level === "good" ? "live · " + (ms < 1000 ? "now" : ago(ms) + " old") : text;
  byId("main").dataset.old = String(level === "bad");
}

// A screen reader is told what changes, and not every two seconds that nothing did.
function speak() {
  const status = state.status;
  const routers = (status.routers || []).map((router) => router.name + " held by " + (holding(router).holders.join(" and ") || "nobody"));
  const bad = (status.pools || []).filter((pool) => poolLevel(pool) === "bad").map((pool) => pool.name + " is down");
  const text = ["Safe to fail over: " + (status.safe_to_fail_over.yes ? "yes" : "no"), ...routers, ...bad].join(". ");
  if (text !== state.spoken) {
    state.spoken = text;
    byId("spoken").textContent = text;
  }
}

function showAll() {
  showHead();
  if (!state.status) return;
  showVerdict();
  showAddresses();
  showPools();
  showOverrides();
  showEvents();
  speak();
}

// --- asking ---

async function ask(path, body) {
  const headers = {};
  if (state.token) headers.Authorization = "Bearer " + state.token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const answer = await response.json().catch(() => null);
  return { code: response.status, may: response.headers.get("tandem-may"), answer };
}

const refusal = (answer) => (answer && answer.error && answer.error.message) || "the director did not say why";

async function askStatus() {
  const { code, may, answer } = await ask("/v1/status");
  if (code === 401) {
    state.may = null;
    state.failure = "a token is needed";
    if (!byId("token-dialog").open) openToken(state.token ? refusal(answer) : "");
    return false;
  }
  if (code !== 200 || !answer) throw new Error(refusal(answer));
  state.may = may;
  state.status = answer;
  state.statusAt = performance.now();
  state.failure = null;
  (answer.pools || []).forEach((pool) => sample("pool " + pool.name, pool.servers_up));
  return true;
}

async function askEvents() {
  const { code, answer } = await ask("/v1/events?since_ms=" + Math.round(clockNow() - EVENTS_FOR_MS) + "&limit=" + MOST_EVENTS);
  if (code === 200 && answer && Array.isArray(answer.events)) state.events = answer.events;
  else if (code === 404) state.events = null;
}

// The servers of the worst pools, and of those that somebody looks at.
async function askServers() {
  const pools = sortedPools();
  const worst = pools.filter(({ level }) => level !== "good").slice(0, POOLS_IN_DETAIL);
  const wanted = new Set(worst.map(({ pool }) => pool.name));
  pools.forEach(({ pool }) => { if (state.opened.has("pool-" + pool.name)) wanted.add(pool.name); });
  for (const name of state.servers.keys()) if (!wanted.has(name)) state.servers.delete(name);
  const fitting = pools.filter(({ pool }) => wanted.has(pool.name) && pool.servers <= SERVERS_IN_DETAIL).slice(0, 2 * POOLS_IN_DETAIL);
  await Promise.all(fitting.map(async ({ pool }) => {
    const { code, answer } = await ask("/v1/servers?pool=" + encodeURIComponent(pool.name));
    const list = code === 200 && answer && Array.isArray(answer.servers) ? answer.servers : pool.real_servers;
    if (!list) return;
    state.servers.set(pool.name, { list: list.map((server) => ({ ...server, pool: pool.name })) });
    if (state.opened.has("pool-" + pool.name)) list.slice(0, SERVERS_SHOWN).forEach((server) => sample("server " + pool.name + "/" + server.name, server.active_connections));
  }));
}

async function round() {
  try {
    if (await askStatus()) {
      showAll();
      await Promise.all([askEvents(), askServers()]);
    }
  } catch (error) {
    state.failure = error instanceof Error && error.name === "TimeoutError" ? "no answer" : "no answer: " + (error instanceof Error ? error.message : "");
  }
  showAll();
}

async function forever() {
  for (;;) {
    if (!document.hidden) await round();
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}

// --- acting ---

function openToken(wrong) {
  byId("token-wrong").textContent = wrong;
  byId("token-input").value = "";
  byId("token-dialog").showModal();
}

function remember(token) {
  state.token = token || null;
  state.may = null;
  try {
    if (token) sessionStorage.setItem("tandem-token", token);
    else sessionStorage.removeItem("tandem-token");
  } catch {
    // A browser without storage keeps it in this page alone.
  }
}

// What is asked before something is done: title, what it does, the word of the button, the request.
function actions(data) {
  const place = data.server + " in " + data.pool;
  return {
    drain: { title: "Drain " + data.server, what: "No new connection goes to " + place + "; those that are open stay.", word: "Drain", more: true,
      path: "/v1/override", body: (given) => ({ kind: "drain", pool: data.pool, server: data.server, ...given }) },
    clear: { title: "Clear the override", what: "The checks decide again.", word: "Clear", path: "/v1/clear", body: () => ({ override: data.override }) },
    release: { title: "Hand " + data.router + " over", what: "Another director takes its addresses; this one stays out until the time is over.", word: "Hand over", more: true,
      path: "/v1/release", body: (given) => ({ router: data.router, ...(given.for_ms ? { for_ms: given.for_ms } : {}) }) },
    "clear-router": { title: "Take part again", what: data.router + " takes part in the election again.", word: "Take part", path: "/v1/clear", body: () => ({ router: data.router }) },
  };
}

function openAction(data) {
  const action = actions(data)[data.action];
  state.action = action;
  byId("act-title").textContent = action.title;
  byId("act-what").textContent = action.what;
  byId("act-do").textContent = action.word;
  byId("act-more").hidden = !action.more;
  byId("act-wrong").textContent = "";
  byId("act-reason").value = "";
  byId("act-dialog").showModal();
}

async function doAction() {
  const action = state.action;
  const given = {};
  if (action.more && byId("act-for").value) given.for_ms = Number(byId("act-for").value);
  if (action.more && byId("act-reason").value.trim()) given.reason = byId("act-reason").value.trim();
  byId("act-do").disabled = true;
  try {
    const { code, answer } = await ask(action.path, action.body(given));
    if (code >= 200 && code < 300) {
      byId("act-dialog").close();
      byId("spoken").textContent = (answer && answer.message) || "done";
      await round();
    } else {
      byId("act-wrong").textContent = refusal(answer);
    }
  } catch {
    byId("act-wrong").textContent = "The director did not answer: it may have done it all the same.";
  } finally {
    byId("act-do").disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target.closest("[data-action]") : null;
  if (!target) return;
  const data = target.dataset;
  if (data.action === "token") openToken("");
  else if (data.action === "close") target.closest("dialog").close();
  else if (data.action === "forget") {
    remember(null);
    target.closest("dialog").close();
    round();
  } else openAction({ ...data });
});

document.addEventListener("toggle", (event) => {
  const key = event.target instanceof HTMLElement ? event.target.dataset.fold : undefined;
  if (!key) return;
  const was = state.opened.has(key);
  if (event.target.open) state.opened.add(key);
  else state.opened.delete(key);
  if (was !== event.target.open && state.status) {
    showAll();
    if (event.target.open && event.target.dataset.serversOf) askServers().then(showAll, () => {});
  }
}, true);

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  remember(byId("token-input").value.trim());
  byId("token-dialog").close();
  round();
});

byId("act-form").addEventListener("submit", (event) => {
  event.preventDefault();
  doAction();
});

document.addEventListener("visibilitychange", () => { if (!document.hidden) round(); });
setInterval(showAge, 1000);

try {
  state.token = sessionStorage.getItem("tandem-token");
} catch {
  state.token = null;
}
forever();
