// The overview: builds the sections once, then keeps each in step with its part of the view.

import { Cards } from "./cards.js";
import { Clients } from "./clients.js";
import { isAway, showAway, showHere } from "./connection.js";
import { h, patchChildren } from "./dom.js";
import { clock, count_on, counting, isManaged, setClock } from "./format.js";
import { fleet } from "./fleet.js";
import { config, glance, incidents, penalties } from "./glance.js";
import { freezes, lately } from "./lately.js";
import { watch } from "./live.js";
import { Network } from "./network.js";
import { Sources } from "./sources.js";
import { Times } from "./times.js";

const box = (id) => h("div", { id });

const boxes = {
  glance: h("dl", { class: "glance", id: "glance", "aria-label": "At a glance" }),
  incidents: h("ul", { class: "attention", id: "attention", "aria-label": "What is wrong" }),
  config: h("div", { class: "config", id: "config" }),
  penalties: h("div", { class: "config", id: "penalties" }),
  fleet: h("div", { class: "config", id: "fleet" }),
  freezes: box("freezes-box"),
  lately: box("lately-box"),
};
const clients = new Clients();
const sources = new Sources();
const cards = new Cards();
const network = new Network();
const times = new Times();
const state = h("span", { id: "state", class: "chip", role: "status" }, "connecting");
const facts = h("div", { class: "facts" }, state, h("span", { id: "facts" }));

const SECTIONS = [
  ["receivers", "Receivers", clients.element],
  ["sources", "Sources", sources.element],
  ["times", "Answer times", times.element, times.choices],
  ["network", "Network", network.element],
  ["cards", "Cards", cards.element],
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

const PAGES = [
  ["/", "Overview"],
  ["/explain", "Explain"],
  ["/freezes", "Freezes"],
  ["/doctor", "Doctor"],
  ["/journal", "Journal"],
  ...(isManaged ? [["/manage", "Manage"]] : []),
];

function link(href, text) {
  return h("li", {}, h("a", { href }, text));
}

function build() {
  document.documentElement.classList.add("live");
  const pages = PAGES.map(([href, title]) => h("a", { href, "aria-current": href === "/" ? "page" : null }, title));
  document.getElementById("top").append(h("nav", { class: "pages", "aria-label": "Pages" }, pages), facts);
  const links = SECTIONS.map(([id, title]) => link(`#${id}`, title));
  const nav = h(
    "nav",
    { class: "sections", "aria-label": "On this page" },
    h("ul", {}, links, link("#freezes", "Freezes"), link("#lately", "Lately")),
  );
  const main = document.getElementById("view");
  main.before(nav);
  main.replaceChildren(
    boxes.glance,
    boxes.incidents,
    boxes.config,
    boxes.penalties,
    boxes.fleet,
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

let troubles = 0;

function showTitle() {
  document.title = isAway() ? "(?) cccamd" : troubles ? `(${troubles}) cccamd` : "cccamd";
}

// What is drawn from which parts.
const DRAW = [
  [["server"], (view) => patchChildren(boxes.glance, glance(view))],
  [["incidents"], (view) => patchChildren(boxes.incidents, incidents(view))],
  [["config"], (view) => patchChildren(boxes.config, config(view))],
  [["server", "penalties"], (view) => patchChildren(boxes.penalties, penalties(view))],
  [["fleet", "fleet_nodes"], (view) => patchChildren(boxes.fleet, fleet(view))],
  [["clients"], (view) => clients.show(view)],
  [["absent"], (view) => clients.showAbsent(view)],
  [["sources"], (view) => sources.show(view)],
  [["cards"], (view) => cards.show(view)],
  [["nodes", "edges"], (view) => network.show(view)],
  [["freezes"], (view) => patchChildren(boxes.freezes, freezes(view))],
  [["notes"], (view) => patchChildren(boxes.lately, lately(view))],
];

const STATES = { live: ["good", "live"], polling: ["warn", "every 3 s"], lost: ["bad", "connection lost"] };
let asOf = 0;

build();
watch({
  onChange(view, changed) {
    asOf = view.server.at;
    setClock(asOf);
    showFacts(view.server);
    for (const [parts, draw] of DRAW) if (parts.some((part) => changed.has(part))) draw(view);
    troubles = view.rows("incidents").filter((one) => one.ended_at === null).length;
    showTitle();
  },
  onState(name) {
    if (name === "lost") showAway(asOf);
    else showHere();
    showTitle();
    const [tone, text] = STATES[name];
    state.className = `chip ${tone}`;
    if (state.textContent !== text) state.textContent = text;
  },
});
// What is not known any more does not go on counting.
setInterval(() => isAway() || count_on(), 1000);
