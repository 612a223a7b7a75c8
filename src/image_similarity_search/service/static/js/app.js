// The page: what is done with it becomes a state, a state becomes an address and what is shown.

import * as api from "./api.js";
import { announce, byId, later, make, number, speakWithin, toast } from "./dom.js";
import { Filters } from "./filters.js";
import { History } from "./history.js";
import { Jobs } from "./jobs.js";
import { askForKey } from "./login.js";
import { Pictures } from "./pictures.js";
import { drawExamples } from "./query.js";
import { EMPTY, folderOf, JUDGED } from "./state.js";
import * as uploads from "./uploads.js";
import { factsOf, Viewer } from "./viewer.js";

const MOST_EXAMPLES = 8;
const MOST_JUDGED = 100;
const AGAIN = 5000; // milliseconds, from one look for a collection that can't be used, or is empty, to the next
const known = new Map(); // images by id, of the collection that is shown
let state = EMPTY;
let collections = [];
let adding = false; // the next file that is chosen is one more example
let looking = null; // at which example
let lost = null; // the collection that was to be shown, and can't be used

const history = new History((next, scroll) => apply(next, { scroll }));
const jobs = new Jobs(() => refresh(), failed);
const filters = new Filters((filter, options) => go({ ...state, filter: withFolder(filter), options, view: null }, { replace: true }), folders);
const viewer = new Viewer({
  search: (shown, region) => searchBy(shown, region),
  more: (shown, region) => addExample(exampleFrom(shown, 1, region)),
  less: (shown, region) => addExample(exampleFrom(shown, -1, region)),
  explain,
  locate,
  turn,
  closed: () => {
    looking = null;
    if (state.view === null) return;
    if (history.looked) history.back();
    else go({ ...state, view: null }, { replace: true });
    state = { ...state, view: null }; // at once: who goes back is there a moment later
  },
});
const pictures = new Pictures({
  act: {
    search: (image, { byKeys }) => go({ ...state, examples: [{ id: remember(image).id, weight: 1 }], liked: [], disliked: [], view: null }, { focus: byKeys }),
    more: (image) => addExample({ id: remember(image).id, weight: 1 }),
    less: (image) => addExample({ id: remember(image).id, weight: -1 }),
    like: (image) => judge("liked", image.id),
    dislike: (image) => judge("disliked", image.id),
    view: (image) => go({ ...state, view: remember(image).id }),
    key: pressed,
  },
  addressOf: (image) => history.address({ ...state, examples: [{ id: image.id, weight: 1 }], liked: [], disliked: [], view: null }),
  failed,
  changed: () => state.view !== null && showView(),
});

function remember(image) {
  known.set(image.id, { ...known.get(image.id), ...image });
  return known.get(image.id);
}

function pressed(key, image) {
  if (!image) return false;
  if (key === "+" || key === "=") addExample({ id: remember(image).id, weight: 1 });
  else if (key === "-") addExample({ id: remember(image).id, weight: -1 });
  else if (key === "v" || key === " ") go({ ...state, view: remember(image).id });
  else return false;
  return true;
}

// From one state to the next

