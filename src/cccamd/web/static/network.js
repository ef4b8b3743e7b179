// The picture of the network: receivers to the right, sources to the left, far nodes behind them.

import { h, patchChildren, s } from "./dom.js";
import { count } from "./format.js";

const WIDE = { width: 168, height: 46, gap: 78, name: 21, note: 26 };
const NARROW = { width: 106, height: 46, gap: 19, name: 13, note: 15 };
const NARROW_BOX = 520; // pixels: in a box that is smaller, nodes are drawn smaller
const GAP = 14;
const HEAD = 26;

export class Network {
  #nodes = null;
  #edges = [];
  #chosen = null;
  #pinned = false;
  #size = WIDE;
  #svg = s("svg", { role: "group", "aria-label": "Nodes, and who gets cards from whom" });
  #box = h("div", { class: "net-box", tabindex: 0, role: "region", "aria-label": "Picture of the network" }, this.#svg);
  #words = h("p", { class: "net-words" });
  #list = h("ul", { class: "net-list" });

  constructor() {
    this.element = h(
      "div",
      { class: "panel" },
      this.#box,
      this.#words,
      h("details", { class: "net-words" }, h("summary", {}, "The same in words"), this.#list),
    );
    this.#svg.addEventListener("pointerleave", () => this.#choose(null));
    new ResizeObserver(() => this.#fit()).observe(this.#box);
  }

  show(view) {
    const isFirst = !this.#nodes;
    this.#nodes = [...view.table("nodes")].map(([id, row]) => ({ id, ...row })).sort((a, b) => a.place - b.place);
    this.#edges = view.rows("edges");
    this.#draw();
    if (isFirst) this.#centre();
  }

  #fit() {
    this.#size = this.#box.clientWidth < NARROW_BOX ? NARROW : WIDE;
    if (!this.#nodes) return;
    this.#draw();
    this.#centre();
  }

  // A small screen shows us in the middle; the rest is a swipe away.
  #centre() {
    const us = this.#svg.querySelector(".us rect").getBoundingClientRect();
    const box = this.#box.getBoundingClientRect();
    this.#box.scrollLeft += us.left + us.width / 2 - box.left - box.width / 2;
  }

  #choose(id) {
    if (this.#chosen === id || this.#pinned) return;
    this.#chosen = id;
    this.#draw();
  }

  #pin(id) {
    const isSame = this.#pinned && this.#chosen === id;
    this.#pinned = false;
    this.#choose(id);
    this.#pinned = !isSame;
    this.#draw();
  }

