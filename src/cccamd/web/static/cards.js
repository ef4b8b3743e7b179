// Which cards there are, and who sees them.

import { h } from "./dom.js";
import { count } from "./format.js";

const COLUMNS = ["CAID", "Providers", "Source", "Hop", "Reshare", "Seen by"];
const NUMBERS = new Set(["Hop", "Reshare"]);

export function cards({ cards: { rows, total, viewers: viewerCounts, providers } }) {
  if (!total) return [h("p", { class: "empty" }, "There are 0 cards. ", h("a", { href: "/explain" }, "Why?"))];
  const heads = COLUMNS.map((name) => h("th", { scope: "col", role: "columnheader", class: NUMBERS.has(name) ? "num" : null }, name));
  const table = h(
    "div",
    { class: "panel table-box", tabindex: 0, role: "region", "aria-label": "Table of cards" },
    h(
      "table",
      { class: "stack compact", role: "table", "aria-label": "Cards" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
      h("tbody", { role: "rowgroup" }, rows.map((card, index) => row(card, viewerCounts[index], providers))),
    ),
  );
  if (rows.length === total) return [table];
  const rest = h("p", { class: "absent" }, `The nearest ${rows.length} of ${total} cards.`, h("a", { href: "/shares" }, "All of them"));
  return [table, rest];
}

function cell(name, ...content) {
  return h("td", { role: "cell", "data-label": name, class: NUMBERS.has(name) ? "num" : null }, h("div", {}, content));
}

function row(card, viewerCount, names) {
  return h(
    "tr",
    { role: "row" },
    h("th", { scope: "row", role: "rowheader", class: "mono" }, card.caid),
    cell("Providers", card.idents.length ? card.idents.map((ident) => provider(ident, names[`${card.caid}:${ident}`])) : h("span", { class: "dim" }, "all")),
    cell("Source", card.source, card.hop > 1 && h("span", { class: "sub mono" }, card.path[0])),
    cell("Hop", String(card.hop)),
    cell("Reshare", String(card.reshare)),
    cell("Seen by", viewers(card, viewerCount)),
  );
}

function provider(ident, name) {
  return h("div", {}, h("span", { class: "mono" }, ident), name && ` ${name}`);
}

function viewers(card, total) {
  const names = card.seen_by;
  if (!total) {
    const href = `/explain?caid=${card.caid}`;
    return h("span", {}, "nobody who is on now ", h("a", { href, "aria-label": `Why does nobody see ${card.caid}?` }, "why?"));
  }
  const more = total > names.length ? ` and ${count(total - names.length, "other")}` : "";
  return names.join(", ") + more;
}
