// What the signs in the pictures of answer times mean.

import { h, s } from "./dom.js";

const ENTRIES = [
  ["median", () => s("line", { class: "line", x1: 0, x2: 22, y1: 6, y2: 6 })],
  ["up to the slowest 5 %", () => s("rect", { class: "band", width: 22, height: 12 })],
  ["longest", () => s("path", { class: "longest", d: "M8 6h6" })],
  ["refused (NOK)", () => s("path", { class: "refused", d: "M11 4v8" })],
  ["500 ms: slower than this, a picture may freeze", () => s("line", { class: "limit", x1: 0, x2: 22, y1: 6, y2: 6 })],
];

export function legend() {
  const items = ENTRIES.map(([text, sign]) => h("li", {}, s("svg", { "aria-hidden": "true" }, sign()), text));
  return h("ul", { class: "legend", "aria-label": "Signs in the pictures" }, items);
}
