// The pictures that are searched by: more like these, less like those.

import { byId, gone, icon, isLong, make, makeSvg, unseen } from "./dom.js";

/** Draw the examples. `describe` gives `{name, url, bad}` of one; `actions` are: turn, remove, look, add, unshown. */
export function drawExamples(examples, describe, actions) {
  const list = byId("examples");
  byId("query").hidden = !examples.length;
  const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
  const what = document.activeElement?.dataset.part;
  list.replaceChildren(...examples.map((example, place) => drawOne(example, place, describe(example), actions)), adder(actions));
  if (focused >= 0) list.children[Math.min(focused, examples.length)]?.querySelector(`[data-part="${what}"], button`)?.focus();
}

function drawOne(example, place, { name, url, bad }, actions) {
  const less = example.weight < 0;
  const frame = example.text ? make("p", { className: "frame said" }, name) : drawFrame(example, place, name, url, actions);
  const sign = part("sign", { className: "sign", title: "Switch between more and less" }, icon(less ? "minus" : "plus"), less ? "Less" : "More", unseen(` like ${name}. Switch`));
  sign.addEventListener("click", () => actions.turn(place));
  const remove = part("remove", { className: "drop-it", title: "Remove" }, icon("close"), unseen(`Remove ${name}`));
  remove.addEventListener("click", () => actions.remove(place));
  return make("li", { className: ["example", less && "less", bad && "bad"].filter(Boolean).join(" ") }, frame, make("div", { className: "tools" }, sign, remove));
}

function drawFrame(example, place, name, url, actions) {
  const picture = url ? make("img", { alt: "", src: url }) : gone(name);
  const frame = part("frame", { className: "frame", title: "View, or select a region" }, picture, unseen(`View ${name}, or select a region`));
  if (example.region && url) frame.append(drawRegion(example.region, picture));
  picture.addEventListener("load", () => picture.classList.toggle("whole", isLong(picture)));
  picture.addEventListener("error", () => {
    picture.replaceWith(gone(example.upload ? name : undefined));
    actions.unshown(example);
  });
  frame.addEventListener("click", () => actions.look(place));
  return frame;
}

function part(name, properties, ...children) {
  const button = make("button", { type: "button", ...properties }, ...children);
  button.dataset.part = name;
  return button;
}

function adder(actions) {
  const frame = part("add", { className: "frame" }, icon("plus"), "Add picture");
  frame.addEventListener("click", actions.add);
  return make("li", { className: "example add" }, frame);
}

/** What is not searched by is darkened; the picture covers its square frame, or is whole in it. */
function drawRegion({ x, y, w, h }, picture) {
  const drawing = makeSvg("svg", { class: "part", "aria-hidden": "true" });
  const draw = () => {
    const [width, height] = [picture.naturalWidth || 100, picture.naturalHeight || 100];
    const [left, top, right, bottom] = [x * width, y * height, (x + w) * width, (y + h) * height];
    drawing.setAttribute("preserveAspectRatio", `xMidYMid ${isLong(picture) ? "meet" : "slice"}`);
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    drawing.replaceChildren(
      makeSvg("path", { d: `M0 0H${width}V${height}H0ZM${left} ${top}V${bottom}H${right}V${top}Z` }),
      makeSvg("rect", { x: left, y: top, width: right - left, height: bottom - top }),
    );
  };
  picture.addEventListener("load", draw);
  draw();
  return drawing;
}
