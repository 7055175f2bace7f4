// What this page knows. Nothing is kept but the token, until the tab is closed.

export const state = {
  // The last answer of `/v1/status`, when it came (performance.now()), and what the caller may do.
  status: null, statusAt: 0, may: null,
  // Why there is no newer one; null while there is.
  failure: null,
  // The newest first; null where the director tells none.
  events: [],
  // Whether events come by themselves.
  streaming: false,
  token: null,
};

const TOKEN = "tandem-token";

try {
  state.token = sessionStorage.getItem(TOKEN);
} catch {
  // A browser without storage keeps it in this page alone.
}

export function remember(token) {
  state.token = token || null;
  state.may = null;
  try {
    if (token) sessionStorage.setItem(TOKEN, token);
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // As above.
  }
}

export const mayAct = () => state.may === "act";
export const here = () => (state.status && state.status.director) || "this director";
export const peers = () => state.status.peers || [];

// How old what is shown is, in milliseconds.
export const viewAge = () => state.status.age_ms + (performance.now() - state.statusAt);
// The director's own wall clock, now.
export const clockNow = () => state.status.started_unix_ms + state.status.uptime_ms + viewAge();
// How long ago something was that the director counts from its start.
export const sinceStart = (ms) => state.status.uptime_ms - ms + viewAge();
