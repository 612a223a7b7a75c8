// Which pictures count.

import { byId, later, make } from "./dom.js";
import { filterOf, optionsOf } from "./state.js";

const KINDS = [["", "Any"], ["jpeg", "JPEG"], ["png", "PNG"], ["webp", "WebP"], ["heic", "HEIC"], ["gif", "GIF"], ["tiff", "TIFF"], ["avif", "AVIF"], ["bmp", "BMP"]];
const SHAPES = [["", "Any"], ["landscape", "Landscape"], ["portrait", "Portrait"], ["square", "Square"]];

const COLOURS = [["", "Any"], ...["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown", "black", "white", "grey"].map((name) => [name, name])];
const HOW = [["mirrored", "Include mirrored"], ["turned", "Include rotated"], ["fold", "Fold copies"], ["diverse", "Diverse"], ["exclude_same_folder", "From other folders"]];

const MARKED = ["folder", "gps_box"];
const WRONG_PLACE = "Four numbers: south, west, north, east";

/** The form of filters; `changed(filter, options)` is called when somebody changes it, `folders()` gives those to offer. */
export class Filters {
  constructor(changed, folders) {
    this.form = byId("filters");
    this.toggle = byId("filters-toggle");
    this.#build();
    const tell = () => {
      const query = new FormDataAsQuery(this.form);
      changed(filterOf(query), optionsOf(query));
    };
    this.form.addEventListener("input", later(tell, 350));
    this.form.addEventListener("input", ({ target }) => this.mark(target.name, ""));
    this.form.addEventListener("change", ({ target }) => {
      const unread = target.name === "gps_box" && target.value.trim() && !filterOf(new FormDataAsQuery(this.form)).gps_box;
      if (unread) this.mark("gps_box", WRONG_PLACE);
    });
    this.form.elements.folder.addEventListener("focus", () => byId("folders").replaceChildren(...folders().map((value) => make("option", { value }))));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => {
      for (const name of MARKED) this.mark(name, "");
      setTimeout(tell);
    });
    this.toggle.addEventListener("click", () => this.open(this.form.hidden));
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.open(false);
      this.toggle.focus();
    });
  }

  open(open) {
    this.form.hidden = !open;
    this.toggle.ariaExpanded = String(open);
    if (open) this.form.querySelector("input, select").focus();
  }

  /** Say at a field what is wrong with it; nothing takes that away. */
  mark(name, words) {
    const field = this.form.elements[name];
    field.ariaInvalid = words ? "true" : null;
    field.parentElement.querySelector(".wrong")?.remove();
    if (words) field.after(make("span", { className: "wrong", role: "alert" }, words));
  }

  /** Show what a state says. */
  show(filter, options) {
    for (const field of this.form.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") {
        field.checked = Boolean(options[field.name]);
        continue;
      }
      const value = filter[field.name];
      const text = value === undefined ? "" : String(["tags", "gps_box"].includes(field.name) ? value.join(", ") : Array.isArray(value) ? value[0] : value);
      const toMend = field.name === "gps_box" && field.ariaInvalid && !text; // what was typed is no part of any state
      if (field.value === text || field === document.activeElement || toMend) continue;
      field.value = text;
      this.mark(field.name, "");
    }
    const active = Object.keys(filter).length + Object.keys(options).length;
    byId("filters-count").textContent = active || "";
    byId("filters-count").hidden = !active;
    this.form.querySelector("[type=reset]").hidden = !active;
  }

  #build() {
    this.form.append(
      field("Name", text("name", "holiday, *.jpg")),
      folder(),
      field("Tags", text("tags", "beach, family")),
      field("Kind", choice("formats", KINDS)),
      field("Shape", choice("orientation", SHAPES)),
      field("Colour", choice("colours", COLOURS)),
      field("Camera", text("camera", "canon")),
      place(),
      pair("Taken", day("taken_after", "from"), day("taken_before", "before"), "broad"),
      pair("Width, pixels", amount("min_width", "from"), amount("max_width", "to")),
      pair("Height, pixels", amount("min_height", "from"), amount("max_height", "to")),
      pair("Changed", day("modified_after", "from"), day("modified_before", "before"), "broad"),
      choices("When searching", HOW),
      make("div", { className: "end" }, make("button", { type: "reset", className: "link", hidden: true }, "Clear filters")),
    );
  }
}

/** A form's values with the method of URLSearchParams that `filterOf` needs. */
class FormDataAsQuery {
  constructor(form) {
    this.data = new FormData(form);
  }

  getAll(name) {
    return this.data.getAll(name);
  }
}

const field = (label, input) => make("label", {}, label, input);

function pair(label, from, to, className = "") {
  return make("fieldset", { className }, make("legend", { className: "unseen" }, label), make("span", { ariaHidden: "true" }, label), make("div", { className: "pair" }, from, to));
}

const text = (name, placeholder) => make("input", { type: "text", name, placeholder, className: "field", autocomplete: "off", spellcheck: false });

function folder() {
  const path = text("folder", "photos/2024");
  path.setAttribute("list", "folders");
  return field("Folder", path);
}

function place() {
  const box = text("gps_box", "45.8, 5.9, 47.9, 10.5");
  box.title = "A box in degrees: south, west, north, east";
  return field("Place (S, W, N, E)", box);
}

function choices(label, options) {
  const boxes = options.map(([name, text]) => make("label", { className: "check" }, make("input", { type: "checkbox", name }), text));
  return make("fieldset", { className: "broad" }, make("legend", { className: "unseen" }, label), make("span", { ariaHidden: "true" }, label), make("div", { className: "checks" }, ...boxes));
}

const amount = (name, label) =>
  make("input", { type: "number", min: 0, name, placeholder: label, ariaLabel: label, className: "field" });

const day = (name, label) => make("input", { type: "date", name, ariaLabel: label, className: "field" });

function choice(name, options) {
  return make("select", { name, className: "field" }, ...options.map(([value, label]) => make("option", { value }, label)));
}
