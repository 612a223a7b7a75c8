"use strict";
// A map of pictures: a point for each, its picture where there is room for it. Positions are 0..65535.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const positions = new Uint16Array(bytes(data.positions).buffer);
const colours = bytes(data.colours);
const COUNT = data.names.length;
const SPAN = 65535;
const CELLS = 256; // of the index, on each side
const LEAST_TILE = 16; // pixels on the screen: smaller pictures are points
const MOST_TILES = 4000;
const MOST_SHEETS = 48; // decoded at a time
const CLICK = 4; // pixels that a click may move

const map = byId("map");
const view = { x: 0, y: 0, scale: 1, width: 1, height: 1, ratio: 1 }; // left upper corner, pixels to a unit

// Which points are where

const cellOf = (value) => Math.min(CELLS - 1, Math.floor((value * CELLS) / (SPAN + 1)));
const starts = new Uint32Array(CELLS * CELLS + 1);
const sorted = new Uint32Array(COUNT);
for (let at = 0; at < COUNT; at++) starts[cellOf(positions[2 * at + 1]) * CELLS + cellOf(positions[2 * at]) + 1]++;
for (let cell = 0; cell < CELLS * CELLS; cell++) starts[cell + 1] += starts[cell];
const next = starts.slice();
for (let at = 0; at < COUNT; at++) sorted[next[cellOf(positions[2 * at + 1]) * CELLS + cellOf(positions[2 * at])]++] = at;

/** Call `each` with the points between two corners, and a little beyond; how many these were. */
function within(left, top, right, bottom, each) {
  let count = 0;
  const [first, last] = [cellOf(Math.max(0, left)), cellOf(Math.max(0, right))];
  for (let row = cellOf(Math.max(0, top)); row <= cellOf(Math.max(0, bottom)); row++) {
    const [start, end] = [starts[row * CELLS + first], starts[row * CELLS + last + 1]];
    count += end - start;
    if (each) for (let place = start; place < end; place++) each(sorted[place]);
  }
  return count;
}

/** The point nearest to a place of the screen, within so many pixels; -1 where there is none. */
function nearest(x, y, reach) {
  const [at, high, around] = [view.x + x / view.scale, view.y + y / view.scale, reach / view.scale];
  let [best, least] = [-1, around * around];
  within(at - around, high - around, at + around, high + around, (point) => {
    const far = (positions[2 * point] - at) ** 2 + (positions[2 * point + 1] - high) ** 2;
    if (far <= least) [best, least] = [point, far];
  });
  return best;
}

// Pictures: square tiles of sheets, which are decoded when they are in sight

const sheets = new Map();
const perSheet = data.across ** 2;

function sheetOf(point) {
  const number = Math.floor(point / perSheet);
  let sheet = sheets.get(number);
  if (!sheet) {
    sheet = new Image();
    sheet.src = `data:image/webp;base64,${byId(`sheet-${number}`).textContent}`;
    sheet.decode().then(changed, () => {});
  }
  sheets.delete(number); // the last used are the last in order
  sheets.set(number, sheet);
  return sheet;
}

function drawTile(pen, point, x, y, side) {
  const sheet = sheetOf(point);
  if (!sheet.complete || !sheet.naturalWidth) return false;
  const place = point % perSheet;
  pen.drawImage(sheet, (place % data.across) * data.tile, Math.floor(place / data.across) * data.tile, data.tile, data.tile, x, y, side, side);
  return true;
}

// Points: by WebGL, or where there is none that is quick, pixel by pixel

/** Whether there is a WebGL that a graphics processor draws: by software it is slower than without. */
function isQuick() {
  const gl = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
  const about = gl?.getExtension("WEBGL_debug_renderer_info");
  return gl && !/swiftshader|llvmpipe|software|basic render/i.test(about ? gl.getParameter(about.UNMASKED_RENDERER_WEBGL) : "");
}

function webglPoints(canvas) {
  const gl = isQuick() && canvas.getContext("webgl", { antialias: false });
  if (!gl) return null;
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, `attribute vec2 place; attribute vec3 colour; uniform vec4 view; uniform float size; varying vec3 shade;
      void main() { gl_Position = vec4((place - view.xy) * view.zw * vec2(2, -2) + vec2(-1, 1), 0, 1); gl_PointSize = size; shade = colour; }`],
    [gl.FRAGMENT_SHADER, `precision mediump float; varying vec3 shade; uniform float alpha;
      void main() { vec2 away = gl_PointCoord - 0.5; if (dot(away, away) > 0.25) discard; gl_FragColor = vec4(shade * alpha, alpha); }`],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  for (const [name, values, size, type] of [["place", positions, 2, gl.UNSIGNED_SHORT], ["colour", colours, 3, gl.UNSIGNED_BYTE]]) {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    const place = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, name === "colour", 0, 0);
  }
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const [viewAt, sizeAt, alphaAt] = ["view", "size", "alpha"].map(uniform);
  return (size, alpha) => {
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform4f(viewAt, view.x, view.y, view.scale / view.width, view.scale / view.height);
    gl.uniform1f(sizeAt, size * view.ratio);
    gl.uniform1f(alphaAt, alpha);
    gl.drawArrays(gl.POINTS, 0, COUNT);
  };
}

