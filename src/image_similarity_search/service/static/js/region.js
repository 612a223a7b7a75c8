// A part of a picture, marked with a pointer or with the keys.

const LEAST = 0.02;
const STEP = 0.02;
const within = (value, least, most) => Math.min(most, Math.max(least, value));

/** Marks a region, in fractions of the picture `image` that is shown in `sheet`. */
export class RegionMarker {
  region = null;
  active = false;

  constructor(sheet, image, box, { changed, done }) {
    Object.assign(this, { sheet, image, box, changed, done });
    sheet.addEventListener("pointerdown", (event) => this.#down(event));
    box.addEventListener("keydown", (event) => this.#key(event));
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(image);
    observer.observe(sheet); // a picture of the same size may be elsewhere in it
  }

  /** Begin with `region`, or with the middle of the picture. */
  start(region) {
    this.active = true;
    this.region = region ?? { x: 0.25, y: 0.25, w: 0.5, h: 0.5 };
    this.sheet.classList.add("marking");
    this.draw();
    this.box.focus();
  }

  stop() {
    this.active = false;
    this.region = null;
    this.sheet.classList.remove("marking");
    this.draw();
  }

  draw() {
    const mask = this.box.parentElement;
    mask.hidden = !this.region;
    if (!this.region) return;
    const [frame, sheet] = [this.image.getBoundingClientRect(), this.sheet.getBoundingClientRect()];
    const { x, y, w, h } = this.region;
    place(mask, frame.left - sheet.left, frame.top - sheet.top, frame.width, frame.height);
    place(this.box, x * frame.width, y * frame.height, w * frame.width, h * frame.height);
  }

  #fractions(event) {
    const frame = this.image.getBoundingClientRect();
    return [
      within((event.clientX - frame.left) / frame.width, 0, 1),
      within((event.clientY - frame.top) / frame.height, 0, 1),
    ];
  }

  #down(event) {
    if (!this.active || event.button !== 0) return;
    event.preventDefault();
    const start = this.#fractions(event);
    const before = { ...this.region };
    const move = event.target === this.box ? this.#dragging(start, before) : this.#drawing(start);
    const moved = (next) => move(this.#fractions(next));
    const end = () => {
      removeEventListener("pointermove", moved);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      if (this.region.w < LEAST || this.region.h < LEAST) this.#set(before);
      this.box.focus();
    };
    addEventListener("pointermove", moved);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  }

  #dragging([startX, startY], { x, y, w, h }) {
    return ([toX, toY]) =>
      this.#set({ x: within(x + toX - startX, 0, 1 - w), y: within(y + toY - startY, 0, 1 - h), w, h });
  }

  #drawing([startX, startY]) {
    return ([x, y]) =>
      this.#set({ x: Math.min(x, startX), y: Math.min(y, startY), w: Math.abs(x - startX), h: Math.abs(y - startY) });
  }

  #key(event) {
    const steps = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key === "Enter") return this.done();
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const { x, y, w, h } = this.region;
    if (event.shiftKey) {
      this.#set({ x, y, w: within(w + step[0], LEAST, 1 - x), h: within(h + step[1], LEAST, 1 - y) });
    } else {
      this.#set({ x: within(x + step[0], 0, 1 - w), y: within(y + step[1], 0, 1 - h), w, h });
    }
  }

  #set(region) {
    this.region = region;
    this.draw();
    this.changed(region);
  }
}

function place(element, left, top, width, height) {
  Object.assign(element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
}
