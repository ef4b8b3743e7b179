// One picture of answer times.

import { h, patchChildren, s } from "./dom.js";
import { SLOW, channelId, channelName, chip, clock, count, explainLink, milliseconds, shortClock, speed } from "./format.js";

const HEIGHT = 132;
const EDGE = { left: 54, right: 6, top: 8, bottom: 18 };
const GAP = 4; // buckets without an answer over which the line still goes
const SPEEDS = { good: "good", warn: "fair", bad: "slow" };

export class Chart {
  #one = null;
  #frame = null;
  #picked = null;
  #title = h("h3", {});
  #chip = h("span", {});
  #note = h("p", { class: "chart-note" });
  #svg = s("svg", { role: "img", preserveAspectRatio: "none" });

  constructor() {
    this.element = h(
      "li",
      { class: "panel chart" },
      h("div", { class: "chart-head" }, this.#title, this.#chip),
      this.#note,
      this.#svg,
    );
    this.#svg.addEventListener("pointermove", (event) => this.#pick(event));
    this.#svg.addEventListener("pointerleave", () => this.#pick(null));
    new ResizeObserver(() => this.#draw()).observe(this.#svg);
  }

  show(one, frame) {
    this.#one = one;
    this.#frame = frame;
    this.#title.textContent = nameOf(one);
    this.#title.title = one.service ? channelId(one.service) : "";
    this.#draw();
  }

  #pick(event) {
    this.#picked = event && this.#nearest(event.offsetX);
    this.#draw();
  }

  #nearest(x) {
    const place = this.#scale();
    const distance = (point) => Math.abs(place.x(this.#middle(point)) - x);
    return this.#one.points.reduce((best, point) => (distance(point) < distance(best) ? point : best)).at;
  }

  #middle(point) {
    return point.at + this.#frame.step / 2;
  }

  #scale() {
    const width = this.#svg.clientWidth;
    const { now, length, top } = this.#frame;
    const begin = now - length;
    const inner = width - EDGE.left - EDGE.right;
    const floor = HEIGHT - EDGE.bottom;
    return {
      width,
      floor,
      x: (at) => EDGE.left + (inner * (at - begin)) / length,
      y: (seconds) => floor - ((floor - EDGE.top) * Math.min(seconds, top)) / top,
    };
  }