function plainPoints(canvas) {
  const pen = canvas.getContext("2d");
  let image = pen.createImageData(1, 1);
  return (size) => {
    if (image.width !== canvas.width || image.height !== canvas.height) image = pen.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer).fill(0);
    const side = Math.max(1, Math.round(size * view.ratio));
    const scale = view.scale * view.ratio;
    for (let at = 0; at < COUNT; at++) {
      const x = Math.round((positions[2 * at] - view.x) * scale - side / 2);
      const y = Math.round((positions[2 * at + 1] - view.y) * scale - side / 2);
      if (x < 0 || y < 0 || x + side > canvas.width || y + side > canvas.height) continue;
      const colour = 0xff000000 | (colours[3 * at + 2] << 16) | (colours[3 * at + 1] << 8) | colours[3 * at];
      for (let row = y; row < y + side; row++) {
        const start = row * canvas.width + x;
        for (let place = start; place < start + side; place++) pixels[place] = colour;
      }
    }
    pen.putImageData(image, 0, 0);
  };
}

const drawPoints = webglPoints(byId("points")) ?? plainPoints(byId("points"));
const pen = byId("pictures").getContext("2d");

// Drawing, once a frame at most

let waiting = false;
let chosen = -1;

function changed() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(draw);
}

/** How large a picture may be so that those in sight do not cover one another too much. */
function tileSide() {
  const [right, bottom] = [view.x + view.width / view.scale, view.y + view.height / view.scale];
  const count = Math.max(1, within(view.x, view.y, right, bottom));
  return count > MOST_TILES ? 0 : Math.min(96, 0.8 * Math.sqrt((view.width * view.height) / count));
}

function draw() {
  waiting = false;
  const side = tileSide();
  const apart = (SPAN * view.scale) / Math.sqrt(COUNT); // if they lay evenly
  drawPoints(Math.min(12, Math.max(2, 1.2 * apart)), 0.85);
  pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  pen.clearRect(0, 0, view.width, view.height);
  if (side >= LEAST_TILE) {
    const [right, bottom] = [view.x + view.width / view.scale, view.y + view.height / view.scale];
    const over = side / view.scale;
    within(view.x - over, view.y - over, right + over, bottom + over, (point) => {
      const [x, y] = [(positions[2 * point] - view.x) * view.scale, (positions[2 * point + 1] - view.y) * view.scale];
      if (x > -side && y > -side && x < view.width + side && y < view.height + side) drawTile(pen, point, x - side / 2, y - side / 2, side);
    });
    for (const number of sheets.keys()) {
      if (sheets.size <= MOST_SHEETS) break;
      sheets.delete(number);
    }
  }
  if (chosen >= 0) {
    const reach = Math.max(side / 2, 6) + 2;
    pen.lineWidth = 3;
    pen.strokeStyle = getComputedStyle(map).getPropertyValue("--accent");
    pen.strokeRect((positions[2 * chosen] - view.x) * view.scale - reach, (positions[2 * chosen + 1] - view.y) * view.scale - reach, 2 * reach, 2 * reach);
  }
  map.dataset.tile = side >= LEAST_TILE ? side.toFixed(1) : "0";
}

// Moving about

const fitting = () => 0.92 * Math.min(view.width, view.height) / SPAN;

function showAll() {
  view.scale = fitting();
  view.x = SPAN / 2 - view.width / view.scale / 2;
  view.y = SPAN / 2 - view.height / view.scale / 2;
  changed();
}

function zoom(factor, x = view.width / 2, y = view.height / 2) {
  const scale = Math.min(1, Math.max(fitting() / 2, view.scale * factor));
  view.x += x / view.scale - x / scale;
  view.y += y / view.scale - y / scale;
  view.scale = scale;
  changed();
}

