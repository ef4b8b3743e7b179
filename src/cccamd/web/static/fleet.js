// The fleet: whether its engine is there, which nodes there are, and which are missing.

import { h } from "./dom.js";
import { chip, count, counting, moment } from "./format.js";

const SHOWN = 12; // nodes of which something is to be said; the others are one click away
const TONES = { missing: "bad", "out of sight": "warn", stopped: "", there: "good" };

export function fleet(view) {
  const about = view.table("fleet").get("");
  if (!about) return [];
  const nodes = view.rows("fleet_nodes").sort((a, b) => a.place - b.place);
  const noted = nodes.filter((node) => node.noted);
  const rest = [...noted.slice(SHOWN), ...nodes.filter((node) => !node.noted)];
  const bad = !about.engine_up || about.twin || nodes.some((node) => node.state === "missing");
  const tone = bad ? "bad" : noted.length || about.differs ? "warn" : "good";
  return [
    h(
      "p",
      { class: "config-head" },
      h("strong", {}, "Fleet"),
      chip(tone, { bad: "look", warn: "look", good: "fine" }[tone]),
      h("span", { class: "dim" }, `this node is ${about.node}, configuration ${about.config}; ${about.counted}`),
    ),
    about.away && h("p", { class: "is-bad" }, "The engine is away for ", counting(about.engine_since, "for"), `, since ${moment(about.engine_since)}${about.trouble && `: ${about.trouble}`}; ${about.away}.`),
    about.twin && h("p", { class: "is-bad" }, `Another node has our name: node id ${about.twin}`),
    about.odd && h("p", { class: "is-warn" }, about.odd),
    noted.length > 0 && h("ul", { class: "steps", "data-key": "noted" }, noted.slice(0, SHOWN).map(node)),
    rest.length > 0 && h("details", { class: "small", "data-key": "details" }, h("summary", {}, noted.length ? count(rest.length, "other") : count(rest.length, "node")), h("ul", { class: "steps" }, rest.map(node))),
  ];
}

function node({ name, state, heard_at, cards, config, differs, distrusted_until }) {
  return h(
    "li",
    { "data-key": name },
    h("bdi", {}, h("strong", {}, name)),
    " ",
    chip(TONES[state] ?? "", state),
    state === "there" && ` ${count(cards, "card")}`,
    " heard of ",
    counting(heard_at, "ago"),
    state !== "there" && `, last at ${moment(heard_at)}`,
    h("span", { class: "dim" }, `, configuration ${config}`),
    differs && h("span", { class: "is-warn" }, " (another than most)"),
    distrusted_until !== null && h("span", { class: "is-bad" }, ` gave a wrong CW, not believed until ${moment(distrusted_until)}`),
  );
}
