// Words, and the signs beside them: no state is told by colour alone.
import { h } from "./document.js";

const SIGNS = { good: "✓", warn: "!", bad: "✗", quiet: "·" };
// The worst first.
export const RANK = { bad: 0, warn: 1, good: 2, quiet: 3 };

export const worse = (one, other) => (RANK[one] <= RANK[other] ? one : other);
export const sign = (level) => h("span", { class: "sign", "data-level": level, "aria-hidden": "true" }, SIGNS[level]);
export const word = (level, ...text) => h("span", { class: "word", "data-level": level }, ...text);
export const count = (number, one, many) => number + " " + (number === 1 ? one : many || one + "s");

// A length of time, to two parts.
export function ago(ms) {
  if (ms === null || ms === undefined) return "never";
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor((s % 86400) / 3600) + " h";
}

export function clock(unixMs) {
  const at = new Date(unixMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