  #draw() {
    if (!this.#one || !this.#svg.clientWidth) return;
    const place = this.#scale();
    const answered = this.#one.points.filter((point) => point.answered);
    this.#svg.setAttribute("viewBox", `0 0 ${place.width} ${HEIGHT}`);
    this.#svg.setAttribute("aria-label", this.#summary(answered));
    patchChildren(this.#svg, [
      ...this.#axes(place),
      ...this.#runs(answered).flatMap((run) => this.#curve(run, place)),
      ...this.#one.points.flatMap((point) => this.#marks(point, place)),
      ...this.#cursor(place),
    ]);
    this.#words(answered);
  }

  #axes(place) {
    const { top } = this.#frame;
    const right = place.width - EDGE.right;
    const marks = ticks(top).map((seconds) => [
      s("line", { class: seconds ? "grid" : "axis", x1: EDGE.left, x2: right, y1: place.y(seconds), y2: place.y(seconds) }),
      s("text", { x: EDGE.left - 7, y: place.y(seconds) + 4, "text-anchor": "end" }, seconds ? String(seconds * 1000) : "0"),
    ]);
    const limit = place.y(SLOW);
    return [
      ...marks.flat(),
      ...this.#dates(place),
      s("line", { class: "limit", x1: EDGE.left, x2: right, y1: limit, y2: limit }),
      s("text", { class: "limit-word", x: EDGE.left - 7, y: limit + 4, "text-anchor": "end" }, "500 ms"),
    ];
  }

  #dates(place) {
    const { now, length } = this.#frame;
    const step = length > 3600 ? 6 * 3600 : 120;
    const zone = new Date(now * 1000).getTimezoneOffset() * 60;
    const found = [];
    for (let at = Math.ceil((now - length - zone) / step) * step + zone; at <= now; at += step) {
      const x = place.x(at);
      if (x < EDGE.left + 18 || x > place.width - 18) continue;
      found.push(s("text", { x, y: HEIGHT - 3, "text-anchor": "middle" }, shortClock(at)));
    }
    return found;
  }

  #runs(points) {
    const runs = [];
    let before = -Infinity;
    for (const point of points) {
      if (point.at - before > GAP * this.#frame.step) runs.push([]);
      runs.at(-1).push(point);
      before = point.at;
    }
    return runs;
  }

  #curve(run, place) {
    const spot = (point, value) => `${place.x(this.#middle(point)).toFixed(1)} ${place.y(value).toFixed(1)}`;
    const medians = run.map((point) => spot(point, point.median));
    if (run.length === 1) {
      return [s("circle", { class: "dot", cx: place.x(this.#middle(run[0])), cy: place.y(run[0].median), r: 2.2 })];
    }
    const slow = run.map((point) => spot(point, point.percentile95)).reverse();
    return [
      s("path", { class: "band", d: `M${[...medians, ...slow].join("L")}Z` }),
      s("path", { class: "line", d: `M${medians.join("L")}` }),
    ];
  }

  #marks(point, place) {
    const { answered, refused, percentile95, longest } = point;
    const x = place.x(this.#middle(point)).toFixed(1);
    const found = [];
    if (answered && (longest > percentile95 || longest > SLOW)) {
      const style = longest > SLOW ? "longest slow" : "longest";
      found.push(s("path", { class: style, d: `M${x - 2.5} ${place.y(longest).toFixed(1)}h5` }));
      if (longest > this.#frame.top) {
        found.push(s("text", { class: "limit-word", x, y: place.y(longest) + 12, "text-anchor": "middle" }, `${longest.toFixed(1)} s`));
      }
    }
    if (refused) found.push(s("path", { class: "refused", d: `M${x} ${place.floor}v-9` }));
    return found;
  }

  #cursor(place) {
    const point = this.#pickedPoint();
    if (!point) return [];
    const x = place.x(this.#middle(point));
    return [s("line", { class: "cursor", x1: x, x2: x, y1: EDGE.top, y2: place.floor })];
  }

  #pickedPoint() {
    return this.#one.points.find((point) => point.at === this.#picked);
  }

  #words(answered) {
    const last = answered.at(-1);
    const tone = last ? speed(last.percentile95) : "bad";
    const { source, service, points } = this.#one;
    const explain = explainLink({ source, service });
    patchChildren(this.#chip, [
      last ? chip(tone, `${SPEEDS[tone]}, ${milliseconds(last.median)}`) : chip("bad", "only NOKs: why?", explain),
    ]);
    const point = this.#pickedPoint();
    const refused = points.some((one) => one.refused);
    const why = h("a", { href: explain, "aria-label": `Why are there NOKs of ${nameOf(this.#one)}?` }, "why?");
    patchChildren(this.#note, point ? [describe(point)] : [this.#summary(answered), refused && [" ", why]]);
  }

  #summary(answered) {
    const points = this.#one.points;
    const sum = (name) => points.reduce((total, point) => total + point[name], 0);
    const longest = Math.max(0, ...answered.map((point) => point.longest));
    const refused = sum("refused");
    const words = [count(sum("answered"), "answer")];
    if (answered.length) words.push(`longest ${milliseconds(longest)}`);
    if (refused) words.push(count(refused, "NOK"));
    return words.join(", ");
  }
}

function nameOf({ source, service }) {
  return source ?? channelName(service);
}

function describe({ at, answered, refused, median, percentile95, longest }) {
  const words = [clock(at)];
  if (answered) words.push(count(answered, "answer"), `median ${milliseconds(median)}`);
  if (answered > 1) words.push(`95 % ${milliseconds(percentile95)}`, `longest ${milliseconds(longest)}`);
  if (refused) words.push(count(refused, "NOK"));
  return words.join(" · ");
}

// Whole numbers of milliseconds, none where the 500 ms line has its word.
function ticks(top) {
  const step = [0.1, 0.25, 0.5, 1].find((size) => top / size <= 4.5) ?? 1;
  const found = [];
  for (let seconds = 0; seconds <= top; seconds += step) found.push(seconds);
  return found.filter((seconds) => Math.abs(seconds - SLOW) > top * 0.1);
}