function go(next, { replace = false, focus = false } = {}) {
  if (replace) history.replace(next);
  else history.push(next);
  return apply(next, { focus, scroll: replace ? scrollY : 0 });
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

async function apply(next, { scroll = 0, focus = false, anew = false } = {}) {
  const before = state;
  state = withoutLost(next);
  draw();
  const shownBy = ({ collection, examples, filter, options, liked, disliked }) => [collection, examples, filter, examples.length ? [options, liked, disliked] : []];
  const { collection } = state;
  if (anew || !same(shownBy(state), shownBy(before)) || !pictures.source) {
    if (collection !== before.collection) turnTo(collection);
    try {
      await pictures.show(state, { scroll, focus });
      byId("offline").hidden = true;
      lost = null;
    } catch (error) {
      failed(error);
    }
  } else if (state.threshold !== before.threshold) {
    pictures.setThreshold(state.threshold);
  }
  if (state.view === null) {
    if (looking === null) viewer.close();
  } else {
    await showView();
  }
}

function turnTo(collection) {
  known.clear();
  jobs.find(collection).catch(failed);
}

/** A picture that was given to the page is not in its address: after a reload it is lost. */
function withoutLost(next) {
  const examples = next.examples.filter(({ upload }) => !upload || uploads.has(upload));
  if (examples.length < next.examples.length) {
    toast("A picture of this search is no longer available: drop it again.", { wrong: true });
  }
  return { ...next, examples };
}

async function refresh() {
  await pictures.refresh().catch(failed);
  ({ collections } = await api.collections().catch(() => ({ collections })));
}

/** The indexed folders, and those below them of which pictures were seen. */
function folders() {
  const within = ({ root, path }) => path.split("/").slice(0, -1).map((_, at, parts) => [root, ...parts.slice(0, at + 1)].join("/"));
  const seen = pictures.source.images.filter(({ root }) => root).flatMap(within);
  return [...new Set([...roots(), ...seen])].sort();
}

const roots = () => collections.find(({ name }) => name === state.collection)?.roots.map(({ name }) => name) ?? [];

const withFolder = (filter) => (filter.folder ? { ...filter, folder: folderOf(filter.folder, roots(), folders()) } : filter);

function draw() {
  const { examples, threshold, filter, options, collection } = state;
  byId("welcome").hidden = examples.length > 0;
  drawExamples(examples, describe, { turn: turnAround, remove: removeExample, look: lookAt, add: chooseMore, unshown });
  byId("threshold").value = threshold;
  byId("threshold-value").textContent = threshold > 0 ? threshold.toFixed(3).replace(/0$/, "") : "any";
  filters.show(filter, options);
  const judged = [[state.liked, "relevant"], [state.disliked, "not relevant"]].filter(([ids]) => ids.length).map(([ids, word]) => `${ids.length} ${word}`);
  byId("judged").hidden = !judged.length;
  byId("judged-text").textContent = judged.join(", ");
  byId("collection").value = collection;
  const shown = collections.find(({ name }) => name === collection);
  byId("words").hidden = !shown?.text;
  byId("sync").hidden = !shown || shown.read_only;
  document.title = examples.length ? `Similar to ${describe(examples[0]).name} · Similarity` : "Image Similarity Search";
}

// Examples

function describe({ id, upload, text }) {
  if (text) return { name: `“${text}”` };
  if (upload) return uploads.uploadOf(upload);
  const image = known.get(id);
  if (!image) learn(id);
  return { name: image?.name ?? `picture ${id}`, url: linkOf(id, "thumbnail") };
}

const linkOf = (id, what) => `/v1/collections/${encodeURIComponent(state.collection)}/images/${id}/${what}`;

const learning = new Set();
async function learn(id) {
  if (learning.has(id)) return;
  learning.add(id);
  try {
    remember(await api.image(state.collection, id));
    draw();
  } catch {
    // it is gone, which the search itself says
  }
}

/** A picture of the page that the browser does not show is shown as the server sees it. */
async function unshown({ upload: key }) {
  if (!key) return;
  const upload = uploads.uploadOf(key);
  uploads.showAs(key, null);
  if (upload.asked) return;
  upload.asked = true;
  if (!(await pictures.settled)) return; // the search comes first, and finds out whether it is a picture
  try {
    uploads.showAs(key, await api.preview(state.collection, upload.file));
    draw();
  } catch {
    // its name stands in its place
  }
}

async function showUpright({ upload }) {
  if (!(await uploads.mayBeTurned(upload))) return;
  unshown({ upload });
  draw();
}

const setExamples = (examples, options) => go({ ...state, examples, liked: [], disliked: [], view: null }, options);

function addExample(example) {
  const others = state.examples.filter(({ id, upload, text, region }) => !same([id, upload, text, region], [example.id, example.upload, example.text, example.region]));
  if (others.length >= MOST_EXAMPLES) return toast(`At most ${MOST_EXAMPLES} pictures at once.`, { wrong: true });
  viewer.close();
  setExamples([...others, example]);
  const [word, name] = [example.weight > 0 ? "More" : "Less", describe(example).name];
  return announce(`${word} like ${name}`);
}

/** A hit is what was meant, or is not; said twice, it is neither. */
function judge(how, id) {
  const without = Object.fromEntries(JUDGED.map((name) => [name, state[name].filter((other) => other !== id)]));
  const judged = state[how].includes(id) ? without : { ...without, [how]: [...without[how], id] };
  if (judged[how].length > MOST_JUDGED) return toast(`At most ${MOST_JUDGED} at once.`, { wrong: true });
  return go({ ...state, ...judged, view: null }, { replace: true });
}

const turnAround = (place) =>
  setExamples(state.examples.map((example, other) => (other === place ? { ...example, weight: -example.weight } : example)));

const removeExample = (place) => setExamples(state.examples.filter((_, other) => other !== place));

function exampleFrom({ image, upload }, weight, region) {
  const example = upload ? { upload, weight } : { id: image.id, weight };
  if (region) example.region = region;
  return example;
}

function searchBy(shown, region) {
  const place = looking;
  looking = null;
  viewer.close();
  const example = exampleFrom(shown, place === null ? 1 : state.examples[place].weight, region);
  setExamples(place === null ? [example] : state.examples.map((other, at) => (at === place ? example : other)));
}

function take(files) {
  const before = adding ? state.examples : [];
  const room = MOST_EXAMPLES - before.length;
  adding = false;
  if (files.length > room) toast(`No more than ${MOST_EXAMPLES} pictures at once: ${files.length - room} of these are left out.`, { wrong: true });
  if (!room) return;
  const examples = files.slice(0, room).map((file) => ({ upload: uploads.keep(file), weight: 1 }));
  viewer.close();
  setExamples([...before, ...examples]);
  examples.forEach(showUpright);
}

function chooseMore() {
  adding = true;
  byId("file").click();
}

// Looking at one picture

function lookAt(place) {
  const example = state.examples[place];
  const { name, url } = describe(example);
  const image = known.get(example.id);
  looking = place;
  const shown = { name, path: image ? pathOf(image) : "", facts: image ? factsOf(image) : "", place: "Query", caption: "", isExample: true };
  Object.assign(shown, example.upload ? { upload: example.upload, url } : { ...linksOf(example.id), image: image ?? { id: example.id, name, links: { file: linkOf(example.id, "file") } } });
  viewer.show({ ...shown, region: example.region }, null, {});
  if (image) tellMore(image);
}

/** What only the answer for one image says, as when it was taken. */
async function tellMore({ id, traits }) {
  if (traits !== undefined) return;
  try {
    viewer.tell(id, factsOf(remember(await api.image(state.collection, id))));
  } catch {
    // what is shown says what is wrong
  }
}

const pathOf = ({ root, path }) => [root, path].filter(Boolean).join("/");

/** The path to copy: what other programs take, where they are on the same machine as the file. */
async function locate({ image, path }) {
  const whole = await api.pathOf(state.collection, image.id).catch(() => null);
  return whole ?? path;
}

const linksOf = (id) => ({
  url: linkOf(id, "preview?original=true"), fallbacks: [linkOf(id, "preview"), linkOf(id, "thumbnail")], download: linkOf(id, "file?download=true"),
});

async function showView() {
  const { source } = pictures;
  const index = source.indexOf(state.view);
  const item = source.at(index);
  let image = item ? remember(item.image) : known.get(state.view);
  try {
    image ??= remember(await api.image(state.collection, state.view));
  } catch (error) {
    go({ ...state, view: null }, { replace: true });
    return failed(error);
  }
  if (state.view !== image.id) return undefined; // another one by now
  const shown = {
    image, name: image.name, path: pathOf(image), facts: factsOf(image), ...linksOf(image.id),
    place: index < 0 ? "" : `${number(index + 1)} of ${number(source.total)}${source.hasMore ? " and more" : ""}`,
    caption: item?.score === undefined ? "" : `Score ${item.score.toFixed(4)}`,
  };
  viewer.show(shown, beside(), { hasPrevious: index > 0, hasNext: index >= 0 && index + 1 < source.total });
  return tellMore(image);
}

/** The picture that was searched by, for the other side. */
function beside() {
  const example = shownBeside();
  if (!example) return null;
  const { name, url } = describe(example);
  return example.upload ? { name, url } : { name, ...linksOf(example.id) };
}

const shownBeside = () => state.examples.find(({ weight, text }) => weight > 0 && !text);

/** Which places make an image like the one beside it; undefined where that can't be said. */
async function explain({ image }) {
  const example = shownBeside();
  try {
    return await api.explain(state.collection, image.id, example, example.upload && uploads.fileOf(example.upload));
  } catch (error) {
    toast(sentence(error.message), { wrong: true });
    return undefined;
  }
}

function turn(step) {
  const index = pictures.source.indexOf(state.view) + step;
  const image = pictures.source.at(index)?.image;
  if (image) go({ ...state, view: remember(image).id }, { replace: true });
  else pictures.source.want(index, index + 1);
  pictures.grid.reveal(index);
}

// What goes wrong

/** Nothing can be shown of a collection of which this is said. */
const UNUSABLE = ["collection-gone", "collection-opening", "no-catalog", "corrupt"];

function failed(error) {
  if (error.name === "AbortError") return;
  if (error.kind === "folder-not-found") filters.mark("folder", "There is no such folder");
  if (error instanceof api.Unreachable) waitForServer();
  else if (UNUSABLE.includes(error.kind)) lose(error);
  else if (error instanceof api.Problem && (state.examples.length || OF_FILTERS.includes(error.kind)) && error.status < 500) refused(error);
  else toast(sentence(error.message), { wrong: true });
}

function lose(problem) {
  lost = state.collection;
  pictures.fail(`${problem.title}: ${lost}`, problem.message === problem.title ? "See the log of the server." : sentence(problem.message));
}

/** Of several pictures, find out by which one can't be searched: the others may be what is wanted. */
async function refused(error) {
  const { examples } = state;
  pictures.fail(headingOf(error), sentence(error.message));
  if (examples.length < 2 || OF_FILTERS.includes(error.kind)) return;
  const bad = new Set();
  for (const example of examples) if (example.upload && (await isUnreadable(example))) bad.add(example);
  if (!bad.size || bad.size === examples.length || examples !== state.examples) return;
  for (const { upload } of bad) uploads.uploadOf(upload).bad = true;
  draw();
  const without = make("button", { type: "button", className: "button strong" }, bad.size > 1 ? "Search without them" : "Search without it");
  without.addEventListener("click", () => setExamples(state.examples.filter((example) => !bad.has(example))));
  pictures.fail(headingOf(error), `${[...bad].map((example) => describe(example).name).join(", ")}: ${sentence(error.message)}`, without);
}

const isUnreadable = ({ upload }) => api.preview(state.collection, uploads.fileOf(upload)).then(() => false, (error) => error.status < 500);

let lookingAgain = false;
/** Show the collection that could not be used, or had no pictures, if it can be or has by now. */
async function lookAgain() {
  if (!(lost !== null || pictures.isEmpty) || lookingAgain || document.hidden) return;
  lookingAgain = true;
  const served = await api.collections().catch(() => ({ collections: [] }));
  lookingAgain = false;
  const found = served.collections.find(({ name }) => name === (lost ?? state.collection));
  if (!found || (lost === null && !found.indexed)) return;
  ({ collections } = served);
  lost = null;
  await apply(state, { anew: true, scroll: scrollY });
}

const OF_FILTERS = ["invalid", "folder-not-found"];
/** What can't be done: it may be the picture, or a condition beside it. */
const headingOf = (problem) => (OF_FILTERS.includes(problem.kind) ? "Invalid search" : "Can't search by this");

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

let waiting = false;
async function waitForServer() {
  if (waiting) return;
  waiting = true;
  byId("offline").textContent = "The server can't be reached. Trying again…";
  byId("offline").hidden = false;
  while (!(await reachable())) await new Promise((resolve) => setTimeout(resolve, 2000));
  waiting = false;
  byId("offline").hidden = true;
  if (collections.length) await apply(state, { anew: true, scroll: scrollY });
  else await begin();
}

const reachable = () => fetch("/healthz").then((response) => response.ok, () => false);

// The things above the pictures

function setUp() {
  document.querySelectorAll("dialog").forEach(speakWithin);
  setInterval(lookAgain, AGAIN);
  for (const looked of ["focus", "visibilitychange"]) addEventListener(looked, lookAgain);
  api.onKeyWanted(askForKey);
  uploads.listen(take);
  for (const ended of ["change", "cancel"]) byId("file").addEventListener(ended, () => (adding = false)); // whatever came of it
  for (const button of document.querySelectorAll("#choose, [data-choose]")) {
    button.addEventListener("click", () => {
      adding = false;
      byId("file").click();
    });
  }
  byId("sync").addEventListener("click", () => jobs.start(state.collection));
  byId("clear").addEventListener("click", () => setExamples([]));
  document.querySelector("[data-go-home]").addEventListener("click", (event) => {
    event.preventDefault();
    go({ ...EMPTY, collection: state.collection });
  });
  byId("judged-clear").addEventListener("click", () => go({ ...state, liked: [], disliked: [] }, { replace: true }));
  byId("words").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("words-field").value.trim();
    if (text) addExample({ text, weight: 1 });
    byId("words-field").value = "";
  });
  const settle = later(() => history.replace(state), 300);
  byId("threshold").addEventListener("input", () => {
    apply({ ...state, threshold: Number(byId("threshold").value) });
    settle();
  });
  byId("collection").addEventListener("change", () => go({ ...EMPTY, collection: byId("collection").value }));
  setUpTheme();
}

