// Keeps this page level with the director: its events come by themselves, and each is followed by a look at everything; every
// two seconds there is one anyway. Where the stream of events breaks, or others hold all its places, the looks alone go on.
import { ask, follow, refusal } from "./ask.js";
import { addEvents, EVENTS_FOR_MS } from "./events.js";
import { sample } from "./sparks.js";
import { clockNow, peers, state } from "./state.js";

const LOOK_EVERY_MS = 2000;
// The director publishes its view twice a second: an event is in it after so long.
const LOOK_AFTER_MS = 600;
const TRY_AGAIN_MS = [1000, 2000, 5000, 15000];
// Events that are asked for at once.
const MOST_EVENTS = 1000;

let looking = null;
let lookAgain = null;
let toldByOthers = 0;
let stop = new AbortController();

// One look; who asks for one while one is under way gets that. `told` is called when there is something to show, `denied`
// when a token is wanted.
function look(told, denied) {
  looking ||= askStatus(denied).catch((error) => {
    state.failure = error instanceof Error && error.name === "TimeoutError" ? "does not answer in time" : "does not answer";
  }).then(told).finally(() => { looking = null; });
  return looking;
}

async function askStatus(denied) {
  const { code, may, answer } = await ask("/v1/status");
  if (code === 401) {
    state.may = null;
    state.failure = "wants a token";
    denied(refusal(answer));
    return;
  }
  if (code !== 200 || !answer) {
    state.failure = "answers with an error: " + refusal(answer);
    return;
  }
  Object.assign(state, { may, status: answer, statusAt: performance.now(), failure: null });
  sample(answer, state.statusAt);
  // The stream tells what happens here alone.
  const told = peers().reduce((sum, { channel }) => sum + ((channel && channel.events_heard) || 0), 0);
  if (!state.streaming || told !== toldByOthers) await askEvents();
  toldByOthers = told;
}

// Where to go on from; null where this director tells no events.
async function askEvents() {
  const since = Math.round(clockNow() - EVENTS_FOR_MS);
  const { code, answer } = await ask("/v1/events?since_ms=" + since + "&limit=" + MOST_EVENTS);
  if (code === 404) state.events = null;
  if (code !== 200 || !answer || !Array.isArray(answer.events)) return null;
  addEvents([...answer.events, ...(answer.others || [])]);
  return answer.last_id === undefined ? null : answer.last_id;
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export function live(told, denied) {
  const now = () => look(told, denied);
  const soon = () => { lookAgain ||= setTimeout(() => { lookAgain = null; now(); }, LOOK_AFTER_MS); };
  const streamOnce = async () => {
    const last = await askEvents();
    if (last === null) throw new Error("no events");
    await follow("/v1/events/stream?after=" + last, stop.signal, () => { state.streaming = true; told(); }, (name, data) => {
      // What was not read in time is asked for.
      if (name === "lost") askEvents().then(told, () => {});
      else addEvents([JSON.parse(data)]);
      told();
      soon();
    });
  };
  const streamForever = async () => {
    await now();
    for (let failures = 0; ; failures += 1) {
      if (!document.hidden && state.status && !state.failure) {
        await streamOnce().catch(() => {});
        if (state.streaming) {
          failures = 0;
          state.streaming = false;
          // A director that ends closes its streams: that is seen at once.
          await now();
        }
      }
      await pause(TRY_AGAIN_MS[Math.min(failures, TRY_AGAIN_MS.length - 1)]);
    }
  };
  const lookForever = async () => {
    for (;;) {
      if (!document.hidden) await now();
      await pause(LOOK_EVERY_MS);
    }
  };
  // A page that nobody sees gives its place at the stream to another one.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) now();
    else {
      stop.abort();
      stop = new AbortController();
    }
  });
  lookForever();
  streamForever();
  return now;
}

// Whoever has another token is somebody else.
export function beginAgain() {
  stop.abort();
  stop = new AbortController();
}
