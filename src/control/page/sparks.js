// Sparklines: what this page has seen itself, since it was opened.
import { h } from "./document.js";

// Five minutes, in steps of two seconds.
const SAMPLES = 150;
// The first minute fills the width; from then on the line becomes denser.
const AT_FIRST = 30;
const STEP_MS = 1900;
// Lines that are remembered; what comes later has none.
const SERIES = 5000;

let series = new Map();
let sampledAt = -STEP_MS;

// Takes one sample of everything in a status, unless the last one was just now; what has gone is forgotten.
export function sample(status, now) {
  if (now - sampledAt < STEP_MS) return;
  sampledAt = now;
  const before = series;
  series = new Map();
  const add = (key, value) => {
    if (typeof value !== "number" || series.size >= SERIES) return;
    const values = before.get(key) || [];
    values.push(value);
    if (values.length > SAMPLES) values.shift();
    series.set(key, values);
  };
  for (const pool of status.pools || []) add("pool " + pool.name, pool.servers_up);
  for (const pool of status.pools || []) for (const server of pool.real_servers || []) add("server " + pool.name + "/" + server.name, server.active_connections);
}

export function spark(key, label, most) {
  const values = series.get(key) || [];
  if (values.length < 3) return null;
  const top = Math.max(most || 0, ...values, 1);
  const step = 100 / (Math.max(values.length, AT_FIRST) - 1);
  const from = 100 - (values.length - 1) * step;
  const point = (value, index) => (from + index * step).toFixed(1) + " " + (19 - (value / top) * 18).toFixed(1);
  const words = label + ": now " + values[values.length - 1] + ", least " + Math.min(...values) + ", most " + Math.max(...values);
  return h("svg", { class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img", "aria-label": words },
    h("path", { d: "M" + values.map(point).join("L") }));
}
