// What the page shows, and the address that says so: who has the address sees the same.

const FILTERS = {
  folder: "text", name: "text", formats: "list", orientation: "text",
  min_width: "number", max_width: "number", min_height: "number", max_height: "number",
  min_aspect: "number", max_aspect: "number", min_size: "number", max_size: "number",
  modified_after: "text", modified_before: "text", tags: "words",
  camera: "text", taken_after: "text", taken_before: "text", gps_box: "numbers", colours: "list",
};

/** What else a search is to do; in the address without a value. */
const OPTIONS = ["mirrored", "turned", "exclude_same_folder", "diverse", "fold"];

export const EMPTY = { collection: "", examples: [], threshold: 0, filter: {}, options: {}, liked: [], disliked: [], view: null };

/** Hits that are what was meant, and those that are not. */
export const JUDGED = ["liked", "disliked"];

const idsOf = (query, name) => [...new Set(query.getAll(name).map(Number))].filter((id) => Number.isSafeInteger(id) && id > 0);

const round = (value) => Math.round(value * 1e4) / 1e4;

function exampleText({ id, upload, text, region }) {
  if (text) return `words ${text}`;
  const what = upload || String(id);
  return region ? `${what}~${[region.x, region.y, region.w, region.h].map(round).join(",")}` : what;
}

function exampleOf(text, weight) {
  if (text.startsWith("words ")) return { text: text.slice("words ".length), weight };
  const [what, rest] = text.split("~");
  const example = /^u[\da-z]+(-\d+)?$/.test(what) ? { upload: what, weight } : { id: Number(what), weight };
  if (!example.upload && !Number.isSafeInteger(example.id)) return null;
  const [x, y, w, h] = (rest || "").split(",").map(Number);
  if (rest && [x, y, w, h].every((value) => value >= 0 && value <= 1) && w > 0 && h > 0) {
    example.region = { x, y, w, h };
  }
  return example;
}

/** The address of a state, relative to this server. */
export function addressOf(state, defaultCollection = "") {
  const query = new URLSearchParams();
  if (state.collection && state.collection !== defaultCollection) query.set("c", state.collection);
  for (const example of state.examples) query.append(example.weight > 0 ? "like" : "less", exampleText(example));
  if (state.threshold > 0) query.set("least", round(state.threshold));
  for (const [name, value] of Object.entries(state.filter)) {
    for (const item of Array.isArray(value) ? value : [value]) query.append(name, item);
  }
  for (const name of Object.keys(state.options)) query.append(name, "");
  for (const name of JUDGED) for (const id of state[name]) query.append(name, id);
  if (state.view !== null) query.set("view", state.view);
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%7E", "~");
  return text ? `/?${text}` : "/";
}

/** The state that an address says. What makes no sense in it is passed over. */
export function stateOf(search) {
  const query = new URLSearchParams(search);
  const weights = { like: 1, less: -1 };
  const examples = [...query]
    .filter(([name]) => name in weights)
    .map(([name, text]) => exampleOf(text, weights[name]))
    .filter(Boolean);
  const threshold = Math.min(1, Math.max(0, Number(query.get("least")) || 0));
  const view = /^\d+$/.test(query.get("view") ?? "") ? Number(query.get("view")) : null;
  return { collection: query.get("c") ?? "", examples, threshold, filter: filterOf(query), options: optionsOf(query), liked: idsOf(query, "liked"), disliked: idsOf(query, "disliked"), view };
}

/** The filter in query parameters or a form, without what is empty or no number. */
export function filterOf(query) {
  const filter = {};
  for (const [name, kind] of Object.entries(FILTERS)) {
    const values = query.getAll(name).map((value) => value.trim()).filter(Boolean);
    if (!values.length) continue;
    if (kind === "list") filter[name] = values;
    else if (kind === "words") filter[name] = values.flatMap((value) => value.split(",")).map((word) => word.trim()).filter(Boolean);
    else if (kind === "numbers") {
      const numbers = values.flatMap((value) => value.split(",")).map(Number);
      if (numbers.length === 4 && numbers.every(Number.isFinite)) filter[name] = numbers;
    } else if (kind === "text") filter[name] = values[0];
    else if (Number.isFinite(Number(values[0]))) filter[name] = Number(values[0]);
  }
  return filter;
}

/** A filter as the server takes it: a word that is no pattern is a part of the name. */
export const patternOf = (filter) => (filter.name && !/[*?[]/.test(filter.name) ? { ...filter, name: `*${filter.name}*` } : filter);

/** The folder that somebody means, of those that are known: by its path on the disk, or by its own name. */
export function folderOf(text, roots, known) {
  const path = text.replaceAll("\\", "/").replace(/^\/+|\/+$/g, "");
  if (roots.includes(path.split("/")[0])) return path;
  const root = roots.find((name) => `/${path}/`.includes(`/${name}/`));
  if (root) return path.slice(`/${path}/`.indexOf(`/${root}/`));
  const ending = known.filter((folder) => folder.endsWith(`/${path}`));
  if (ending.length === 1) return ending[0];
  return roots.length === 1 ? `${roots[0]}/${path}` : path;
}

/** What else a search is to do, in query parameters or a form. */
export const optionsOf = (query) => Object.fromEntries(OPTIONS.filter((name) => query.getAll(name).length).map((name) => [name, true]));
