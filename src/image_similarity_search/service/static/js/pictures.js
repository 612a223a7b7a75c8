// What is shown in the grid, and the words above it.

import { fillCell, makeCell } from "./cells.js";
import { announce, byId, bytes, count, make, number } from "./dom.js";
import { Grid } from "./grid.js";
import { Library, Results } from "./sources.js";
import { fileOf } from "./uploads.js";

const WAITING = 200; // milliseconds, after which it is said that something is waited for
const FOR_FINGERS = matchMedia("(hover: none)");
const captionHeight = () => (FOR_FINGERS.matches ? 44 : 34); // pixels, as in grid.css

/** Shows the library or the hits of a search. */
export class Pictures {
  source = null;
  settled = Promise.resolve(true); // whether what was asked for last came, once that is known
  #after = null;
  #opening = null;
  #before = null; // what was said before it was said that something is waited for

  constructor({ act, addressOf, failed, changed }) {
    Object.assign(this, { failed, changed });
    const host = byId("pictures");
    const list = make("ul", { className: "cells" });
    list.setAttribute("role", "list");
    host.append(list);
    this.grid = new Grid(host, list, {
      makeCell,
      fill: (cell, item) => fillCell(cell, item, addressOf, this.source?.liked),
      captionHeight,
      act: (key, index) => act.key(key, this.source.at(index)?.image),
    });
    list.addEventListener("click", (event) => this.#click(event, act));
  }

  /** Show what a state asks for; resolves when the first of it is there. */
  async show(state, { scroll = 0, focus = false } = {}) {
    this.source?.close();
    const changed = (source) => source === this.source && this.#arrived();
    const source = state.examples.some(({ weight }) => weight > 0)
      ? new Results(state, fileOf, changed, this.failed)
      : new Library(state.collection, state.filter, changed, this.failed);
    byId("pictures").ariaBusy = "true";
    this.#after = () => this.#first(state, scroll, focus);
    this.source = this.#opening = source;
    const waiting = setTimeout(() => this.#sayWaiting(state), WAITING);
    const opened = source.open();
    this.settled = opened.then(() => true, () => false);
    try {
      await opened;
    } finally {
      clearTimeout(waiting);
      if (this.#opening === source) this.#waitNoMore();
    }
  }

  /** It takes a while: what is shown is no answer to what was asked. */
  #sayWaiting({ examples }) {
    this.#before ??= [byId("status").textContent, byId("status-note").textContent];
    const size = examples.map(({ upload }) => fileOf(upload)?.size ?? 0).reduce((one, other) => one + other, 0);
    say(this.source.scored ? "Searching…" : "Loading…", size ? `${bytes(size)} to send` : "");
    byId("pictures").classList.add("waiting");
    announce(byId("status").textContent);
  }

  #waitNoMore() {
    if (this.#before) say(...this.#before); // nothing came
    this.#before = this.#opening = null;
    byId("pictures").classList.remove("waiting");
    byId("pictures").ariaBusy = "false";
  }

  /** The collection has changed: hits stay as they are, the library is brought up to date. */
  async refresh() {
    if (this.source instanceof Library) await this.source.refresh();
  }

  /** Whether the collection is shown, and has no picture. */
  get isEmpty() {
    return this.source instanceof Library && !this.source.total && !this.filtered && this.#opening === null;
  }

  /** Nothing can be shown: `{title, text}` says why; `remedy`, a button, does something about it. */
  fail(title, text, remedy) {
    this.source?.close();
    this.source = { total: 0, at: () => undefined, want: () => {}, indexOf: () => -1, images: [], close: () => {} };
    this.grid.show(this.source);
    say("", "");
    showEmpty(title, text);
    if (remedy) byId("empty-actions").replaceChildren(remedy);
  }

  /** Another threshold, for the hits that are there. */
  setThreshold(threshold) {
    if (!this.source?.scored) return;
    this.source.threshold = threshold;
    this.#arrived();
  }

  #arrived() {
    if (this.#after) {
      const after = this.#after;
      this.#after = null;
      after();
    } else {
      this.grid.redraw();
      this.#describe();
    }
    this.changed();
  }

  #first(state, scroll, focus) {
    this.lacksLike = state.examples.length > 0 && !this.source.scored;
    this.filtered = Object.keys(state.filter).length > 0;
    this.grid.show(this.source);
    this.#describe();
    scrollTo(0, scroll);
    this.grid.redraw();
    if (focus && this.source.total) this.grid.reveal(0, { focus: true });
  }

  #describe() {
    const { scored, total, seconds, metric, hasMore } = this.source;
    this.#before = null;
    if (scored) {
      const time = `${(seconds * 1000).toLocaleString("en", { maximumFractionDigits: seconds < 0.01 ? 1 : 0 })} ms`;
      say(...(total ? ["Most similar", `${number(total)}${hasMore ? " and more" : ""} · ${metric} · ${time}`] : ["", ""]));
    } else {
      const filtered = total && this.filtered ? "that the filter lets through" : "";
      say(total ? count(total, "picture") : "", this.lacksLike ? "Add a picture to find more like it" : filtered);
    }
    announce(total ? `${byId("status").textContent}, ${byId("status-note").textContent}` : "No pictures");
    if (total) byId("empty").hidden = true;
    else this.#explain(scored);
  }

  #explain(scored) {
    if (scored && this.source.hits.length) showEmpty("No picture is that similar", "Lower the minimum score to see the nearest pictures.");
    else if (this.filtered) showEmpty("No picture matches the filter", "Remove some conditions.");
    else if (scored) showEmpty("No hits", "The collection has no other pictures yet.");
    else showEmpty("No pictures yet", "Index a folder, and they appear here:", "iss index ~/Pictures");
  }

  #click(event, act) {
    const cell = event.target.closest(".cell");
    const image = cell && this.source.at(Number(cell.dataset.index))?.image;
    if (!image || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const tool = event.target.closest("button")?.dataset.act;
    event.preventDefault();
    if (tool) act[tool](image);
    else act.search(image, { byKeys: event.detail === 0 });
  }
}

/** The words above the pictures. */
function say(status, note) {
  byId("status").textContent = status;
  byId("status-note").textContent = note;
}

function showEmpty(title, text, command = "") {
  byId("empty").hidden = false;
  byId("empty-title").textContent = title;
  byId("empty-actions").replaceChildren();
  byId("empty-text").replaceChildren(text, ...(command ? [" ", make("code", {}, command)] : []));
}
