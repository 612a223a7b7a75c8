// The address bar: each state has an address, and the way back leads to where one was.

import { addressOf, stateOf } from "./state.js";

/** Remembers states as addresses; `changed(state, scroll)` is called when somebody goes back. */
export class History {
  defaultCollection = "";

  constructor(changed) {
    window.history.scrollRestoration = "manual";
    addEventListener("popstate", (event) => changed(this.read(), event.state?.scroll ?? 0));
    addEventListener("pagehide", () => this.#remember());
  }

  read() {
    const state = stateOf(location.search);
    return { ...state, collection: state.collection || this.defaultCollection };
  }

  address(state) {
    return addressOf(state, this.defaultCollection);
  }

  /** Where the page was scrolled to, when it was loaded again. */
  get scroll() {
    return window.history.state?.scroll ?? 0;
  }

  push(state) {
    this.#remember();
    window.history.pushState({ scroll: 0, looked: state.view !== null }, "", this.address(state));
  }

  replace(state) {
    window.history.replaceState({ scroll: scrollY, looked: state.view !== null && this.looked }, "", this.address(state));
  }

  /** Whether one came to a picture that is looked at from what lies below it. */
  get looked() {
    return Boolean(window.history.state?.looked);
  }

  back() {
    window.history.back();
  }

  #remember() {
    window.history.replaceState({ scroll: scrollY, looked: this.looked }, "");
  }
}
