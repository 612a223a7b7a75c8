// Pictures that were given to the page: dropped, pasted or chosen. They stay in its memory.

import { byId, bytes, toast } from "./dom.js";

let mostBytes = Infinity;
const files = new Map();
const load = [...crypto.getRandomValues(new Uint32Array(2))].map((part) => part.toString(36)).join(""); // addresses of the page as it was loaded before name none of these

/** Take no larger files than the server does. */
export function setMost(size) {
  mostBytes = size;
}

/** Keep a file; returns the name by which the state knows it. */
export function keep(file) {
  const key = `u${load}-${files.size + 1}`;
  files.set(key, { file, name: file.name || "Pasted picture", url: URL.createObjectURL(file) });
  return key;
}

/** Show this in place of a file that the browser does not show, or not upright; null: its name alone. */
export function showAs(key, blob) {
  const upload = files.get(key);
  if (upload.url) URL.revokeObjectURL(upload.url);
  upload.url = blob && URL.createObjectURL(blob);
}

/** Whether it is a WebP with EXIF or XMP: browsers pass over the orientation in these. */
export async function mayBeTurned(key) {
  const head = new Uint8Array(await fileOf(key).slice(0, 21).arrayBuffer().catch(() => []));
  return String.fromCharCode(...head.slice(8, 16)) === "WEBPVP8X" && (head[20] & 0b1100) > 0;
}

export const fileOf = (key) => files.get(key)?.file;
export const uploadOf = (key) => files.get(key);
export const has = (key) => files.has(key);

/** Whether a file may be a picture; of one whose name tells nothing the server decides. */
const mayBePicture = (file) =>
  !file.type || file.type.startsWith("image/") || /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf]|jp2|psd|ppm|tga)$/i.test(file.name);

function usable(list) {
  const given = [...list];
  const pictures = given.filter(mayBePicture);
  const tooLarge = pictures.filter((file) => file.size > mostBytes);
  const others = given.filter((file) => !mayBePicture(file));
  const only = given.length === 1;
  if (tooLarge.length) toast(`${only ? "That picture" : listed(tooLarge)} is too large: the limit is ${bytes(mostBytes)}.`, { wrong: true });
  if (others.length) toast(only ? "That is not a picture." : `Not a picture: ${listed(others)}.`, { wrong: true });
  return pictures.filter((file) => file.size <= mostBytes);
}

const listed = (some) => (some.length > 3 ? `${some.length} of these` : some.map(({ name }) => name).join(", "));

/** Call `take` with the pictures that somebody drops, pastes or chooses. */
export function listen(take) {
  const give = (list) => {
    const pictures = usable(list);
    if (pictures.length) take(pictures);
  };
  listenToDrops(give);
  document.addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    if (event.clipboardData.files.length) give(event.clipboardData.files);
  });
  const input = byId("file");
  input.addEventListener("change", () => {
    give(input.files);
    input.value = "";
  });
}

function listenToDrops(give) {
  const veil = byId("drop");
  let depth = 0;
  const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
  const show = (visible) => (veil.hidden = !visible);
  addEventListener("dragenter", (event) => hasFiles(event) && ((depth += 1), show(true)));
  addEventListener("dragleave", (event) => hasFiles(event) && show((depth = Math.max(0, depth - 1)) > 0));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    const dropped = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    const items = dropped.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory);
    if (items.length < dropped.length) toast("Drop pictures, not a folder of them.", { wrong: true });
    give(items.map((item) => item.getAsFile()));
  });
}
