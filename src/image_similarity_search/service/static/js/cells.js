// One picture of the grid: a link that searches by it, and what else can be done with it.

import { gone, icon, isLong, make, unseen } from "./dom.js";

const AGAIN = 3000; // milliseconds

const TOOLS = [
  ["more", "plus", "More like this"],
  ["less", "minus", "Less like this"],
  ["view", "expand", "View"],
];
const JUDGING = [
  ["like", "up", "Relevant"],
  ["dislike", "down", "Not relevant"],
];

/** An empty cell. */
export function makeCell() {
  const picture = make("img", { alt: "", decoding: "async", draggable: false });
  picture.addEventListener("load", () => showThere(picture));
  picture.addEventListener("error", () => picture.hasAttribute("src") && showGone(picture));
  const figures = make("p", { className: "figures" }, make("span", { className: "score" }), make("span", { className: "name" }));
  const [tools, judging] = [buttons("tools", TOOLS), buttons("judging", JUDGING)];
  return make("li", { className: "cell" }, make("a", { tabIndex: -1 }, picture), tools, figures, judging);
}

function buttons(className, kinds) {
  const all = kinds.map(([act, name, label]) => {
    const button = make("button", { type: "button", title: label, tabIndex: -1 }, icon(name), unseen(label));
    button.dataset.act = act;
    return button;
  });
  return make("div", { className }, ...all);
}

/** Put an image (and its score) into a cell; whether there was one. */
export function fillCell(cell, item, addressOf, liked = []) {
  const [link, picture] = [cell.querySelector("a"), cell.querySelector("img")];
  cell.querySelector(".gone")?.remove();
  cell.classList.toggle("scored", item?.score !== undefined);
  cell.querySelector(".tools").hidden = !item;
  for (const name of [".figures", ".judging"]) cell.querySelector(name).hidden = item?.score === undefined;
  if (!item) {
    link.removeAttribute("href");
    link.ariaLabel = "Loading";
    picture.removeAttribute("src");
    picture.classList.remove("there");
    cell.dataset.id = "";
    return false;
  }
  const { image, score, folded } = item;
  cell.querySelector("[data-act=like]").ariaPressed = liked.includes(image.id);
  const said = score === undefined ? "" : `, score ${score.toFixed(3)}`;
  cell.dataset.id = image.id;
  link.href = addressOf(image);
  link.ariaLabel = `Search by ${image.name}${said}`;
  link.title = [image.root, image.path].filter(Boolean).join("/");
  if (picture.getAttribute("src") !== image.links.thumbnail) {
    picture.classList.remove("there");
    picture.src = image.links.thumbnail;
  }
  if (score !== undefined) {
    cell.querySelector(".score").textContent = score.toFixed(3);
    const more = folded?.length ? ` +${folded.length}` : "";
    cell.querySelector(".name").textContent = image.name + more;
    cell.querySelector(".name").title = more ? `${folded.length} copies folded: ${folded.map(({ path }) => path).join(", ")}` : "";
  }
  return true;
}

function showThere(picture) {
  picture.classList.add("there");
  picture.classList.toggle("whole", isLong(picture));
  picture.closest("a").querySelector(".gone")?.remove();
}

/** The file may be gone, or the server busy: one that is still looked at is asked for again. */
function showGone(picture) {
  const link = picture.closest("a");
  if (link.querySelector(".gone")) return;
  link.append(gone());
  const asked = picture.getAttribute("src");
  setTimeout(() => picture.isConnected && picture.getAttribute("src") === asked && (picture.src = asked), AGAIN);
}
