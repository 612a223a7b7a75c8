// A picture large, beside the one that was searched by; with all that can be done with it.

import { announce, byId, bytes, gone, number, toast } from "./dom.js";
import { Heat } from "./heat.js";
import { RegionMarker } from "./region.js";

const dialog = byId("viewer");
const image = byId("viewer-image");
const sheet = byId("sheet");

/** The viewer. `actions` are: search, more, less, explain, locate, turn, closed. */
export class Viewer {
  #shown = null;
  #beside = null;
  #why = false; // stays, while others are looked at

  constructor(actions) {
    this.actions = actions;
    this.heats = [new Heat(byId("query-image").parentElement, byId("query-image")), new Heat(sheet, image)];
    this.marker = new RegionMarker(sheet, image, byId("region"), {
      changed: ({ w, h }) => announce(`Region of ${Math.round(w * 100)} by ${Math.round(h * 100)} percent`),
      done: () => this.#search(),
    });
    byId("viewer-close").addEventListener("click", () => dialog.close());
    byId("previous").addEventListener("click", () => actions.turn(-1));
    byId("next").addEventListener("click", () => actions.turn(1));
    dialog.addEventListener("close", () => this.#closed());
    dialog.addEventListener("cancel", (event) => this.#escape(event));
    dialog.addEventListener("keydown", (event) => this.#key(event));
    dialog.addEventListener("click", (event) => this.#act(event.target.closest("[data-act]")?.dataset.act));
    for (const picture of [image, byId("query-image")]) {
      picture.addEventListener("error", () => this.#fallBack(picture));
      picture.addEventListener("load", () => this.#loaded(picture));
      new ResizeObserver(() => fit(picture)).observe(picture.parentElement);
    }
  }

  get isOpen() {
    return dialog.open;
  }

  /**
   * Show a picture: `{name, path, facts, place, caption, url, fallbacks, download, image, region}`.
   * `beside` is the one that was searched by, `{url, fallbacks, name}`.
   */
  show(shown, beside, { hasPrevious, hasNext }) {
    const again = this.#shown?.url === shown.url && this.#beside?.url === beside?.url;
    [this.#shown, this.#beside] = [shown, beside];
    this.marker.stop();
    byId("viewer-name").textContent = shown.name;
    byId("viewer-path").textContent = shown.path;
    byId("viewer-facts").textContent = shown.facts;
    byId("viewer-place").textContent = shown.place;
    byId("viewer-caption").textContent = shown.caption;
    setPicture(image, shown, shown.name);
    byId("side-query").hidden = !beside;
    if (beside) setPicture(byId("query-image"), beside, `Query: ${beside.name}`);
    byId("previous").disabled = !hasPrevious;
    byId("next").disabled = !hasNext;
    this.#offer();
    if (!dialog.open) dialog.showModal();
    if (!again) this.#explain();
    if (shown.region) this.#markRegion(shown.region);
  }

  close() {
    if (dialog.open) dialog.close();
  }

  /** What is known by now of an image, if it is shown. */
  tell(id, facts) {
    if (this.#shown?.image?.id === id) byId("viewer-facts").textContent = facts;
  }

  #offer() {
    const { download, image: record, isExample } = this.#shown;
    const of = (act) => dialog.querySelector(`[data-act="${act}"]`);
    for (const act of ["copy", "open", "download"]) of(act).hidden = !record;
    of("why").hidden = !this.#beside || !record;
    for (const act of ["more", "less"]) of(act).hidden = Boolean(isExample);
    if (record) {
      of("open").href = record.links.file;
      of("download").href = download;
      of("download").download = record.name;
    }
    this.#label();
  }

  #label() {
    const marking = this.marker.active;
    dialog.querySelector('[data-act="search"] [data-label]').textContent = marking ? "Search by this region" : "Search by this";
    dialog.querySelector('[data-act="region"]').ariaPressed = String(marking);
  }

  #act(act) {
    if (!act) return;
    if (act === "search") this.#search();
    if (act === "region") this.marker.active ? this.#unmark() : this.#markRegion(null);
    if (act === "more" || act === "less") this.actions[act](this.#shown, this.marker.region);
    if (act === "why") {
      this.#why = !this.#why;
      this.#explain();
    }
    if (act === "copy") this.actions.locate(this.#shown).then(copy);
  }

  /** Show which places make the two alike, or no longer. */
  async #explain() {
    const shown = this.#shown;
    const wanted = this.#why && this.#beside && shown.image;
    dialog.querySelector('[data-act="why"]').ariaPressed = String(Boolean(wanted));
    for (const heat of this.heats) heat.show(null);
    byId("viewer-why").textContent = "";
    if (!wanted) return;
    const why = await this.actions.explain(shown);
    if (!why || !this.#why || this.#shown !== shown || !dialog.open) return;
    const sides = ["query", "hit"];
    sides.forEach((side, number) => this.heats[number].show(why[side], why.matches.map((match) => match[side])));
    const words = why.method === "places" ? "Bright: makes them similar; equal numbers: similar places" : "Bright: without it they are less similar";
    byId("viewer-why").textContent = words;
    announce(words);
  }

  #search() {
    this.actions.search(this.#shown, this.marker.region);
  }

  #markRegion(region) {
    this.marker.start(region);
    this.#label();
  }

  #unmark() {
    this.marker.stop();
    this.#label();
  }

  #key(event) {
    if (event.target.closest("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft" && !byId("previous").disabled) this.actions.turn(-1);
    else if (event.key === "ArrowRight" && !byId("next").disabled) this.actions.turn(1);
    else return;
    event.preventDefault();
  }

  #escape(event) {
    if (!this.marker.active) return;
    event.preventDefault(); // the first Escape gives up the region, the second closes
    this.#unmark();
    dialog.querySelector('[data-act="region"]').focus();
  }

  #closed() {
    this.marker.stop();
    this.#why = false;
    this.#explain();
    image.removeAttribute("src");
    this.actions.closed();
  }

  #loaded(picture) {
    fit(picture);
    if (picture !== image) return;
    const { caption, image: record } = this.#shown;
    const { naturalWidth: width, naturalHeight: height } = picture;
    const smaller = width * height < record?.width * record?.height;
    byId("viewer-caption").textContent = [caption, smaller && `A preview of ${number(width)} × ${number(height)} pixels`].filter(Boolean).join(" · ");
  }

  /** It can't be shown: what else there is of it is, or that there is nothing. */
  #fallBack(picture) {
    if (!picture.hasAttribute("src")) return;
    const [next, ...others] = fallbacks.get(picture);
    fallbacks.set(picture, others);
    if (picture === image && !others.length) this.#lookForFile();
    if (next) picture.src = next;
    else setGone(picture, true);
  }

  /** What is left to be shown is but a small picture: perhaps the file is no longer there. */
  async #lookForFile() {
    const shown = this.#shown;
    if (!shown.image || !(await isGone(shown.image.links.file)) || this.#shown !== shown) return;
    for (const act of ["open", "download"]) dialog.querySelector(`[data-act="${act}"]`).hidden = true;
    byId("viewer-why").textContent = "Its file is not there any more: an update of the collection forgets it";
    announce(byId("viewer-why").textContent);
  }
}

const isGone = (address) => fetch(address, { method: "HEAD" }).then(({ status }) => status === 404, () => false);

const fallbacks = new WeakMap();

function setPicture(picture, { url, fallbacks: others = [] }, alt) {
  picture.alt = alt;
  if (url && picture.getAttribute("src") === url) return fit(picture);
  fallbacks.set(picture, others);
  setGone(picture, !url);
  picture.removeAttribute("src");
  if (url) picture.src = url;
  return undefined;
}

function setGone(picture, is) {
  picture.hidden = is;
  picture.parentElement.querySelector(".gone")?.remove();
  if (is) picture.parentElement.append(gone());
}

/** As large as there is room for, but a small picture no more than three times its size. */
function fit(picture) {
  const { naturalWidth: width, naturalHeight: height, parentElement: room } = picture;
  if (!width || !room.clientHeight) return;
  const scale = Math.min(room.clientWidth / width, room.clientHeight / height, 3);
  picture.style.width = `${Math.floor(width * scale)}px`;
  picture.style.height = `${Math.floor(height * scale)}px`;
}

/** What is known of an image, in a line; when it was taken is by the camera's clock. */
export function factsOf({ width, height, size, modified, traits }) {
  const day = (time) => new Date(time).toLocaleDateString("en", { dateStyle: "medium" });
  const taken = traits?.taken && `taken ${day(traits.taken)}, ${traits.taken.slice(11, 16)}`;
  const changed = modified && `file modified ${day(modified)}`;
  return [width && `${number(width)} × ${number(height)} pixels`, bytes(size), taken, traits?.camera, changed].filter(Boolean).join(" · ");
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea"); // where the page did not come by a safe way
    area.value = text;
    dialog.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(`Path copied: ${text}`);
}
