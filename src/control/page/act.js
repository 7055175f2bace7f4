// What a click does: the question before it, the request, and what became of it. The token is asked for in the same way.
import { byId } from "./document.js";
import { ask, refusal } from "./ask.js";
import { beginAgain } from "./live.js";
import { remember, state } from "./state.js";

let action = null;
// Whether the token in use was complained of already: who closes the question wants it closed.
let complained = false;

// What is asked before something is done: title, what it does, the word of the button, the request.
const ACTIONS = {
  drain: ({ server, pool }) => ({
    title: "Drain " + server, what: "No new connection goes to " + server + " in " + pool + "; those that are open stay.", word: "Drain", more: true,
    path: "/v1/override", body: (given) => ({ kind: "drain", pool, server, ...given }),
  }),
  clear: ({ override }) => ({ title: "Clear the override", what: "The checks decide again.", word: "Clear", path: "/v1/clear", body: () => ({ override }) }),
  release: ({ router }) => ({
    title: "Hand " + router + " over", what: "Another director takes its addresses; this one stays out until the time is over.", word: "Hand over", more: true,
    path: "/v1/release", body: ({ for_ms }) => ({ router, ...(for_ms ? { for_ms } : {}) }),
  }),
  "clear-router": ({ router }) => ({ title: "Take part again", what: router + " takes part in the election again.", word: "Take part", path: "/v1/clear", body: () => ({ router }) }),
};

function openToken(wrong) {
  byId("token-wrong").textContent = wrong;
  byId("token-input").value = "";
  byId("token-dialog").showModal();
}

// The director wants a token, or another one.
export function denied(why) {
  if (complained || byId("token-dialog").open) return;
  complained = true;
  openToken(state.token ? why : "");
}

function useToken(token, look) {
  complained = false;
  remember(token);
  byId("token-dialog").close();
  beginAgain();
  look();
}

function openAction(data) {
  action = ACTIONS[data.action](data);
  byId("act-title").textContent = action.title;
  byId("act-what").textContent = action.what;
  byId("act-do").textContent = action.word;
  byId("act-more").hidden = !action.more;
  byId("act-wrong").textContent = "";
  byId("act-reason").value = "";
  byId("act-dialog").showModal();
}

function given() {
  if (!action.more) return {};
  const reason = byId("act-reason").value.trim();
  const forMs = byId("act-for").value;
  return { ...(forMs ? { for_ms: Number(forMs) } : {}), ...(reason ? { reason } : {}) };
}

async function doAction(look) {
  byId("act-do").disabled = true;
  try {
    const { code, answer } = await ask(action.path, action.body(given()));
    if (code >= 200 && code < 300) {
      byId("act-dialog").close();
      byId("spoken").textContent = (answer && answer.message) || "done";
      await look();
    } else {
      byId("act-wrong").textContent = refusal(answer);
    }
  } catch {
    byId("act-wrong").textContent = "The director did not answer: it may have done it all the same.";
  } finally {
    byId("act-do").disabled = false;
  }
}

export function actWith(look) {
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    if (!target) return;
    const { action: name } = target.dataset;
    if (name === "token") openToken("");
    else if (name === "close") target.closest("dialog").close();
    else if (name === "forget") useToken(null, look);
    else openAction({ ...target.dataset });
  });
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useToken(byId("token-input").value.trim(), look);
  });
  byId("act-form").addEventListener("submit", (event) => {
    event.preventDefault();
    doAction(look);
  });
}
