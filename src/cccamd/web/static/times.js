// Answer times per source and per channel: one small picture each, all on the same scale.

import { Chart } from "./chart.js";
import { h, patchChildren, s } from "./dom.js";
import { SLOW, channelId } from "./format.js";

const EVERY = { minutes: 5000, day: 60000 };
const FEW = matchMedia("(max-width: 44rem)").matches ? 2 : 4; // pictures at first: the busiest ones
const MOST = 12;
const TOP = 3; // seconds: slower answers are drawn at the edge, with their number

export class Times {
  #by = "source";
  #span = "minutes";
  #timer = null;
  #most = FEW;
  #asked = "";
  #known = new Map(); // by subject, all points up to now
  #until = 0; // up to when points are known and do not change any more
  #charts = new Map();
  #list = h("ul", { class: "charts" });
  #rest = h("p", { class: "rest" });

  constructor() {
    this.choices = h(
      "div",
      { class: "choices" },
      this.#choice("By", { source: "per source", channel: "per channel" }, "source", (value) => (this.#by = value)),
      this.#choice("Span", { minutes: "10 minutes", day: "24 hours" }, "minutes", (value) => (this.#span = value)),
    );
    this.element = h("div", {}, this.#list, this.#rest, legend());
    this.#load();
  }

  #choice(label, options, chosen, choose) {
    const buttons = Object.entries(options).map(([value, text]) =>
      h("button", { type: "button", "aria-pressed": String(value === chosen), on: { click: () => pick(value) } }, text),
    );
    const values = Object.keys(options);
    const pick = (value) => {
      choose(value);
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(values[index] === value)));
      this.#load();
    };
    return h("div", { class: "choice", role: "group", "aria-label": label }, buttons);
  }

  async #load() {
    clearTimeout(this.#timer);
    const asked = `by=${this.#by}&span=${this.#span}&most=${this.#most}`;
    const since = asked === this.#asked ? this.#until : 0;
    try {
      const answer = await fetch(`/live/times.json?${asked}&since=${since}`, { cache: "no-store" });
      if (answer.ok && asked === `by=${this.#by}&span=${this.#span}&most=${this.#most}`) this.#take(asked, since, await answer.json());
    } catch {
      // What is shown on top says already that the connection is lost.
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), EVERY[this.#span]);
  }

  // New points come behind those that are known; whoever was not shown before is asked for whole.
  #take(asked, since, { series, fields, total, ...frame }) {
    const named = (row) => Object.fromEntries(fields.map((name, index) => [name, row[index]]));
    const names = series.map((one) => `${this.#by} ${one.source ?? channelId(one.service)}`);
    if (since && names.some((name) => !this.#known.has(name))) {
      this.#asked = "";
      return this.#load();
    }
    const merged = series.map((one, index) => {
      const before = (since && this.#known.get(names[index])) || [];
      const points = [...before.filter((point) => point.at < since && point.at >= frame.now - frame.length), ...one.points.map(named)];
      return { ...one, name: names[index], points };
    });
    this.#known = new Map(merged.map((one) => [one.name, one.points]));
    this.#until = Math.floor(frame.now) - 2 * frame.step;
    this.#asked = asked;
    this.#show(merged.filter((one) => one.points.length), total, frame);
  }

  #show(shown, total, frame) {
    const slowest = Math.max(0, ...shown.flatMap((one) => one.points.map((point) => point.longest)));
    const top = Math.min(TOP, Math.max(SLOW * 1.3, slowest * 1.1));
    const keys = shown.map((one) => one.name);
    for (const [key, chart] of this.#charts) {
      if (!keys.includes(key)) {
        chart.element.remove();
        this.#charts.delete(key);
      }
    }
    shown.forEach((one, index) => {
      if (!this.#charts.has(keys[index])) this.#charts.set(keys[index], new Chart());
      const chart = this.#charts.get(keys[index]);
      if (this.#list.children[index] !== chart.element) this.#list.insertBefore(chart.element, this.#list.children[index] ?? null);
      chart.show(one, { ...frame, top });
    });
    const more = () => {
      this.#most = this.#most === FEW ? MOST : FEW;
      this.#load();
    };
    const button = total > FEW && h("button", { type: "button", "data-key": `${this.#most}`, on: { click: more } }, this.#most === FEW ? "Show more" : "Show fewer");
    patchChildren(this.#rest, [h("span", { "data-key": "words" }, words(shown.length, total, this.#by, this.#span)), button]);
  }
}

function words(shown, all, by, span) {
  if (!all) return `No ${by} has answered an ECM in the last ${span === "day" ? "24 hours" : "10 minutes"}.`;
  return shown < all ? `The busiest ${shown} of ${all}.` : "";
}

// What the signs in the pictures mean.
const SIGNS = [
  ["median", () => s("line", { class: "line", x1: 0, x2: 22, y1: 6, y2: 6 })],
  ["up to the slowest 5 %", () => s("rect", { class: "band", width: 22, height: 12 })],
  ["longest", () => s("path", { class: "longest", d: "M8 6h6" })],
  ["refused (NOK)", () => s("path", { class: "refused", d: "M11 4v8" })],
  ["500 ms: slower than this, a picture may freeze", () => s("line", { class: "limit", x1: 0, x2: 22, y1: 6, y2: 6 })],
];

function legend() {
  const items = SIGNS.map(([text, sign]) => h("li", {}, s("svg", { "aria-hidden": "true" }, sign()), text));
  return h("ul", { class: "legend", "aria-label": "Signs in the pictures" }, items);
}
