// Where the server wants an access key: ask for it, and go on.

import * as api from "./api.js";
import { byId } from "./dom.js";

let asking = null;

/** Ask until the key is right; resolves to true. Many may wait for one answer. */
export function askForKey() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  const [dialog, form, key, wrong] = ["login", "login-form", "login-key", "login-wrong"].map(byId);
  wrong.textContent = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.oncancel = () => resolve(false);
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await api.logIn(key.value);
        key.value = "";
        dialog.close();
        resolve(true);
      } catch (error) {
        wrong.textContent = error.status === 401 ? "Wrong key." : error.message;
        key.select();
      }
    };
  });
}
