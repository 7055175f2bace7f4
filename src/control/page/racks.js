// Failing servers of one network with one failure: a rack, or a switch, told as one line.
import { h } from "./document.js";
import { ago, count, sign, word } from "./words.js";
import { sinceStart } from "./state.js";

// From so many on.
const RACK = 3;
const POOLS_NAMED = 4;

export const isDown = (server) => server.up === false;
export const whyDown = (server) => server.last_failure || server.reason || "down";

// The network in which a rack is: /24, or /64.
export function network(address) {
  const ipv4 = /^(\d+\.\d+\.\d+)\.\d+(:\d+)?$/.exec(address || "");
  if (ipv4) return ipv4[1] + ".0/24";
  const bare = host(address);
  if (!bare.includes(":")) return null;
  const [head, tail] = bare.split("::");
  const parts = head.split(":").filter(Boolean);
  const after = tail ? tail.split(":").length : 0;
  if (tail !== undefined) while (parts.length + after < 8) parts.push("0");
  return parts.slice(0, 4).map((part) => part || "0").join(":") + "::/64";
}

// An address without its port.
export const host = (address) => (address || "").replace(/^\[(.*)\](:\d+)?$/, "$1").replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");

const keyOf = (server) => network(server.address) + " " + whyDown(server);

// The largest first. `has` says whether a server's failure is told by one of them.
export function racks(pools) {
  const groups = new Map();
  for (const pool of pools) {
    for (const server of (pool.real_servers || []).filter(isDown)) {
      if (!network(server.address)) continue;
      const key = keyOf(server);
      const group = groups.get(key) || { key, place: network(server.address), why: whyDown(server), hosts: new Set(), pools: new Set(), since: null };
      group.hosts.add(host(server.address));
      group.pools.add(pool.name);
      if (typeof server.last_change_ms === "number") group.since = Math.max(group.since || 0, server.last_change_ms);
      groups.set(key, group);
    }
  }
  const found = [...groups.values()].filter((group) => group.hosts.size >= RACK).sort((a, b) => b.hosts.size - a.hosts.size);
  const keys = new Set(found.map((group) => group.key));
  return { found, has: (server) => keys.has(keyOf(server)) };
}

export function rackRow(group) {
  const pools = [...group.pools].sort();
  return h("li", { class: "row rack", "data-key": "rack-" + group.key, "data-rack": group.place },
    h("div", { class: "line" }, sign("bad"), h("span", { class: "name grow" }, count(group.hosts.size, "server"), " in ", h("span", { class: "ip" }, group.place)),
      word("bad", "down" + (group.since === null ? "" : " for " + ago(sinceStart(group.since))))),
    h("p", { class: "small" }, group.why + " · in " + count(pools.length, "pool") + ": " + pools.slice(0, POOLS_NAMED).join(", ") + (pools.length > POOLS_NAMED ? " …" : "")));
}
