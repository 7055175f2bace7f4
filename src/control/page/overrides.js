// What operators ordered, the newest first.
import { button, byId, fold, h, show, small } from "./document.js";
import { ago, count, word } from "./words.js";
import { clockNow, mayAct, state } from "./state.js";

const KINDS = { drain: "drained", disable: "disabled", weight: "weight", force_up: "forced up", freeze: "frozen" };

function what({ server, pool }) {
  if (server) return server + (pool ? " in " + pool : ", all pools");
  return pool || "every pool";
}

function row(order) {
  const kind = order.kind === "weight" && order.weight !== null ? "weight " + order.weight : KINDS[order.kind] || order.kind;
  const left = order.until_unix_ms ? "ends in " + ago(order.until_unix_ms - clockNow()) : "until it is cleared";
  return h("li", { class: "row", "data-key": "override-" + order.id, "data-override": order.id },
    h("div", { class: "line" }, word("warn", kind), h("span", { class: "name grow" }, what(order)), h("span", { class: "quiet" }, ago(clockNow() - order.set_unix_ms) + " old"),
      mayAct() && button("Clear", { "data-action": "clear", "data-override": order.id, "aria-label": "Clear the override of " + what(order) })),
    h("p", { class: "small by" }, [order.by && "by " + order.by, order.reason, left].filter(Boolean).join(" · ")));
}

export function showOverrides() {
  const orders = [...(state.status.overrides || [])].sort((a, b) => b.set_unix_ms - a.set_unix_ms);
  const room = small() ? 2 : 6;
  show(byId("overrides-list"),
    orders.length ? h("ul", { class: "card rows", "data-key": "rows" }, orders.slice(0, room).map(row))
      : h("p", { class: "card row empty", "data-key": "none" }, "None."),
    orders.length > room && fold("overrides-rest", count(orders.length - room, "more override"), () => h("ul", { class: "rows" }, orders.slice(room).map(row))));
}
