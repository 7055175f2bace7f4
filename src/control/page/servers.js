// The real servers of one pool, the failing ones first.
import { button, h } from "./document.js";
import { ago, count, sign, word } from "./words.js";
import { mayAct, sinceStart, state } from "./state.js";
import { host, isDown, whyDown } from "./racks.js";
import { spark } from "./sparks.js";

const SHOWN = 50;

// The order that an operator gave for this server, alone or in every pool; the one that names the pool counts.
function orderOf(pool, server) {
  const names = [server.name, server.address, host(server.address)];
  const orders = (state.status.overrides || []).filter((order) => names.includes(order.server) && (!order.pool || order.pool === pool.name));
  return orders.find((order) => order.pool) || orders[0];
}

function act(pool, server) {
  const order = orderOf(pool, server);
  if (order) return button("Clear", { "data-action": "clear", "data-override": order.id, "aria-label": "Clear what is ordered of " + server.name });
  return button("Drain", { "data-action": "drain", "data-pool": pool.name, "data-server": server.name, "aria-label": "Drain " + server.name + " in " + pool.name });
}

function facts(server) {
  const { active_connections: connections, weight_effective: weight, weight_configured: configured } = server;
  return [
    isDown(server) && whyDown(server),
    server.ordered && "ordered: " + server.ordered.replace("_", " "),
    !isDown(server) && "weight " + weight + (weight === configured ? "" : " of " + configured),
    (connections > 0 || !isDown(server)) && typeof connections === "number" && count(connections, "connection"),
    typeof server.last_change_ms === "number" && "for " + ago(sinceStart(server.last_change_ms)),
  ].filter(Boolean).join(" · ");
}

function row(pool, server) {
  const level = isDown(server) ? "bad" : server.in_rotation === false ? "warn" : "good";
  const title = { bad: "down", warn: "out of rotation", good: "up" }[level];
  return h("li", { "data-key": "server-" + server.name, "data-server": server.name }, sign(level),
    h("span", { class: "grow" }, h("span", { class: "name" }, server.name), " ", word(level, title), h("span", { class: "small" }, facts(server))),
    spark("server " + pool.name + "/" + server.name, server.name + ": active connections over the last minutes", null),
    mayAct() && act(pool, server));
}

export function serverList(pool) {
  const all = [...(pool.real_servers || [])].sort((a, b) => Number(isDown(b)) - Number(isDown(a)));
  const hidden = pool.servers - Math.min(all.length, SHOWN);
  return h("ul", { class: "servers" }, all.slice(0, SHOWN).map((server) => row(pool, server)),
    hidden > 0 && h("li", { class: "small" }, count(hidden, "more server is", "more servers are") + " not shown here: tandem explain " + pool.name));
}
