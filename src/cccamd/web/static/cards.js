// Which cards there are, and who sees them.

import { h } from "./dom.js";
import { count } from "./format.js";
import { Rows, byNumber, byText, facts } from "./rows.js";

export class Cards {
  #rows = new Rows({
    name: "cards",
    one: "card",
    empty: h("span", {}, "There are 0 cards. ", h("a", { href: "/explain" }, "Why?")),
    label: (card) => `${card.caid} from ${card.source}`,
    columns: [
      { name: "CAID", sortName: "Nearest first", cells: (card) => h("span", { class: "mono" }, card.caid), by: byNumber((card) => card.place) },
      { name: "Providers", cells: providers, by: byText((card) => card.names.join(" ") || card.idents.join(" ")) },
      { name: "Source", cells: (card) => card.source, by: byText((card) => card.source) },
      { name: "Hop", cells: (card) => String(card.hop), by: byNumber((card) => card.hop), style: "num" },
      { name: "Seen by", cells: viewers, by: byNumber((card) => card.viewers) },
    ],
    filters: [
      { text: "All", keep: () => true },
      { text: "Seen by nobody", keep: (card) => !card.viewers },
    ],
    search: (card) => [card.caid, ...card.idents, ...card.names, card.source, ...card.path, ...card.seen_by].join(" "),
    all: { href: "/shares", text: "All of them" },
    detail,
  });
  element = this.#rows.element;

  show(view) {
    this.#rows.show(view.table("cards"));
  }
}

function providers({ idents, names }) {
  if (!idents.length) return h("span", { class: "dim" }, "all");
  const known = idents.map((ident, index) => [names[index] || h("span", { class: "mono" }, ident), index < Math.min(idents.length, 3) - 1 && ", "]).slice(0, 3);
  return [known, idents.length > 3 && h("span", { class: "dim" }, ` and ${idents.length - 3} more`)];
}

function viewers({ caid, seen_by, viewers: total }) {
  if (!total) {
    const href = `/explain?caid=${caid}`;
    return h("span", { class: "dim" }, "nobody who is on now ", h("a", { href, "aria-label": `Why does nobody see ${caid}?` }, "why?"));
  }
  return seen_by.join(", ") + (total > seen_by.length ? ` and ${count(total - seen_by.length, "other")}` : "");
}

function detail(card) {
  const named = card.idents.map((ident, index) => h("div", {}, h("span", { class: "mono" }, ident), card.names[index] && ` ${card.names[index]}`));
  return facts([
    ["Providers", named.length ? named : "all"],
    ["Reshare", String(card.reshare)],
    ["Number here", h("span", { class: "mono" }, card.own_share_id)],
    card.path.length > 0 && ["Way", card.path.map((node) => h("div", { class: "mono" }, node))],
  ]);
}