function setUpTheme() {
  const next = { auto: "light", light: "dark", dark: "auto" };
  const words = { auto: "system", light: "light", dark: "dark" };
  const root = document.documentElement;
  const show = () => {
    const theme = root.dataset.theme ?? "auto";
    byId("theme").querySelector("use").setAttribute("href", `#i-${theme}`);
    byId("theme-label").textContent = `Theme: ${words[theme]}`;
    byId("theme").title = `Theme: ${words[theme]}`;
  };
  byId("theme").addEventListener("click", () => {
    const theme = next[root.dataset.theme ?? "auto"];
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    show();
  });
  show();
}

async function begin() {
  let names;
  const waiting = setTimeout(() => (byId("status").textContent = "Loading…"), 200);
  try {
    const served = await api.collections();
    collections = served.collections;
    names = [...collections.map(({ name }) => name), ...served.unavailable]; // of which it is said what is wrong when they are asked for
    uploads.setMost(served.max_upload);
  } catch (error) {
    return failed(error);
  } finally {
    clearTimeout(waiting);
    byId("status").textContent = "";
  }
  history.defaultCollection = names[0];
  byId("collection").replaceChildren(...names.map((name) => new Option(name, name)));
  document.querySelector(".collections").hidden = names.length < 2;
  let first = history.read();
  if (!names.includes(first.collection)) {
    toast(`There is no collection ${first.collection}.`, { wrong: true });
    first = { ...EMPTY, collection: names[0] }; // ids of another one are other pictures here
  }
  return apply(first, { scroll: history.scroll, anew: true });
}

setUp();
begin();
