// Bringing the collection up to date: started here or elsewhere, and watched live.

import * as api from "./api.js";
import { announce, byId, count, number, toast } from "./dom.js";

/**
 * Watches the update of the collection that is shown, if one runs; `changed()` is called now and then
 * while it changes the collection.
 */
export class Jobs {
  #collection = null;
  #events = null;
  #job = null;
  #told = 0;

  constructor(changed, failed) {
    Object.assign(this, { changed, failed });
    byId("job-stop").addEventListener("click", () => this.#stop());
    // a browser has few connections to a server, and a page that nobody sees needs none
    document.addEventListener("visibilitychange", () => this.#seen(!document.hidden));
  }

  /** Find an update of a collection that runs already; leave that of another one. */
  async find(collection) {
    if (collection !== this.#collection) this.#hide();
    this.#collection = collection;
    const running = (await api.jobs()).find((job) => job.kind === "sync" && job.collection === collection && job.state === "running");
    if (running && collection === this.#collection) this.#watch(running);
  }

  async start(collection) {
    try {
      const job = await api.startSync(collection);
      if (collection === this.#collection) this.#watch(job);
    } catch (error) {
      if (error.status === 409) await this.find(collection).catch(this.failed);
      else this.failed(error);
    }
  }

  #seen(seen) {
    if (!this.#events) return;
    this.#events.close();
    if (seen) this.#lost();
  }

  async #stop() {
    byId("job-stop").disabled = true;
    await api.stopJob(this.#job.id).catch(this.failed);
  }

  #watch(job) {
    this.#events?.close();
    this.#draw(job);
    byId("job-stop").disabled = false;
    announce("Updating the collection");
    const events = (this.#events = api.jobEvents(job.id));
    events.addEventListener("progress", (event) => this.#draw(JSON.parse(event.data)));
    events.addEventListener("end", (event) => this.#ended(event.data ? JSON.parse(event.data) : this.#job));
    events.addEventListener("error", () => {
      // the browser tries again by itself, unless the server has said no
      if (events.readyState === EventSource.CLOSED) this.#lost();
    });
  }

  async #lost() {
    const { id } = this.#job;
    const mine = () => this.#job?.id === id; // nothing else was turned to meanwhile
    try {
      const job = await api.job(id);
      if (job.state === "running") setTimeout(() => mine() && this.#watch(job), 1000);
      else if (mine()) this.#ended(job);
    } catch {
      if (mine()) this.#hide();
    }
  }

  #draw(job) {
    this.#job = job;
    const bar = byId("job-progress");
    byId("job").hidden = false;
    byId("sync").disabled = true;
    if (job.phase === "indexing" && job.total) {
      bar.max = job.total;
      bar.value = job.done;
    } else {
      bar.removeAttribute("value");
    }
    byId("job-text").textContent = words(job);
    if (Date.now() - this.#told > 5000 && job.phase === "indexing") {
      this.#told = Date.now();
      this.changed();
    }
  }

  #ended(job) {
    this.#hide();
    this.changed();
    if (job.state === "failed") toast(`The update failed: ${job.error?.detail ?? "no reason was given"}`, { wrong: true });
    else toast(summary(job));
  }

  #hide() {
    this.#events?.close();
    this.#events = this.#job = null;
    byId("job").hidden = true;
    byId("sync").disabled = false;
  }
}

function words({ phase, done, total, started }) {
  if (phase !== "indexing") return done ? `Scanning folders: ${count(done, "file")}` : "Scanning folders";
  if (!total) return "Finding changes";
  const rate = done / Math.max(0.5, (Date.now() - new Date(started)) / 1000);
  const speed = rate >= 1 && done < total ? `, ${number(Math.round(rate))} per second` : "";
  return `Indexing ${number(done)} of ${count(total, "picture")}${speed}`;
}

function summary({ state, report }) {
  const parts = [];
  if (report?.indexed) parts.push(`${number(report.indexed)} new`);
  if (report?.updated) parts.push(`${number(report.updated)} changed`);
  if (report?.moved) parts.push(`${number(report.moved)} moved`);
  if (report?.removed) parts.push(`${number(report.removed)} removed`);
  if (report?.skipped) parts.push(`${number(report.skipped)} unreadable`);
  if (!report) return "Stopped. Finished work is kept"; // it had no time left to say what
  const what = parts.length ? parts.join(", ") : "nothing has changed";
  const away = report.unreadable_folders.map((folder) => `. Not read: ${folder}`).join("");
  return (state === "cancelled" ? `Stopped. Finished work is kept: ${what}` : `Up to date: ${what}`) + away;
}
