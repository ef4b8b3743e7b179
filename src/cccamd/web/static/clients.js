// Which receivers are on.

import { h } from "./dom.js";
import { channelName, chip, count, counting, milliseconds, speed } from "./format.js";

const COLUMNS = ["Receiver", "Program", "Watching", "Last answer", "Margin", "Cards", "On for"];
const NUMBERS = new Set(["Cards"]);

export function clients({ clients: rows, absent }) {
  const parts = [rows.length ? table(rows) : h("p", { class: "empty" }, "No receiver is logged in.")];
  if (absent.length) parts.push(notOn(absent));
  return parts;
}

function table(rows) {
  const heads = COLUMNS.map((name) => h("th", { scope: "col", role: "columnheader", class: NUMBERS.has(name) ? "num" : null }, name));
  return h(
    "div",
    { class: "panel table-box", tabindex: 0, role: "region", "aria-label": "Table of receivers" },
    h(
      "table",
      { class: "stack", role: "table", "aria-label": "Receivers that are logged in" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
      h("tbody", { role: "rowgroup" }, rows.map(row)),
    ),
  );
}

function cell(name, ...content) {
  const style = NUMBERS.has(name) ? "num" : null;
  return h("td", { role: "cell", "data-label": name, class: style }, h("div", {}, content));
}

function row(client) {
  return h(
    "tr",
    { role: "row", "data-key": `${client.account} ${client.node_id} ${client.port}` },
    h("th", { scope: "row", role: "rowheader" }, client.account, h("span", { class: "sub" }, client.address)),
    cell("Program", ...program(client)),
    cell("Watching", ...watching(client)),
    cell("Last answer", ...answer(client)),
    cell("Margin", ...margin(client.margin)),
    cell("Cards", cardCount(client)),
    cell("On for", counting(client.connected_at, "for"), h("span", { class: "sub" }, "asked ", counting(client.heard_at, "ago"))),
  );
}

function program(client) {
  const revision = client.extended ? `${client.revision}, extended` : client.revision;
  return [
    client.program || `CCcam ${client.version}`,
    h("span", { class: "sub" }, client.program ? `${client.version} · ${revision}` : revision),
    h("span", { class: "sub mono" }, client.node_id),
  ];
}

function watching(client) {
  if (!client.channel) return [h("span", { class: "dim" }, "nothing yet")];
  const { name, id } = client.channel;
  return [
    channelName(client.channel),
    name && h("span", { class: "sub mono" }, id),
    client.source && h("span", { class: "sub" }, `from ${client.source}`),
  ];
}

function answer(client) {
  if (!client.result) return [h("span", { class: "dim" }, "–")];
  if (client.result !== "CW") {
    return [chip("bad", `${client.result}: why?`, client.explain_channel), h("span", { class: "sub" }, sums(client))];
  }
  const tone = speed(client.seconds);
  const slow = tone === "good" ? "" : tone === "warn" ? "fair" : "slow";
  return [
    h("span", { class: `nowrap is-${tone}` }, milliseconds(client.seconds), slow && ` ${slow}`),
    h("span", { class: "sub" }, sums(client)),
  ];
}

function sums(client) {
  const refused = client.asked - client.answered;
  if (!refused) return count(client.asked, "ECM");
  const words = count(refused, "NOK");
  const link = h("a", { href: client.explain, "aria-label": `${words} for ${client.account}, explained` }, words);
  return [count(client.asked, "ECM"), ", ", link];
}

function margin(value) {
  if (!value || value.margin === null) return [h("span", { class: "dim" }, "–")];
  const tone = value.margin < 0 ? "bad" : value.forecast ? "warn" : "good";
  const share = value.period ? Math.min(100, Math.max(0, (100 * value.margin) / value.period)) : 100;
  const left = value.margin < 0 ? `${(-value.margin).toFixed(1)} s late` : `${value.margin.toFixed(1)} s`;
  return [
    h("span", { class: `nowrap is-${tone}` }, left),
    value.period && h("span", { class: "dim nowrap" }, ` of ${value.period.toFixed(0)} s`),
    h("span", { class: `bar ${tone}` }, h("span", { style: { width: `${share}%` } })),
    value.forecast && h("span", { class: "sub is-warn" }, value.forecast),
  ];
}

function cardCount(client) {
  if (!client.cards) return chip("bad", "0 cards: why?", client.explain);
  return h("a", { href: client.explain, "aria-label": `${count(client.cards, "card")} for ${client.account}, explained` }, String(client.cards));
}

function notOn(absent) {
  const names = absent.map(({ account, explain }) => h("li", {}, h("a", { class: "chip", href: explain }, account)));
  return h("ul", { class: "absent" }, h("li", {}, "Not on:"), names);
}
