// Small helpers to make and find elements, and to say things.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties, and children that are elements or text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** An element of a drawing. */
export function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One of the icons of index.html. */
export const icon = (name) =>
  makeSvg("svg", { class: "icon", "aria-hidden": "true" }, makeSvg("use", { href: `#i-${name}` }));

/** Text for those who listen to the page. */
export const unseen = (text) => make("span", { className: "unseen" }, text);

/** What stands where a picture can't be had. */
export const gone = (words = "Not available") => make("span", { className: "gone" }, icon("picture"), words);

/** Whether a picture is so long that a square could show but a smear of it: then it is shown whole. */
export const isLong = ({ naturalWidth: width, naturalHeight: height }) => Math.max(width, height) > 2.5 * Math.min(width, height);

/** Keep what the page says with an open dialog: all outside of it lies below, and is not read out. */
export function speakWithin(dialog) {
  const voices = ["toasts", "announce", "drop"].map(byId);
  const follow = () => ([...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body).append(...voices);
  new MutationObserver(follow).observe(dialog, { attributeFilter: ["open"] });
}

/** Have a screen reader say something. */
export function announce(text) {
  byId("announce").textContent = text;
}

/** A short message, which goes by itself. */
export function toast(text, { wrong = false } = {}) {
  const item = make("p", { className: wrong ? "toast wrong" : "toast" }, text);
  byId("toasts").append(item);
  setTimeout(() => item.remove(), wrong ? 8000 : 3500);
}

export const number = (value) => value.toLocaleString("en");

export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** Bytes in words. */
export function bytes(value) {
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value.toLocaleString("en", { maximumFractionDigits: value < 10 && unit ? 1 : 0 })} ${units[unit]}`;
}

/** Wait until nothing was asked for a while, then do it once. */
export function later(work, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
}
