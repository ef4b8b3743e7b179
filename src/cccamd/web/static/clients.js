// Which receivers are on.

import { h } from "./dom.js";
import { channelId, channelName, chip, count, counting, explainLink, isManaged, manageLink, milliseconds, speed } from "./format.js";
import { Rows, byNumber, byText, byTrouble, facts } from "./rows.js";

export class Clients {
  #rows = new Rows({
    name: "receivers",
    one: "receiver",
    empty: "No receiver is logged in.",
    label: (client) => client.account,
    columns: [
      { name: "Receiver", sortName: "Trouble first", cells: who, by: byTrouble((client) => client.account) },
      { name: "Watching", cells: watching, by: byText((client) => (client.service ? channelName(client.service) : "")) },
      { name: "Last answer", cells: answer, by: byNumber((client) => -(client.last_seconds ?? -1)), style: "num" },
      { name: "Margin", cells: margin, by: byNumber((client) => client.margin) },
      { name: "Cards", cells: cardCount, by: byNumber((client) => client.cards), style: "num" },
      { name: "Asked", cells: (client) => counting(client.heard_at, "ago"), by: byNumber((client) => -client.heard_at), style: "num" },
    ],
    filters: [
      { text: "All", keep: () => true },
      { text: "In trouble", keep: (client) => client.weight > 0 },
      { text: "Watching", keep: (client) => client.margin !== null },
    ],
    search: ({ account, address, program, version, node_id, last_source, trouble, service, services }) =>
      [account, address, program, version, node_id, last_source, trouble, service?.name, service && channelId(service), ...services.map(channelName)].join(" "),
    detail,
  });
  #absent = h("details", { class: "absent" });

  constructor() {
    this.element = h("div", {}, this.#rows.element, this.#absent);
  }

  show(view) {
    this.#rows.show(view.table("clients"));
  }

  showAbsent(view) {
    const { accounts, receivers_on } = view.server;
    const names = view.rows("absent").map(({ account }) => account).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    this.#absent.hidden = !names.length;
    const links = names.map((account) => h("li", {}, h("a", { class: "chip", href: explainLink({ account }) }, account)));
    const left = accounts - receivers_on - names.length;
    const rest = left > 0 && h("li", {}, `and ${count(left, "other")}`);
    this.#absent.replaceChildren(h("summary", {}, `${count(names.length + Math.max(0, left), "account")} not on`), h("ul", { "aria-label": "Not on" }, links, rest));
  }
}

function who({ account, address, weight, trouble }) {
  return [h("strong", {}, account), weight > 0 && chip(weight === 2 ? "bad" : "warn", trouble), h("span", { class: "sub" }, address)];
}

function watching({ service, services, last_source }) {
  if (services.length > 1) return [count(services.length, "service"), h("span", { class: "sub" }, "at once, over dvbapi")];
  if (!service) return h("span", { class: "dim" }, "nothing yet");
  return [channelName(service), last_source && h("span", { class: "sub" }, `from ${last_source}`)];
}

function answer(client) {
  const { last_result, last_seconds } = client;
  if (!last_result) return h("span", { class: "dim" }, "–");
  if (last_result !== "CW") return chip("bad", `${last_result}: why?`, explainLink(client));
  const tone = speed(last_seconds);
  const slow = tone === "good" ? "" : tone === "warn" ? "fair" : "slow";
  const isPlain = tone === "good" && client.weight === 2;
  return h("span", { class: `nowrap ${isPlain ? "" : `is-${tone}`}` }, milliseconds(last_seconds), slow && ` ${slow}`);
}

// Nothing is green at a receiver whose picture stands still, or that gets nothing.
function margin({ margin: left, period, forecast, weight, frozen }) {
  if (left === null) return h("span", { class: "dim" }, "–");
  const tone = left < 0 || frozen ? "bad" : forecast || weight === 2 ? "warn" : "good";
  const share = period ? Math.min(100, Math.max(0, (100 * left) / period)) : 100;
  return [
    h("span", { class: `nowrap is-${tone}` }, left < 0 ? `${(-left).toFixed(1)} s late` : `${left.toFixed(1)} s`),
    period && h("span", { class: "dim nowrap" }, ` of ${period.toFixed(0)} s`),
    h("span", { class: `bar ${tone}` }, h("span", { style: { width: `${share}%` } })),
  ];
}

function cardCount(client) {
  if (!client.cards) return chip("bad", "0 cards: why?", explainLink({ account: client.account }));
  const href = explainLink({ account: client.account });
  return h("a", { href, "aria-label": `${count(client.cards, "card")} for ${client.account}, explained` }, String(client.cards));
}

function descrambled(one) {
  const where = one.ecm_pid ? `ECM PID ${one.ecm_pid}, adapter ${one.adapter}` : "no card may open it";
  const last = !one.last_result ? "" : one.last_result === "CW" ? `, ${milliseconds(one.last_seconds)} from ${one.last_source}` : `, ${one.last_result}`;
  return [channelName(one), h("span", { class: "sub" }, `${where}${last}`)];
}

function detail(client) {
  const { account, service } = client;
  const refused = client.ecms_asked - client.ecms_answered;
  const nodes = count(refused, "NOK");
  const explained = h("a", { href: explainLink({ account }), "aria-label": `${nodes} for ${account}, explained` }, nodes);
  return facts([
    client.forecast && ["Margin", h("span", { class: "is-warn" }, client.forecast)],
    client.services.length > 0 && ["Services", h("ul", {}, client.services.map((one) => h("li", {}, descrambled(one))))],
    service?.name && ["Channel", h("span", { class: "mono" }, channelId(service))],
    ["Asked", count(client.ecms_asked, "ECM"), refused > 0 && [", ", explained]],
    ["On for", counting(client.connected_at, "for")],
    ["Address", `${client.address}, port ${client.port}`],
    ["Program", client.program || `CCcam ${client.version}`],
    ["Protocol", [client.version, client.revision, client.extended && "extended"].filter(Boolean).join(", ")],
    client.paired && ["Link", `TLS, paired as ${client.paired}`],
    ["Node", h("span", { class: "mono" }, client.node_id)],
    ["Why", h("a", { href: explainLink({ account }) }, `Explain ${account}`)],
    isManaged && ["Do", h("a", { href: manageLink(account) }, `Manage ${account}`)],
  ]);
}
