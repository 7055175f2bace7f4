// Asks the director that serves this page. The token is sent with each request and stands nowhere else, so no other page can
// act by this browser.
import { state } from "./state.js";

const ANSWER_WITHIN_MS = 8000;
// The director sends a sign of life every 15 seconds.
const SILENCE_MS = 35000;
// Characters of a stream's line at most.
const LONGEST_LINE = 65536;

const headers = () => (state.token ? { Authorization: "Bearer " + state.token } : {});
const always = { cache: "no-store", credentials: "omit", redirect: "error" };

// A question, or with a body something to do: the code, what the caller may do, and the answer.
export async function ask(path, body) {
  const acts = body !== undefined;
  const response = await fetch(path, {
    ...always, method: acts ? "POST" : "GET", signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    headers: acts ? { ...headers(), "Content-Type": "application/json" } : headers(), body: acts ? JSON.stringify(body) : undefined,
  });
  const answer = await response.json().catch(() => null);
  return { code: response.status, may: response.headers.get("tandem-may"), answer };
}

export const refusal = (answer) => (answer && answer.error && answer.error.message) || "the director did not say why";

// Follows a stream of server-sent events, which EventSource cannot do with a token, until it ends or `stop` is aborted. `each`
// gets the name and the data of each event; `begun` is called once it is open.
export async function follow(path, stop, begun, each) {
  const silence = new AbortController();
  let timer;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  alive();
  try {
    const response = await fetch(path, { ...always, headers: headers(), signal: AbortSignal.any([stop, silence.signal]) });
    if (response.status !== 200) throw new Error("code " + response.status);
    begun();
    await read(response.body.pipeThrough(new TextDecoderStream()).getReader(), alive, each);
  } finally {
    clearTimeout(timer);
  }
}

async function read(reader, alive, each) {
  let rest = "";
  let event = { name: "", data: [] };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    if (rest.length > LONGEST_LINE) throw new Error("no stream of events");
    for (const line of lines.map((line) => line.replace(/\r$/, ""))) {
      if (line.startsWith("event:")) event.name = line.slice(6).trim();
      else if (line.startsWith("data:")) event.data.push(line.slice(5).replace(/^ /, ""));
      else if (line === "") {
        if (event.data.length) each(event.name, event.data.join("\n"));
        event = { name: "", data: [] };
      }
    }
  }
}
