// What happened lately, and freezes.

import { h } from "./dom.js";
import { channelName, chip, explainLink, fullMoment, moment } from "./format.js";

const WORDS = { good: "good news", bad: "trouble", plain: "" };

const FREEZES = 4; // the others are on their own page

export function lately(view) {
  const notes = view.rows("notes").sort((a, b) => b.at - a.at);
  if (!notes.length) return [h("p", { class: "empty" }, "Nothing yet.")];
  return [h("ol", { class: "panel lately", tabindex: 0, "aria-label": "What happened lately, the newest first" }, notes.map(note))];
}

function note(one) {
  return h(
    "li",
    {},
    h("time", { class: "when", title: fullMoment(one.at) }, moment(one.at)),
    h("span", { class: `mark ${one.tone}`, role: WORDS[one.tone] ? "img" : null, "aria-label": WORDS[one.tone] || null }),
    h(
      "span",
      {},
      h("strong", {}, one.subject),
      ` ${one.text}`,
      one.service && ` ${channelName(one.service)}`,
      one.times > 1 && h("span", { class: "dim" }, ` (${one.times} times)`),
      isRefusal(one) && [" ", h("a", { href: explainLink(one), "aria-label": `Why? ${one.subject} ${one.text}` }, "why?")],
    ),
  );
}

function isRefusal({ tone, service }) {
  return tone === "bad" && service;
}

export function freezes(view) {
  const past = view.rows("freezes").sort((a, b) => a.over - b.over || b.at - a.at);
  const rest = past.length > FREEZES && h("p", { class: "rest" }, h("a", { href: "/freezes" }, `All ${view.server.froze} freezes`));
  if (past.length) return [h("ul", { class: "freezes" }, past.slice(0, FREEZES).map(freeze)), rest];
  const watched = view.server.watching ? " since the server was started" : ", and nobody watches anything";
  return [h("p", { class: "notice good" }, `No picture has frozen${watched}.`)];
}

function freeze(one) {
  const about = `for ${one.seconds.toFixed(1)} s${one.over ? "" : " until now"}`;
  return h(
    "li",
    { class: "panel freeze", "data-key": `${one.at} ${one.account}` },
    h("h3", {}, `${one.account} on ${channelName(one)}`),
    h("p", {}, chip(one.over ? "warn" : "bad", one.over ? "froze" : "is frozen"), ` at ${moment(one.at)} ${about}: ${one.cause}`),
    h("p", { class: "small" }, h("strong", {}, one.verdict), one.source && ` (${one.source})`, ". ", one.number > 0 && [h("a", { href: `/freezes/${one.number}`, "aria-label": `Whose fault? ${one.account} at ${moment(one.at)}` }, "Whose fault?"), " "], h("a", { href: explainLink({ account: one.account, service: one }), "aria-label": `Explain ${one.account} on ${channelName(one)}` }, "Explain")),
    one.around.length > 0 && around(one.around),
  );
}

function around(lines) {
  return h(
    "details",
    { class: "small" },
    h("summary", {}, "What happened around it"),
    h("ol", { class: "steps" }, lines.map((line) => h("li", {}, line))),
  );
}
