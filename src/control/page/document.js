// The document: elements are made anew and laid over the old ones, so that focus and open folds stay. All data goes into text
// nodes and plain attributes, never into markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = ["svg", "path", "rect"];
// What the reader has opened, by the key of the fold.
const opened = new Set();

export const byId = (id) => document.getElementById(id);
export const isOpen = (key) => opened.has(key);
export const small = () => window.matchMedia("(max-width: 640px)").matches;

export function h(tag, attributes, ...children) {
  const element = SVG_TAGS.includes(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const button = (text, attributes) => h("button", { type: "button", ...attributes }, text);

// Something that opens. What is inside is made only while it is open.
export function opening(key, attributes, summary, content) {
  return h("details", { ...attributes, "data-key": key, "data-fold": key, open: isOpen(key) },
    h("summary", {}, summary), h("div", { class: "details" }, isOpen(key) && content()));
}

export const chevron = () => h("span", { class: "chevron", "aria-hidden": "true" }, "›");

export function fold(key, title, content) {
  return opening(key, { class: "fold" }, h("span", { class: "line" }, h("span", { class: "grow" }, title), chevron()), content);
}

// Calls back when the reader opens or closes something.
export function onOpening(changed) {
  document.addEventListener("toggle", (event) => {
    const key = event.target instanceof HTMLElement ? event.target.dataset.fold : undefined;
    if (!key || event.target.open === opened.has(key)) return;
    if (event.target.open) opened.add(key);
    else opened.delete(key);
    changed();
  }, true);
}

export function show(place, ...children) {
  const focused = document.activeElement;
  lay(place, children.flat(Infinity).filter(Boolean));
  // What is moved loses the focus.
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function lay(place, wanted) {
  const keyed = new Map();
  for (const child of place.children) if (child.dataset && child.dataset.key) keyed.set(child.dataset.key, child);
  wanted.forEach((next, index) => {
    const key = next.dataset && next.dataset.key;
    const present = place.childNodes[index] || null;
    const old = (key && keyed.get(key)) || present;
    if (old && alike(old, next)) {
      if (old !== present) place.insertBefore(old, present);
      patch(old, next);
    } else {
      place.insertBefore(next, present);
    }
  });
  while (place.childNodes.length > wanted.length) place.lastChild.remove();
}

function alike(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) return false;
  return old.nodeType === Node.TEXT_NODE || (old.dataset || {}).key === (next.dataset || {}).key;
}

function patch(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  // Whether a fold is open is the reader's.
  for (const name of old.getAttributeNames()) if (name !== "open" && !next.hasAttribute(name)) old.removeAttribute(name);
  for (const name of next.getAttributeNames()) {
    const value = next.getAttribute(name);
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  lay(old, [...next.childNodes]);
}
