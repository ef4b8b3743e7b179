// Where cards come from.

import { h } from "./dom.js";
import { chip, count, counting, explainLink, isManaged, milliseconds } from "./format.js";
import { Rows, byNumber, byText, facts } from "./rows.js";

export class Sources {
  #rows = new Rows({
    name: "sources",
    one: "source",
    empty: "There is no source: no C-line in CCcam.cfg, and no card in cccamd.toml.",
    label: (source) => source.name,
    columns: [
      { name: "Source", sortName: "Trouble first", cells: who, by: (a, b) => b.weight - a.weight || a.place - b.place },
      { name: "State", cells: state, by: byText((source) => source.trouble || source.state) },
      { name: "Cards", cells: cardCount, by: byNumber((source) => -source.cards), style: "num" },
      { name: "Usual answer", cells: (source) => h("span", { class: "nowrap" }, milliseconds(source.usual_seconds)), by: byNumber((source) => -(source.usual_seconds ?? -1)), style: "num" },
      { name: "Answered", cells: answered, by: byNumber((source) => -source.asked), style: "num" },
    ],
    filters: [
      { text: "All", keep: () => true },
      { text: "In trouble", keep: (source) => source.weight > 0 },
    ],
    search: (source) => [source.name, source.kind, source.state, source.trouble, source.last_failure, source.group, source.program, source.node_id].join(" "),
    detail,
  });
  element = this.#rows.element;

  show(view) {
    this.#rows.show(view.table("sources"));
  }
}

function who(source) {
  return [h("strong", {}, source.name), h("span", { class: "sub" }, kind(source))];
}

function kind(source) {
  const line = source.line ? `, C-line in line ${source.line}` : "";
  const group = source.group ? `, group ${source.group} rank ${source.rank}` : "";
  return `${source.kind}${line}${group}`;
}

function state(source) {
  const tone = ["good", "warn", "bad"][source.weight];
  const failure = source.state !== "up" && source.last_failure;
  return [chip(tone, source.trouble || source.state), failure && h("span", { class: "sub failure" }, failure)];
}

function cardCount(source) {
  if (!source.cards && source.state === "up") return chip("bad", "0 cards: why?", explain(source));
  return String(source.cards);
}

function answered(source) {
  const refused = source.asked - source.answered;
  const words = count(refused, "NOK");
  return [
    source.answered.toLocaleString("en"),
    refused > 0 && [h("span", { class: "sub" }, h("a", { href: explain(source), "aria-label": `${words} of ${source.name}, explained` }, words))],
  ];
}

function explain({ name }) {
  return explainLink({ source: name });
}

function detail(source) {
  const isUp = source.state === "up";
  return [
    isUp && source.cards > 0 && hops(source),
    facts([
      !isUp && source.next_attempt_at && ["Next attempt", counting(source.next_attempt_at, "in")],
      isUp && source.up_at && ["Up for", counting(source.up_at, "for")],
      ["Asked", count(source.asked, "ECM")],
      source.version && ["Program", [source.program || `CCcam ${source.version}`, source.revision].filter(Boolean).join(" · ")],
      source.line > 0 && ["Link", source.paired ? `TLS, paired as ${source.paired}` : "not protected"],
      source.node_id && ["Node", h("span", { class: "mono" }, source.node_id)],
      source.cards_rejected > 0 && ["Not taken", h("a", { href: explain(source) }, count(source.cards_rejected, "card"))],
      ["Why", h("a", { href: explain(source) }, `Explain ${source.name}`)],
      isManaged && source.line > 0 && ["Do", h("a", { href: "/manage/server" }, "Pause or restart")],
    ]),
  ];
}

function hops(source) {
  const shares = Object.entries(source.cards_by_hop);
  const nearest = source.line ? 1 : 0;
  const strip = shares.map(([hop, number]) =>
    h("span", { style: { "flex-grow": String(number), opacity: String(Math.max(0.25, 1 - 0.28 * (hop - nearest)).toFixed(2)) } }),
  );
  const words = shares.map(([hop, number]) => h("span", {}, `hop ${hop}: ${number}`));
  return h("div", { class: "by-hop" }, h("div", { class: "hops", "aria-hidden": "true" }, strip), h("p", { class: "hop-words" }, words));
}
