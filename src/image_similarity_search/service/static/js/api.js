// The HTTP API: the page can do nothing that curl can't.

import { patternOf } from "./state.js";

const RETRIES = 3;
const MOST_SECONDS = 10; // that somebody waits before it is said what is wrong
let keyWanted = async () => false;

/** What the server refuses, in its own words. */
export class Problem extends Error {
  constructor(status, { title, detail, type } = {}) {
    super(detail || title || `The server answered ${status}.`);
    Object.assign(this, { status, title });
    this.kind = (type || "").split(":").pop();
  }
}

/** The server can't be reached. */
export class Unreachable extends Error {}

/** What to do when a key is needed: resolves to true when there is one now. */
export function onKeyWanted(ask) {
  keyWanted = ask;
}

async function request(path, options = {}, attempt = 0) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The server can't be reached.");
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "/v1/session" && (await keyWanted())) return request(path, options, attempt);
  const seconds = Number(response.headers.get("Retry-After")) || 1;
  if ((response.status === 429 || response.status === 503) && attempt < RETRIES && seconds <= MOST_SECONDS) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    options.signal?.throwIfAborted();
    return request(path, options, attempt + 1);
  }
  const problem = await response.json().catch(() => ({}));
  throw new Problem(response.status, problem);
}

const json = async (path, options) => (await request(path, options)).json();

const asJson = (method, body, signal) => ({
  method,
  signal,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

const within = (collection) => `/v1/collections/${encodeURIComponent(collection)}`;

/** All collections, and the bytes that one request may take: `{collections, unavailable, max_upload}`. */
export const collections = () => json("/v1/collections");

export const collectionInfo = (name) => json(within(name));

/** A page of images: `{images, next, total}`. */
export function images(collection, filter, offset, limit, signal) {
  const query = new URLSearchParams({ offset, limit });
  for (const [name, value] of Object.entries(patternOf(filter))) {
    for (const item of Array.isArray(value) ? value : [value]) query.append(name, item);
  }
  return json(`${within(collection)}/images?${query}`, { signal });
}

/** One image, with the `traits` that only this says. */
export const image = (collection, id) => json(`${within(collection)}/images/${id}`);

/** Where its file lies; null for a page that is not on the server's machine. */
export const pathOf = async (collection, id) => (await json(`${within(collection)}/images/${id}/path`)).path;

/** Search by examples, which are ids or files: `{hits, k, metric, seconds}`. */
export function search(collection, examples, fileOf, { k, filter, options, liked, disliked, signal }) {
  const files = [];
  const asked = examples.map(({ id, upload, text, weight, region }) => {
    const example = { weight };
    if (text) example.text = text;
    else if (upload) example.upload = files.push(fileOf(upload)) - 1;
    else example.id = id;
    if (region) example.region = region;
    return example;
  });
  const body = { examples: asked, k, ...options, liked, disliked };
  if (options.diverse) body.diverse = 0.5;
  if (!asked.some(({ id, weight }) => id && weight > 0)) delete body.exclude_same_folder; // files have no folder here
  if (Object.keys(filter).length) body.filter = patternOf(filter);
  const path = `${within(collection)}/search`;
  if (!files.length) return json(path, asJson("POST", body, signal));
  const form = new FormData();
  form.append("query", JSON.stringify(body));
  for (const file of files) form.append("image", file, "picture");
  return json(path, { method: "POST", body: form, signal });
}

/** Why an image is like what was searched by, an id or a file. */
export function explain(collection, id, { id: query, region }, file) {
  const asked = new URLSearchParams(file ? {} : { query });
  if (region) asked.set("region", [region.x, region.y, region.w, region.h].join());
  const path = `${within(collection)}/images/${id}/explanation?${asked}`;
  return file ? json(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file }) : json(path);
}

/** A picture that every browser shows, upright, of a file; a Blob. */
export const preview = async (collection, file) =>
  (await request(`${within(collection)}/preview`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file })).blob();

export const startSync = (collection) => json(`${within(collection)}/sync`, asJson("POST", {}));

export const jobs = async () => (await json("/v1/jobs")).jobs;

export const job = (id) => json(`/v1/jobs/${id}`);

export const stopJob = (id) => json(`/v1/jobs/${id}/cancel`, { method: "POST" });

export const jobEvents = (id) => new EventSource(`/v1/jobs/${id}/events`);

export const logIn = (key) => request("/v1/session", asJson("POST", { key }));
