// The figures on top, and what somebody should look at.

import { h } from "./dom.js";
import { count, milliseconds, speed } from "./format.js";

export function glance({ server, freezes, clients, sources, cards }) {
  const asked = sum(clients, "ecms_asked");
  const answered = sum(clients, "ecms_answered");
  const refused = asked - answered;
  const froze = freezes.freezes.length;
  const on = new Set(clients.map((client) => client.account)).size;
  const up = sources.filter((source) => source.state === "up").length;
  const answers = clients.filter((client) => client.last_result === "CW").map((client) => client.last_seconds);
  const middle = answers.sort((a, b) => a - b)[Math.floor(answers.length / 2)] ?? null;
  return [
    figure("Receivers on", on, `of ${count(server.accounts.length, "account")}`),
    figure("Sources up", up, `of ${sources.length}`, up < sources.length && "bad"),
    figure("Cards", cards.total, !cards.total && why("why?"), !cards.total && "bad"),
    figure("Last answers", milliseconds(middle), answers.length && "median", middle && speed(middle)),
    figure("ECMs answered", share(answered, asked), refused && why(count(refused, "NOK"))),
    figure("Freezes", froze, froze && why("what happened", "/freezes"), froze && "bad"),
  ];
}

function sum(all, name) {
  return all.reduce((total, one) => total + one[name], 0);
}

function why(text, href = "/explain") {
  return h("a", { href }, text);
}

function share(part, whole) {
  if (!whole) return "–";
  const percent = (100 * part) / whole;
  return `${percent === 100 ? 100 : Math.min(99.9, percent).toFixed(1)} %`;
}

function figure(name, value, note, tone) {
  const style = tone && tone !== "good" ? `is-${tone}` : null;
  return h(
    "div",
    {},
    h("dt", {}, name),
    h("dd", { class: style }, String(value), note ? h("span", { class: "dim" }, " ", note) : null),
  );
}

const WORDS = { bad: "Trouble", warn: "Look" };

export function attention({ attention: { items, more } }) {
  const rows = items.map((item) =>
    h(
      "li",
      { class: item.tone },
      h("span", { class: `label is-${item.tone}` }, WORDS[item.tone]),
      h("span", { class: "what" }, h("strong", {}, item.subject), ` ${item.text}`),
      h("a", { href: item.link, "aria-label": `${item.action} ${item.subject} ${item.text}` }, item.action),
    ),
  );
  if (more) rows.push(h("li", {}, `and ${more} more`));
  return rows;
}
