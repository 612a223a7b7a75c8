// A grid of any number of pictures, of which only those in sight are elements.

import { later } from "./dom.js";

const TALLEST = 15_000_000; // pixels; browsers draw nothing right in elements that are much taller

/** Cells in rows. `fill(cell, index)` puts a picture into a cell; `makeCell()` makes an empty one. */
export class Grid {
  constructor(host, list, { makeCell, fill, captionHeight, act }) {
    Object.assign(this, { host, list, makeCell, fill, captionHeight, act });
    this.cells = new Map();
    this.current = 0;
    this.source = null;
    this.frame = 0;
    this.soon = later(() => this.source?.want(...this.range), 60);
    addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.#measure() && this.redraw()).observe(host);
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("focusin", (event) => this.#focused(event));
  }

  /** Show other pictures, from the start. */
  show(source) {
    this.source = source;
    this.current = 0;
    this.#measure();
    this.redraw();
  }

  /** Draw all cells anew: what the source has is new. */
  redraw() {
    for (const cell of this.cells.values()) cell.dataset.stale = "yes";
    this.#draw();
  }

  /** Draw what is in sight, with the next frame. */
  draw() {
    this.frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Bring a picture into sight; with `focus`, give it the focus. */
  reveal(index, { focus = false } = {}) {
    const top = this.#topOf(Math.floor(index / this.columns)) + this.#hostTop();
    const sight = [scrollY + this.#barHeight(), scrollY + innerHeight];
    if (top < sight[0]) scrollTo(0, top - this.#barHeight() - 12);
    else if (top + this.rowHeight > sight[1]) scrollTo(0, top + this.rowHeight + 12 - innerHeight);
    this.#setCurrent(index);
    this.#draw();
    if (focus) this.cells.get(index)?.querySelector("a").focus({ preventScroll: true });
  }

  #measure() {
    const width = this.host.clientWidth;
    const narrow = innerWidth < 700;
    const gap = narrow ? 6 : 12;
    const scored = Boolean(this.source?.scored);
    const least = narrow ? (scored ? 150 : 105) : scored ? 190 : 150;
    const columns = Math.max(2, Math.floor((width + gap) / (least + gap)));
    const caption = scored ? this.captionHeight() : 0;
    const side = (width - gap * (columns - 1)) / columns;
    const before = [this.columns, this.side, this.caption].join();
    Object.assign(this, { columns, gap, side, caption, rowHeight: side + caption + gap });
    return before !== [columns, side, caption].join();
  }

  #barHeight() {
    return document.querySelector(".bar").offsetHeight;
  }

  #hostTop() {
    return this.host.getBoundingClientRect().top + scrollY;
  }

  get rows() {
    return Math.ceil((this.source?.total ?? 0) / this.columns);
  }

  /** How much less than a pixel of scrolling is a pixel of the grid, where that is too tall. */
  get #squeeze() {
    return Math.max(1, (this.rows * this.rowHeight) / TALLEST);
  }

  #topOf(row) {
    return (row * this.rowHeight) / this.#squeeze;
  }

  #draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.source) return;
    const squeeze = this.#squeeze;
    this.list.style.height = `${Math.max(0, (this.rows * this.rowHeight) / squeeze - this.gap)}px`;
    const above = Math.max(0, scrollY - this.#hostTop());
    const start = above * squeeze;
    const firstRow = Math.max(0, Math.floor((start - innerHeight * 0.5) / this.rowHeight));
    const lastRow = Math.min(this.rows, Math.ceil((start + innerHeight * 1.5) / this.rowHeight));
    this.range = [firstRow * this.columns, Math.min(this.source.total, lastRow * this.columns)];
    this.#place(squeeze === 1 ? 0 : above - start);
    this.soon();
  }

  /** Make, move, fill and remove cells; those that stay keep their order, and the focus. */
  #place(shift) {
    const [first, last] = this.range;
    const held = this.list.contains(document.activeElement) ? this.current : -1;
    for (const [index, cell] of this.cells) {
      if ((index < first || index >= last) && (index !== held || index >= this.source.total)) {
        cell.remove();
        this.cells.delete(index);
      }
    }
    let next = this.list.firstElementChild;
    for (let index = first; index < last; index += 1) {
      let cell = this.cells.get(index);
      if (cell) {
        while (next && Number(next.dataset.index) <= index) next = next.nextElementSibling;
      } else {
        while (next && Number(next.dataset.index) < index) next = next.nextElementSibling;
        cell = this.makeCell();
        cell.dataset.stale = "yes";
        this.cells.set(index, cell);
        this.list.insertBefore(cell, next);
      }
      this.#put(cell, index, shift);
    }
  }

  #put(cell, index, shift) {
    const [row, column] = [Math.floor(index / this.columns), index % this.columns];
    cell.style.transform = `translate(${column * (this.side + this.gap)}px, ${row * this.rowHeight + shift}px)`;
    cell.style.width = `${this.side}px`;
    cell.style.height = `${this.side + this.caption}px`;
    if (cell.dataset.stale !== "yes") return;
    cell.dataset.index = index;
    cell.ariaPosInSet = index + 1;
    cell.ariaSetSize = this.source.total;
    cell.dataset.stale = this.fill(cell, this.source.at(index), index) ? "" : "yes";
    this.#reachable(cell, index === this.current);
  }

  #reachable(cell, reachable) {
    for (const element of cell.querySelectorAll("a, button")) element.tabIndex = reachable ? 0 : -1;
  }

  #setCurrent(index) {
    const before = this.cells.get(this.current);
    if (before) this.#reachable(before, false);
    this.current = Math.max(0, Math.min(index, this.source.total - 1));
    const now = this.cells.get(this.current);
    if (now) this.#reachable(now, true);
  }

  #focused(event) {
    const cell = event.target.closest(".cell");
    if (cell) this.#setCurrent(Number(cell.dataset.index));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.source) return;
    const page = this.columns * Math.max(1, Math.floor((innerHeight - this.#barHeight()) / this.rowHeight));
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: page, PageUp: -page,
      Home: -Infinity, End: Infinity,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      const to = Math.max(0, Math.min(this.source.total - 1, this.current + step));
      event.preventDefault();
      this.reveal(to, { focus: true });
    } else if (this.act(event.key, this.current)) {
      event.preventDefault();
    }
  }
}
