// Which cards there are, and who sees them.

import { h } from "./dom.js";
import { count } from "./format.js";

const COLUMNS = ["CAID", "Providers", "Source", "Hop", "Reshare", "Seen by"];
const NUMBERS = new Set(["Hop", "Reshare"]);

export function cards({ cards: { rows, total } }) {
  if (!total) return [h("p", { class: "empty" }, "There are 0 cards. ", h("a", { href: "/explain" }, "Why?"))];
  const heads = COLUMNS.map((name) => h("th", { scope: "col", role: "columnheader", class: NUMBERS.has(name) ? "num" : null }, name));
  const table = h(
    "div",
    { class: "panel table-box", tabindex: 0, role: "region", "aria-label": "Table of cards" },
    h(
      "table",
      { class: "stack compact", role: "table", "aria-label": "Cards" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
      h("tbody", { role: "rowgroup" }, rows.map(row)),
    ),
  );
  if (rows.length === total) return [table];
  const rest = h("p", { class: "absent" }, `The nearest ${rows.length} of ${total} cards.`, h("a", { href: "/shares" }, "All of them"));
  return [table, rest];
}

function cell(name, ...content) {
  return h("td", { role: "cell", "data-label": name, class: NUMBERS.has(name) ? "num" : null }, h("div", {}, content));
}

function row(card) {
  return h(
    "tr",
    { role: "row" },
    h("th", { scope: "row", role: "rowheader", class: "mono" }, card.caid),
    cell("Providers", card.providers.length ? card.providers.map(provider) : h("span", { class: "dim" }, "all")),
    cell("Source", card.source, card.hop > 1 && h("span", { class: "sub mono" }, card.origin)),
    cell("Hop", String(card.hop)),
    cell("Reshare", String(card.reshare)),
    cell("Seen by", viewers(card)),
  );
}

function provider({ id, name }) {
  return h("div", {}, h("span", { class: "mono" }, id), name && ` ${name}`);
}

function viewers(card) {
  const { names, total } = card.seen_by;
  if (!total) {
    const href = `/explain?caid=${card.caid}`;
    return h("span", {}, "nobody who is on now ", h("a", { href, "aria-label": `Why does nobody see ${card.caid}?` }, "why?"));
  }
  const more = total > names.length ? ` and ${count(total - names.length, "other")}` : "";
  return names.join(", ") + more;
}
