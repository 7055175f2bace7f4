// "Safe to fail over: yes or no, because", the other directors, and what else must be known before anything is done.
import { byId, h, show } from "./document.js";
import { ago, sign, word } from "./words.js";
import { peers, state } from "./state.js";

// There is nobody to fail over to, and nobody expects it: that is no alarm.
export const isAlone = () => !peers().length && !(state.status.routers || []).length;

function alarms() {
  const { status } = state;
  const found = [];
  for (const { name, channel } of peers().filter((peer) => peer.channel)) {
    if (channel.policy_match === false) found.push(["bad", name + " runs another policy: a failover would change what is served"]);
    if (channel.table_match === false) found.push(["bad", name + " has other tables: a failover would move clients to other servers"]);
  }
  if (status.ready === false) found.push(["warn", "not ready: " + (status.awaits || "starting")]);
  if (status.observing) found.push(["warn", "observing, and changing nothing: " + (status.differences_total || 0) + " differences to the live tables"]);
  return found;
}

// Another director in one line.
function peerLine(peer) {
  const { channel } = peer;
  const report = (channel && channel.up && channel.report) || null;
  const facts = [
    peer.last_heard_ms_ago === null ? "never heard" : peer.up ? "heard" : "silent for " + ago(peer.last_heard_ms_ago),
    report && (report.ready === false ? "not ready" : "ready"),
    report && report.pools !== undefined && report.pools_up + " of " + report.pools + " pools up",
    channel && !channel.up && "channel down" + (channel.fault ? ": " + channel.fault : ""),
    channel && channel.up && channel.policy_match && channel.table_match && "same policy and tables",
  ];
  return h("span", { class: "small" }, word(peer.up ? "good" : "bad", peer.name), " " + facts.filter(Boolean).join(" · "));
}

export function showVerdict() {
  const safe = state.status.safe_to_fail_over;
  const level = safe.yes ? "good" : isAlone() ? "quiet" : "bad";
  show(byId("verdict"),
    h("div", { class: "verdict", "data-level": level, id: "verdict-card" }, sign(level),
      h("div", {}, h("strong", {}, "Safe to fail over: ", safe.yes ? "yes" : "no"), h("span", {}, "because " + safe.because), peers().map(peerLine))),
    alarms().map(([level, text]) => h("p", { class: "alarm", "data-level": level }, text)));
}
