// The overview: builds the sections once, then keeps each in step with its part of the view.

import { cards } from "./cards.js";
import { clients } from "./clients.js";
import { isAway, showAway, showHere } from "./connection.js";
import { h, patchChildren } from "./dom.js";
import { clock, count_on, counting, setClock } from "./format.js";
import { attention, glance } from "./glance.js";
import { freezes, lately } from "./lately.js";
import { watch } from "./live.js";
import { Network } from "./network.js";
import { sources } from "./sources.js";
import { Times } from "./times.js";

const view = {};
const box = (id, attributes = {}) => h("div", { id, ...attributes });

const boxes = {
  glance: h("dl", { class: "glance", id: "glance", "aria-label": "At a glance" }),
  attention: h("ul", { class: "attention", id: "attention", "aria-label": "Needs attention" }),
  clients: box("clients-box"),
  sources: box("sources-box"),
  cards: box("cards-box"),
  freezes: box("freezes-box"),
  lately: box("lately-box"),
};
const network = new Network();
const times = new Times();
const state = h("span", { id: "state", class: "chip", role: "status" }, "connecting");
const facts = h("div", { class: "facts" }, state, h("span", { id: "facts" }));

const SECTIONS = [
  ["receivers", "Receivers", boxes.clients],
  ["sources", "Sources", boxes.sources],
  ["times", "Answer times", times.element, times.choices],
  ["network", "Network", network.element],
  ["cards", "Cards", boxes.cards],
];

function section(id, title, body, head) {
  const heading = h("h2", { id: `${id}-title` }, title);
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    head ? h("div", { class: "section-head" }, heading, head) : heading,
    body,
  );
}

function link(href, text) {
  return h("li", {}, h("a", { href }, text));
}

function build() {
  document.documentElement.classList.add("live");
  document.getElementById("top").append(facts);
  const links = SECTIONS.map(([id, title]) => link(`#${id}`, title));
  const nav = h(
    "nav",
    { class: "sections", "aria-label": "On this page" },
    h("ul", {}, links, link("#freezes", "Freezes"), link("#lately", "Lately"), link("/explain", "Explain")),
  );
  const main = document.getElementById("view");
  main.before(nav);
  main.replaceChildren(
    boxes.glance,
    boxes.attention,
    ...SECTIONS.map((words) => section(...words)),
    h(
      "div",
      { class: "two" },
      section("freezes", "Freezes", boxes.freezes),
      section("lately", "What happened lately", boxes.lately),
    ),
    foot(),
  );
}

function foot() {
  const plain = ["clients", "activeclients", "servers", "shares", "providers", "entitlements"];
  return h(
    "p",
    { class: "foot" },
    h("span", {}, "Plain pages for older tools:"),
    plain.map((name) => h("a", { href: `/${name}` }, name)),
  );
}

function showFacts(server) {
  const target = document.getElementById("facts");
  patchChildren(target, [
    document.createTextNode("up "),
    counting(server.started_at, "for"),
    document.createTextNode(" · node "),
    h("span", { class: "mono" }, server.node_id),
  ]);
  state.title = `last look at ${clock(server.at)}`;
}

function showTitle() {
  const troubles = view.attention?.items.length ?? 0;
  document.title = isAway() ? "(?) cccamd" : troubles ? `(${troubles}) cccamd` : "cccamd";
}

// Which boxes are drawn from which parts.
const DRAW = {
  glance: [["server", "freezes", "clients", "sources", "cards"], glance],
  attention: [["attention"], attention],
  clients: [["server", "clients", "freezes"], clients],
  sources: [["sources"], sources],
  cards: [["cards"], cards],
  freezes: [["freezes"], freezes],
  lately: [["notes"], lately],
};
const PARTS = ["server", "attention", "freezes", "clients", "sources", "cards", "network", "notes"];

function draw(changed) {
  for (const [name, [needs, make]] of Object.entries(DRAW)) {
    const isReady = needs.every((part) => part in view);
    if (isReady && needs.includes(changed)) patchChildren(boxes[name], make(view));
  }
}

const STATES = { live: ["good", "live"], polling: ["warn", "every 3 s"], lost: ["bad", "connection lost"] };

build();
watch(PARTS, {
  onPart(name, value) {
    view[name] = value;
    if (name === "server") setClock(value.at);
    if (view.server) showFacts(view.server);
    if (name === "network") network.show(value);
    draw(name);
    showTitle();
  },
  onState(name) {
    if (name === "lost") showAway(view.server?.at ?? 0);
    else showHere();
    showTitle();
    const [tone, text] = STATES[name];
    state.className = `chip ${tone}`;
    if (state.textContent !== text) state.textContent = text;
  },
});
// What is not known any more does not go on counting.
setInterval(() => isAway() || count_on(), 1000);
