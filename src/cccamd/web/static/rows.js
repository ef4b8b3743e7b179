// A long list in little room: search, filter, sort; rows that open; some at a time.

import { h, patch, patchChildren } from "./dom.js";
import { count } from "./format.js";

// Rows at a time.
const STEP = matchMedia("(max-width: 44rem)").matches ? 6 : 12;

export class Rows {
  #rows = new Map();
  #drawn = new Map(); // key: the row it was drawn from, whether it was open, and the elements
  #open = new Set();
  #limit = STEP;
  #words = "";
  #filter;
  #sort;
  #body = h("tbody", { role: "rowgroup" });
  #rest = h("p", { class: "rest" });
  #heads = [];
  #chips = [];
  #plan;

  // plan: name, one (a word for one row), columns [{name, cells, by, style}], search, filters
  // [{name, text, keep}], detail, link to all of them; the first column's `by` is "trouble first".
  constructor(plan) {
    this.#plan = plan;
    this.#filter = plan.filters[0];
    this.#sort = plan.columns[0];
    this.element = h("div", { class: "rows" }, this.#tools(), this.#table(), this.#rest);
    this.#body.addEventListener("click", (event) => this.#clicked(event));
  }

  show(rows) {
    this.#rows = rows;
    this.#draw();
  }

  // Shows one row, open, whatever was searched for.
  reveal(key) {
    this.#open.add(key);
    this.#draw();
  }

  #tools() {
    const { name, filters, columns } = this.#plan;
    const search = h("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": `Search ${name}`,
      spellcheck: "false",
      autocomplete: "off",
      on: { input: () => this.#change(() => (this.#words = search.value.trim().toLocaleLowerCase("en"))) },
    });
    this.#chips = filters.map((filter) =>
      h("button", { type: "button", on: { click: () => this.#change(() => (this.#filter = filter)) } }, filter.text),
    );
    const sorts = columns.filter((column) => column.by);
    const select = h(
      "select",
      { "aria-label": `Sort ${name} by`, on: { change: () => this.#change(() => (this.#sort = sorts[select.selectedIndex])) } },
      sorts.map((column) => h("option", {}, column.sortName ?? column.name)),
    );
    this.select = select;
    const choice = h("div", { class: "choice", role: "group", "aria-label": `Which ${name}` }, this.#chips);
    return h("div", { class: "tools" }, search, filters.length > 1 && choice, h("label", { class: "sorting" }, "Sort ", select));
  }

  #table() {
    const { name, columns } = this.#plan;
    this.#heads = columns.map((column) => {
      const button = column.by && h("button", { type: "button", on: { click: () => this.#change(() => (this.#sort = column)) } }, column.name);
      return h("th", { scope: "col", role: "columnheader", class: column.style }, button || column.name);
    });
    return h(
      "div",
      { class: "panel table-box" },
      h(
        "table",
        { class: "list", role: "table", "aria-label": name },
        h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, this.#heads)),
        this.#body,
      ),
    );
  }

  #change(how) {
    how();
    this.#limit = STEP;
    this.#draw();
  }

  #clicked(event) {
    if (event.target.closest("a")) return;
    const key = event.target.closest("tr[data-row]")?.dataset.row;
    if (key === undefined || document.getSelection()?.toString()) return;
    if (!this.#open.delete(key)) this.#open.add(key);
    this.#draw();
  }

  #draw() {
    const { filters, columns, search, one, empty, all } = this.#plan;
    const rows = [...this.#rows];
    const found = rows.filter(([, row]) => this.#filter.keep(row) && search(row).toLocaleLowerCase("en").includes(this.#words));
    found.sort(([, a], [, b]) => this.#sort.by(a, b));
    const shown = found.slice(0, this.#limit);
    patchChildren(this.#body, shown.length ? shown.flatMap(([key, row]) => this.#pair(key, row)) : [this.#nothing(rows.length ? `No ${one} fits.` : empty)]);
    for (const key of this.#drawn.keys()) if (!this.#rows.has(key)) this.#drawn.delete(key);
    filters.forEach((filter, index) => {
      this.#chips[index].setAttribute("aria-pressed", String(filter === this.#filter));
      const text = `${filter.text} ${rows.filter(([, row]) => filter.keep(row)).length}`;
      if (this.#chips[index].textContent !== text) this.#chips[index].textContent = text;
    });
    columns.forEach((column, index) => {
      if (column.by) this.#heads[index].setAttribute("aria-sort", column === this.#sort ? "ascending" : "none");
    });
    this.select.selectedIndex = columns.filter((column) => column.by).indexOf(this.#sort);
    this.#more(found.length, shown.length, all);
  }

  #more(found, shown, all) {
    const button = (text, limit) =>
      h("button", { type: "button", "data-key": text, "data-limit": limit }, text);
    const left = found - shown;
    const parts = [];
    if (left) parts.push(h("span", { "data-key": "count" }, `${shown} of ${found.toLocaleString("en")}`), button("Show more", this.#limit + 4 * STEP));
    if (left > 4 * STEP) parts.push(button("Show all", Infinity));
    if (this.#limit > STEP && found > STEP) parts.push(button("Show fewer", STEP));
    if (all) parts.push(h("a", { href: all.href, "data-key": "all" }, all.text));
    this.#rest.onclick ??= ({ target }) => {
      if (!target.dataset.limit) return;
      this.#limit = Number(target.dataset.limit);
      this.#draw();
    };
    patchChildren(this.#rest, parts);
  }

  // The row and, when it is open, what else there is to say; drawn anew only when it has changed.
  #pair(key, row) {
    const isOpen = this.#open.has(key);
    const known = this.#drawn.get(key);
    if (known && known.row === row && known.isOpen === isOpen) return known.elements;
    const fresh = [this.#row(key, row, isOpen), isOpen && this.#detail(key, row)].filter(Boolean);
    const elements = fresh.map((element, index) => (known?.elements[index] ? patch(known.elements[index], element) : element));
    this.#drawn.set(key, { row, isOpen, elements });
    return elements;
  }

  #row(key, row, isOpen) {
    const { columns, label } = this.#plan;
    const cells = columns.map((column, index) => {
      const content = column.cells(row);
      if (index) return h("td", { role: "cell", class: column.style, "data-label": column.name }, h("div", {}, content));
      const opener = h("button", { type: "button", class: "opener", "aria-expanded": String(isOpen), "aria-label": `Details of ${label(row)}` });
      return h("th", { scope: "row", role: "rowheader" }, opener, h("div", {}, content));
    });
    const tone = row.weight === 2 ? "bad" : row.weight === 1 ? "warn" : null;
    return h("tr", { role: "row", class: tone, "data-row": key, "data-key": `row ${key}` }, cells);
  }

  #detail(key, row) {
    const { columns, detail } = this.#plan;
    return h("tr", { role: "row", class: "detail", "data-key": `detail ${key}` }, h("td", { role: "cell", colspan: columns.length }, detail(row)));
  }

  #nothing(text) {
    return h("tr", { role: "row", class: "nothing", "data-key": "nothing" }, h("td", { role: "cell", colspan: this.#plan.columns.length }, text));
  }
}

// Orders: what is in trouble first, then by name; what has no number last.
export function byTrouble(name) {
  return (a, b) => (b.weight ?? 0) - (a.weight ?? 0) || name(a).localeCompare(name(b), "en", { numeric: true });
}

export function byText(text) {
  return (a, b) => !text(a) - !text(b) || text(a).localeCompare(text(b), "en", { numeric: true });
}

export function byNumber(number) {
  return (a, b) => (number(a) ?? Infinity) - (number(b) ?? Infinity);
}

export function facts(pairs) {
  const shown = pairs.filter(Boolean);
  return h("dl", { class: "facts-list" }, shown.map(([name, ...value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function more(total, shown, one) {
  return total > shown ? ` and ${count(total - shown, one)}` : "";
}