function move(x, y) {
  view.x = Math.min(SPAN, Math.max(-view.width / view.scale, view.x + x / view.scale));
  view.y = Math.min(SPAN, Math.max(-view.height / view.scale, view.y + y / view.scale));
  changed();
}

function resized() {
  const before = [view.x + view.width / view.scale / 2, view.y + view.height / view.scale / 2];
  Object.assign(view, { width: map.clientWidth, height: map.clientHeight, ratio: Math.min(2, devicePixelRatio) });
  for (const canvas of map.querySelectorAll("canvas")) [canvas.width, canvas.height] = [view.width * view.ratio, view.height * view.ratio];
  [view.x, view.y] = [before[0] - view.width / view.scale / 2, before[1] - view.height / view.scale / 2];
  changed();
}

// What a picture is

const nameOf = (point) => data.names[point];
const folderOf = (point) => data.folders[data.folder[point]];

function drawn(canvas, point, side) {
  [canvas.width, canvas.height] = [side * view.ratio, side * view.ratio];
  const small = canvas.getContext("2d");
  if (!drawTile(small, point, 0, 0, side * view.ratio)) sheetOf(point).decode().then(() => drawTile(small, point, 0, 0, side * view.ratio), () => {});
}

function choose(point) {
  chosen = point;
  const panel = byId("chosen");
  panel.hidden = point < 0;
  changed();
  if (point < 0) return;
  drawn(panel.querySelector("canvas"), point, 272);
  panel.querySelector("h2").textContent = nameOf(point);
  panel.querySelector(".path").textContent = folderOf(point).path;
  const link = panel.querySelector("a");
  link.parentElement.hidden = !folderOf(point).url;
  link.href = folderOf(point).url + encodeURIComponent(nameOf(point));
}

function hover(x, y) {
  const point = x === null ? -1 : nearest(x, y, Math.max(10, Number(map.dataset.tile) / 2));
  const box = byId("hover");
  box.hidden = point < 0;
  if (point < 0 || box.dataset.point === String(point)) return place(box, x, y);
  box.dataset.point = point;
  drawn(box.querySelector("canvas"), point, Math.max(96, data.tile));
  box.querySelector("canvas").style.width = `${Math.max(96, data.tile)}px`;
  box.querySelector("p").textContent = nameOf(point);
  return place(box, x, y);
}

function place(box, x, y) {
  box.style.left = `${Math.min(x + 14, view.width - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.min(y + 14, view.height - box.offsetHeight - 8)}px`;
}

// Pointers, wheel and keys

const fingers = new Map();
let moved = 0;

map.addEventListener("pointerdown", (event) => {
  map.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
  if (fingers.size === 1) moved = 0;
  hover(null);
});
map.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return event.pointerType === "mouse" && hover(event.clientX, event.clientY);
  const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
  if (other) {
    const far = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
    zoom(far(event) / Math.max(1, far(before)), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
    moved = Infinity;
  } else {
    const [x, y] = [before.clientX - event.clientX, before.clientY - event.clientY];
    moved += Math.abs(x) + Math.abs(y);
    move(x, y);
  }
  return fingers.set(event.pointerId, event);
});
map.addEventListener("pointerup", (event) => {
  fingers.delete(event.pointerId);
  if (moved <= CLICK) choose(nearest(event.clientX, event.clientY, Math.max(12, Number(map.dataset.tile) / 2)));
});
map.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
map.addEventListener("pointerleave", () => hover(null));
map.addEventListener("dblclick", (event) => zoom(2, event.clientX, event.clientY));
map.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const step = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    zoom(Math.exp(-Math.max(-120, Math.min(120, step)) / 250), event.clientX, event.clientY);
  },
  { passive: false },
);
const KEYS = {
  ArrowLeft: () => move(-80, 0),
  ArrowRight: () => move(80, 0),
  ArrowUp: () => move(0, -80),
  ArrowDown: () => move(0, 80),
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  0: showAll,
  Enter: () => choose(nearest(view.width / 2, view.height / 2, Math.hypot(view.width, view.height))),
  Escape: () => choose(-1),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  if (event.key === "Enter" && event.target.closest("button, a")) return;
  event.preventDefault();
  byId("cross").hidden = !event.key.startsWith("Arrow") && event.key !== "Enter";
  KEYS[event.key]();
});
map.addEventListener("pointerdown", () => (byId("cross").hidden = true));
byId("in").addEventListener("click", () => zoom(1.5));
byId("out").addEventListener("click", () => zoom(1 / 1.5));
byId("all").addEventListener("click", showAll);
byId("close").addEventListener("click", () => choose(-1));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
new ResizeObserver(resized).observe(map);
resized();
showAll();