  #draw() {
    const [nodes, edges] = [this.#nodes, this.#edges];
    const plan = layout(nodes, this.#size, this.#box.clientWidth - 16);
    const near = this.#near();
    this.#svg.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
    this.#svg.style.setProperty("width", `${plan.width}px`);
    this.#svg.classList.toggle("is-focused", near !== null);
    const isNear = (id) => near?.has(id) ?? false;
    patchChildren(this.#svg, [
      ...plan.heads,
      ...edges.map((edge) => drawEdge(edge, plan.places, this.#size, isNear(edge.from) && isNear(edge.to))),
      ...nodes.map((node) => this.#node(node, plan.places.get(node.id), isNear(node.id))),
    ]);
    patchChildren(this.#words, this.#sentence());
    patchChildren(this.#list, nodes.filter((node) => node.kind !== "us").map((node) => h("li", { "data-key": node.id }, sentence(node))));
  }

  #node(node, place, isNear) {
    const style = ["net-node", node.kind, node.weight === 2 && "off", node.weight === 1 && "look", node.count > 1 && "many", isNear && "near"];
    const size = this.#size;
    const indent = size === NARROW ? 8 : 12;
    const label = `${node.label}, ${node.note}`;
    return s(
      "g",
      {
        class: style.filter(Boolean).join(" "),
        "data-key": node.id,
        tabindex: 0,
        role: "button",
        "aria-pressed": String(this.#pinned && this.#chosen === node.id),
        "aria-label": label,
        transform: `translate(${place.x} ${place.y})`,
        on: this.#listeners(node.id),
      },
      s("title", {}, label),
      s("rect", { width: size.width, height: size.height, rx: 8 }),
      s("text", { class: "name", x: indent, y: 19 }, shorten(node.label, size.name)),
      s("text", { class: node.weight ? "off-word" : null, x: indent, y: 36 }, shorten(node.note, size.note)),
    );
  }

  #listeners(id) {
    return {
      pointerenter: () => this.#choose(id),
      focus: () => this.#choose(id),
      blur: () => this.#choose(null),
      click: () => this.#pin(id),
      keydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.#pin(id);
      },
    };
  }

  // The nodes that have to do with the chosen one; null: none is chosen.
  #near() {
    const [nodes, edges] = [this.#nodes, this.#edges];
    const node = nodes.find(({ id }) => id === this.#chosen);
    if (!node) return null;
    if (node.kind === "client") return new Set([node.id, "us", ...node.through]);
    if (node.kind === "us") return new Set(edges.filter((edge) => edge.from === "us" || edge.to === "us").flatMap((edge) => [edge.from, edge.to]));
    const viewers = nodes.filter((one) => one.through.includes(node.id)).map(({ id }) => id);
    return new Set([...viewers, ...wayToUs(node.id, edges)]);
  }

  #sentence() {
    const node = this.#nodes.find(({ id }) => id === this.#chosen);
    return node ? sentence(node) : ["Point at a node, tap it, or tab to it, to see who gets what from whom."];
  }
}

function sentence({ label, words, weight, note, members, count: number, link }) {
  const why = link && weight > 0 && [" ", h("a", { href: link, "aria-label": `Why? ${label}: ${note}` }, "Why?")];
  const rest = number > members.length && members.length ? ` and ${count(number - members.length, "other")}` : "";
  return [members.length ? `${label}: ${members.join(", ")}${rest}.` : words, weight > 0 && [" ", h("strong", {}, note), "."], why];
}

function wayToUs(start, edges) {
  const found = new Set([start]);
  for (const node of found) {
    // A set grows while it is walked through, and the walk takes in what was added.
    for (const { from, to } of edges) if (from === node && node !== "us") found.add(to);
  }
  return found;
}

// Columns keep their width; what room the box leaves goes between them.
function layout(nodes, { width, height: tall, gap: least }, room) {
  const columns = [...new Set(nodes.map((node) => node.column))].sort((a, b) => a - b);
  if (!columns.includes(1)) columns.push(1);
  const gap = Math.max(least, Math.floor((room - 4 - columns.length * width) / (columns.length - 1)));
  const tallest = Math.max(1, ...columns.map((column) => nodes.filter((node) => node.column === column).length));
  const height = HEAD + tallest * (tall + GAP);
  const places = new Map();
  const heads = columns.map((column, index) => {
    const x = index * (width + gap) + 2;
    const here = nodes.filter((node) => node.column === column);
    const offset = (tallest - here.length) / 2;
    here.forEach((node, row) => places.set(node.id, { x, y: HEAD + (offset + row) * (tall + GAP) }));
    return s("text", { class: "net-head", x: x + 2, y: 15 }, headOf(column));
  });
  return { places, heads, height, width: columns.length * (width + gap) - gap + 4 };
}

function headOf(column) {
  if (column === 1) return "Receivers";
  if (column === 0) return "Us";
  return column === -1 ? "Sources" : `${-column} hops away`;
}

function drawEdge({ from, to, cards, live }, places, { width, height }, isNear) {
  const [start, end] = [places.get(from), places.get(to)];
  const x1 = start.x + width;
  const y1 = start.y + height / 2;
  const y2 = end.y + height / 2;
  const bend = (end.x - x1) / 2;
  const style = ["net-edge", live && "live", !cards && "none", isNear && "near"];
  return s(
    "path",
    {
      class: style.filter(Boolean).join(" "),
      "data-key": `${from} > ${to}`,
      d: `M${x1} ${y1}C${x1 + bend} ${y1} ${end.x - bend} ${y2} ${end.x} ${y2}`,
      "stroke-width": (1.2 + Math.log2(1 + cards) / 2).toFixed(1),
    },
    s("title", {}, count(cards, "card")),
  );
}

function shorten(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
