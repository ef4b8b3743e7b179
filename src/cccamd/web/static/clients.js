// Which receivers are on.

import { h } from "./dom.js";
import { channelId, channelName, chip, count, counting, explainLink, milliseconds, speed } from "./format.js";

const COLUMNS = ["Receiver", "Program", "Watching", "Last answer", "Margin", "Cards", "On for"];
const NUMBERS = new Set(["Cards"]);

export function clients({ server, clients: rows, freezes }) {
  const margins = new Map(freezes.channels.map((one) => [channelOf(one.account, one), one]));
  const parts = [rows.length ? table(rows, margins) : h("p", { class: "empty" }, "No receiver is logged in.")];
  const present = new Set(rows.map((client) => client.account));
  const absent = server.accounts.filter((account) => !present.has(account)).sort((a, b) => a.localeCompare(b));
  if (absent.length) parts.push(notOn(absent));
  return parts;
}

function channelOf(account, channel) {
  return `${account} ${channelId(channel)}`;
}

function table(rows, margins) {
  const heads = COLUMNS.map((name) => h("th", { scope: "col", role: "columnheader", class: NUMBERS.has(name) ? "num" : null }, name));
  return h(
    "div",
    { class: "panel table-box", tabindex: 0, role: "region", "aria-label": "Table of receivers" },
    h(
      "table",
      { class: "stack", role: "table", "aria-label": "Receivers that are logged in" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
      h("tbody", { role: "rowgroup" }, rows.map((client) => row(client, client.service && margins.get(channelOf(client.account, client.service))))),
    ),
  );
}

function cell(name, ...content) {
  const style = NUMBERS.has(name) ? "num" : null;
  return h("td", { role: "cell", "data-label": name, class: style }, h("div", {}, content));
}

function row(client, left) {
  return h(
    "tr",
    { role: "row", "data-key": `${client.account} ${client.node_id} ${client.port}` },
    h("th", { scope: "row", role: "rowheader" }, client.account, h("span", { class: "sub" }, client.address)),
    cell("Program", ...program(client)),
    cell("Watching", ...watching(client)),
    cell("Last answer", ...answer(client)),
    cell("Margin", ...margin(left)),
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
  const { service, last_source } = client;
  if (!service) return [h("span", { class: "dim" }, "nothing yet")];
  return [
    channelName(service),
    service.name && h("span", { class: "sub mono" }, channelId(service)),
    last_source && h("span", { class: "sub" }, `from ${last_source}`),
  ];
}

function answer(client) {
  const { last_result, last_seconds } = client;
  if (!last_result) return [h("span", { class: "dim" }, "–")];
  if (last_result !== "CW") {
    return [chip("bad", `${last_result}: why?`, explainLink(client)), h("span", { class: "sub" }, sums(client))];
  }
  const tone = speed(last_seconds);
  const slow = tone === "good" ? "" : tone === "warn" ? "fair" : "slow";
  return [
    h("span", { class: `nowrap is-${tone}` }, milliseconds(last_seconds), slow && ` ${slow}`),
    h("span", { class: "sub" }, sums(client)),
  ];
}

function sums(client) {
  const refused = client.ecms_asked - client.ecms_answered;
  const asked = count(client.ecms_asked, "ECM");
  if (!refused) return asked;
  const words = count(refused, "NOK");
  const link = h("a", { href: explainAccount(client), "aria-label": `${words} for ${client.account}, explained` }, words);
  return [asked, ", ", link];
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

function explainAccount({ account }) {
  return explainLink({ account });
}

function cardCount(client) {
  if (!client.cards) return chip("bad", "0 cards: why?", explainAccount(client));
  return h("a", { href: explainAccount(client), "aria-label": `${count(client.cards, "card")} for ${client.account}, explained` }, String(client.cards));
}

function notOn(absent) {
  const names = absent.map((account) => h("li", {}, h("a", { class: "chip", href: explainLink({ account }) }, account)));
  return h("ul", { class: "absent" }, h("li", {}, "Not on:"), names);
}
