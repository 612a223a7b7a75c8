// Where the pictures of the grid come from: the library, a part at a time, or the hits of a search.

import * as api from "./api.js";

const PART = 120;
const PARTS_KEPT = 60;

/** All pictures of a collection that a filter lets through, fetched where they are looked at. */
export class Library {
  scored = false;
  total = 0;

  constructor(collection, filter, changed, failed) {
    Object.assign(this, { collection, filter, changed, failed });
    this.parts = new Map();
    this.outdated = new Set();
    this.waiting = new Map();
  }

  /** The first part, and how many there are. */
  async open() {
    await this.#fetch(0);
  }

  /** The collection has changed: what is in sight is fetched again, and shown as it was until then. */
  async refresh() {
    this.outdated = new Set(this.parts.keys());
    await this.#fetch(0); // also says how many there are now
  }

  at(index) {
    if (index >= this.total) return undefined;
    const part = this.parts.get(Math.floor(index / PART));
    const image = part?.[index % PART];
    return image && { image };
  }

  /** Those that are there by now. */
  get images() {
    return [...this.parts.values()].flat();
  }

  indexOf(id) {
    for (const [part, images] of this.parts) {
      const place = images.findIndex((image) => image.id === id);
      if (place >= 0) return part * PART + place;
    }
    return -1;
  }

  /** Fetch what is missing of these places; leave what was asked for elsewhere. */
  want(first, last) {
    const [from, to] = [Math.floor(first / PART), Math.floor(Math.max(first, last - 1) / PART)];
    for (const [part, abort] of this.waiting) if (part < from - 1 || part > to + 1) abort.abort();
    for (let part = from; part <= to; part += 1) {
      if ((this.parts.has(part) && !this.outdated.has(part)) || this.waiting.has(part)) continue;
      this.#fetch(part).catch((error) => error.name !== "AbortError" && this.failed(error));
    }
  }

  close() {
    for (const abort of this.waiting.values()) abort.abort();
  }

  async #fetch(part) {
    const abort = new AbortController();
    this.waiting.set(part, abort);
    try {
      const found = await api.images(this.collection, this.filter, part * PART, PART, abort.signal);
      this.total = found.total;
      this.parts.set(part, found.images);
      this.outdated.delete(part);
      if (this.parts.size > PARTS_KEPT) this.parts.delete(this.parts.keys().next().value);
    } finally {
      this.waiting.delete(part);
    }
    this.changed(this);
  }
}

const FIRST_HITS = 100;
const MOST_HITS = 1000;

/** The hits of a search, the most alike first; more are asked for where the end is looked at. */
export class Results {
  scored = true;
  hits = [];
  seconds = 0;

  constructor({ collection, examples, filter, options, liked, disliked, threshold }, fileOf, changed, failed) {
    Object.assign(this, { collection, examples, fileOf, filter, options, liked, disliked, threshold, changed, failed });
    this.k = FIRST_HITS;
    this.busy = false;
    this.complete = false;
    this.abort = new AbortController();
  }

  async open() {
    await this.#fetch();
  }

  /** How many are shown: those above the threshold, which is applied here, at once. */
  get total() {
    let [low, high] = [0, this.hits.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hits[middle].score >= this.threshold) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get hasMore() {
    return !this.complete && this.total === this.hits.length;
  }

  at(index) {
    return this.hits[index];
  }

  get images() {
    return this.hits.map(({ image }) => image);
  }

  indexOf(id) {
    return this.hits.findIndex((hit) => hit.image.id === id);
  }

  want(_first, last) {
    if (last < this.total || !this.hasMore || this.busy) return;
    this.k = Math.min(MOST_HITS, this.k * 3);
    this.#fetch().catch((error) => error.name !== "AbortError" && this.failed(error));
  }

  close() {
    this.abort.abort();
  }

  async #fetch() {
    this.busy = true;
    const { k, filter, options, liked, disliked, abort } = this;
    try {
      const found = await api.search(this.collection, this.examples, this.fileOf, { k, filter, options, liked, disliked, signal: abort.signal });
      this.hits = found.hits;
      this.seconds = found.seconds;
      this.metric = found.metric;
      this.complete = found.hits.length < k || k >= MOST_HITS;
    } finally {
      this.busy = false;
    }
    this.changed(this);
  }
}
