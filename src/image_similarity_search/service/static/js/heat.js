// Which places of a picture make it like another: the others dark, what was not seen pale.

import { make } from "./dom.js";

const DARK = 0.72;
const MARKS = ["#e63c32", "#1e6edc", "#148c50", "#9646be", "#c87800"];
const RADIUS = 12;

/** Draws over the picture `image` that is shown in `sheet`. */
export class Heat {
  #shown = null;

  constructor(sheet, image) {
    Object.assign(this, { sheet, image });
    this.canvas = make("canvas", { className: "heat", hidden: true });
    this.canvas.setAttribute("aria-hidden", "true"); // the words beside it say what there is to say
    sheet.append(this.canvas);
    const observer = new ResizeObserver(() => this.#draw());
    observer.observe(image);
    observer.observe(sheet);
  }

  /** Show `{seen, parts}`, and numbers at `places`; null takes it away. */
  show(counted, places = []) {
    this.#shown = counted && { ...counted, places };
    this.#draw();
  }

  #draw() {
    this.canvas.hidden = !this.#shown;
    if (!this.#shown) return;
    const [frame, sheet] = [this.image.getBoundingClientRect(), this.sheet.getBoundingClientRect()];
    const { width, height } = frame;
    Object.assign(this.canvas.style, { left: `${frame.left - sheet.left}px`, top: `${frame.top - sheet.top}px`, width: `${width}px`, height: `${height}px` });
    this.canvas.width = Math.max(1, width * devicePixelRatio);
    this.canvas.height = Math.max(1, height * devicePixelRatio);
    const pen = this.canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.fillStyle = getComputedStyle(this.sheet).getPropertyValue("--page");
    pen.globalAlpha = 0.75;
    pen.fillRect(0, 0, width, height);
    pen.globalAlpha = 1;
    const { seen, parts, places } = this.#shown;
    const box = [seen.x * width, seen.y * height, seen.w * width, seen.h * height];
    pen.clearRect(...box);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(shades(parts), ...box);
    const [across, down] = [box[2] / parts[0].length, box[3] / parts.length];
    places.forEach(([row, column], rank) => mark(pen, box[0] + (column + 0.5) * across, box[1] + (row + 0.5) * down, rank));
  }
}

/** A pixel for each place, the darker the less it counts. */
function shades(parts) {
  const most = Math.max(...parts.flat(), 1e-9);
  const canvas = make("canvas", { width: parts[0].length, height: parts.length });
  const pen = canvas.getContext("2d");
  const pixels = pen.createImageData(canvas.width, canvas.height);
  parts.flat().forEach((part, at) => (pixels.data[4 * at + 3] = 255 * DARK * (1 - Math.max(part, 0) / most)));
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

function mark(pen, x, y, rank) {
  pen.beginPath();
  pen.arc(x, y, RADIUS, 0, 2 * Math.PI);
  pen.fillStyle = MARKS[rank % MARKS.length];
  pen.strokeStyle = "#fff";
  pen.lineWidth = 2;
  pen.fill();
  pen.stroke();
  pen.fillStyle = "#fff";
  pen.font = "600 14px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(String(rank + 1), x, y + 0.5);
}
