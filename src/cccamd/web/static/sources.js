// Where cards come from.

import { h } from "./dom.js";
import { chip, count, counting, explainLink, milliseconds } from "./format.js";

export function sources({ sources: all }) {
  if (!all.length) {
    return [h("p", { class: "empty" }, "There is no source: no C-line in CCcam.cfg, and no card in cccamd.toml.")];
  }
  return [h("ul", { class: "tiles" }, all.map(tile))];
}

function tile(source) {
  const isUp = source.state === "up";
  return h(
    "li",
    { class: "panel source", "data-key": `${source.name} ${source.line}` },
    h(
      "div",
      { class: "source-head" },
      h("h3", {}, source.name, h("span", { class: "sub" }, kind(source))),
      chip(isUp ? "good" : source.state === "waiting" ? "bad" : "warn", isUp ? "up" : source.state),
    ),
    !isUp && source.last_failure && h("p", { class: "failure" }, source.last_failure),
    isUp && cards(source),
    h("dl", { class: "facts-list" }, facts(source, isUp)),
  );
}

function kind(source) {
  const line = source.line ? `, C-line in line ${source.line}` : "";
  const group = source.group ? `, group ${source.group} rank ${source.rank}` : "";
  return `${source.kind}${line}${group}`;
}

function fact(name, ...value) {
  return [h("dt", {}, name), h("dd", {}, value)];
}

function facts(source, isUp) {
  return [
    !isUp && source.next_attempt_at && fact("Next attempt", counting(source.next_attempt_at, "in")),
    isUp && source.up_at && fact("Up for", counting(source.up_at, "for")),
    fact("Usual answer", milliseconds(source.usual_seconds)),
    fact("Answered", `${source.answered.toLocaleString("en")} of ${count(source.asked, "ECM")}`, refusals(source)),
    source.version && fact("Program", source.program || `CCcam ${source.version}`, ` · ${source.revision}`),
    source.node_id && fact("Node", h("span", { class: "mono" }, source.node_id)),
    source.cards_rejected > 0 && fact("Not taken", h("a", { href: explain(source) }, count(source.cards_rejected, "card"))),
  ];
}

function refusals(source) {
  const refused = source.asked - source.answered;
  if (refused <= 0) return null;
  const words = count(refused, "NOK");
  return [", ", h("a", { href: explain(source), "aria-label": `${words} of ${source.name}, explained` }, words)];
}

function explain({ name }) {
  return explainLink({ source: name });
}

function cards(source) {
  if (!source.cards) return h("p", {}, chip("bad", "0 cards: why?", explain(source)));
  const hops = Object.entries(source.cards_by_hop);
  const strip = hops.map(([hop, number]) =>
    h("span", { style: { "flex-grow": String(number), opacity: String(Math.max(0.25, 1 - 0.28 * (hop - (source.line ? 1 : 0)))) } }),
  );
  const words = hops.map(([hop, number]) => h("span", {}, `hop ${hop}: ${number}`));
  return h(
    "div",
    {},
    h("p", {}, h("strong", {}, count(source.cards, "card"))),
    h("div", { class: "hops", "aria-hidden": "true" }, strip),
    h("p", { class: "hop-words" }, words),
  );
}
