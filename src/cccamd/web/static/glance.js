// The figures on top, and what is wrong.

import { h } from "./dom.js";
import { chip, count, counting, duration, milliseconds, moment, speed } from "./format.js";

const SHOWN = 8; // incidents; the others are one click away

export function glance({ server }) {
  const { accounts, receivers_on, sources, sources_up, cards, usual_seconds, asked, answered, froze, frozen } = server;
  const refused = asked - answered;
  return [
    figure("Receivers on", receivers_on, `of ${count(accounts, "account")}`),
    figure("Sources up", sources_up, `of ${sources}`, sources_up < sources && "bad"),
    figure("Cards", cards.toLocaleString("en"), !cards && why("why?"), !cards && "bad"),
    figure("Last answers", milliseconds(usual_seconds), usual_seconds !== null && "median", usual_seconds !== null && speed(usual_seconds)),
    figure("ECMs answered", share(answered, asked), refused > 0 && why(count(refused, "NOK"))),
    figure("Freezes", froze, froze > 0 && why("what happened", "/freezes"), froze && (frozen ? "bad" : "warn")),
  ];
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

export function incidents(view) {
  const all = view.rows("incidents").sort((a, b) => a.place - b.place);
  const open = all.filter((one) => one.ended_at === null);
  const over = all.filter((one) => one.ended_at !== null);
  const rows = open.slice(0, SHOWN).map(incident);
  if (!open.length) rows.push(h("li", { class: "good", "data-key": "well" }, h("span", { class: "what" }, "Nothing is wrong that this server knows of.")));
  if (open.length > SHOWN) rows.push(folded("more", `${count(open.length - SHOWN, "more incident")}`, open.slice(SHOWN).map(incident)));
  if (over.length) rows.push(folded("over", `${count(over.length, "incident")} that ${over.length === 1 ? "is" : "are"} over`, over.map(past)));
  return rows;
}

// Who is not let in, or waits, for logins that failed.
export function penalties(view) {
  const { banned, slowed } = view.server;
  if (!banned && !slowed) return [];
  const rows = view.rows("penalties").sort((a, b) => a.place - b.place);
  const counts = [banned && `${banned.toLocaleString("en")} banned`, slowed && `${slowed.toLocaleString("en")} waiting`].filter(Boolean);
  const more = banned + slowed - rows.length;
  return [
    h("p", { class: "config-head" }, h("strong", {}, "Failed logins"), chip(banned ? "warn" : "", banned ? "banned" : "slowed"), h("span", { class: "dim" }, counts.join(", "))),
    h("details", { class: "small", "data-key": "details" }, h("summary", {}, "Who"), h("ul", { class: "steps" }, rows.map(penalty), more > 0 && h("li", { class: "dim" }, `and ${more.toLocaleString("en")} more`))),
  ];
}

function penalty({ who, kind, doors, user, tries, bans, until, link }) {
  const last = user && user !== who ? `, the last as ${user}` : "";
  const often = bans > 1 ? `, ban number ${bans}` : "";
  const words = ` ${kind} until ${moment(until)}: ${count(tries, "failed login")}${doors.length ? ` (${doors.join(", ")})` : ""}${last}${often}`;
  return h("li", {}, link ? h("a", { href: link }, who) : h("strong", {}, who), words);
}

function folded(key, summary, rows) {
  return h("li", { class: "folded", "data-key": key }, h("details", {}, h("summary", {}, summary), h("ul", {}, rows)));
}

function incident(one) {
  const names = one.sufferers.slice(0, 8).join(", ") + (one.suffering > 8 ? ` and ${count(one.suffering - 8, "other")}` : "");
  const words = [...one.evidence.map((line) => h("li", {}, line)), one.suffering > 0 && h("li", {}, `In trouble for it: ${names}`)].filter(Boolean);
  return h(
    "li",
    { class: "bad", "data-key": `open ${one.number}` },
    h("span", { class: "label is-bad" }, one.cause),
    h("span", { class: "what" }, h("strong", {}, one.subject), ` ${one.text}`, one.times > 1 && ` (${one.times} times)`),
    h("span", { class: "since" }, counting(one.began_at, "for"), one.suffering > 0 && `, ${count(one.suffering, "receiver")}`),
    h("a", { href: one.link, "aria-label": `Why? ${one.subject} ${one.text}` }, "Why?"),
    one.change && h("p", { class: "todo" }, h("span", { class: "label" }, "What to do"), ` ${one.change}`),
    words.length > 0 && h("details", { class: "evidence" }, h("summary", {}, "Evidence"), h("ul", {}, words)),
  );
}

function past(one) {
  const lasted = duration(one.ended_at - one.began_at);
  return h(
    "li",
    { "data-key": `over ${one.number}` },
    chip("", one.cause),
    h("span", { class: "what" }, h("strong", {}, one.subject), ` ${one.text}`),
    h("span", { class: "since" }, `${moment(one.began_at)}, for ${lasted}`),
  );
}

// Whether the server runs with what its files say.
export function config(view) {
  const { taken, refusal, refused_since, read_at, problems, left_out, not_done, waiting, doubtful, changes } = view.table("config").get("");
  const counts = [
    not_done && `${not_done} not done`,
    left_out && `${left_out} left out`,
    waiting && `${count(waiting, "setting")} ${waiting === 1 ? "waits" : "wait"} for a restart`,
    doubtful && `${doubtful} doubtful`,
  ].filter(Boolean);
  const tone = !taken || not_done ? "bad" : counts.length ? "warn" : "good";
  const words = [counts.join(", ") || (taken ? "in use as it stands in the files" : ""), read_at > 0 && `read ${moment(read_at)}`].filter(Boolean);
  const details = [...problems.map(problem), ...changes.map((text) => h("li", {}, `changed by the last reload: ${text}`))];
  return [
    h(
      "p",
      { class: "config-head" },
      h("strong", {}, "Configuration"),
      chip(tone, taken ? (counts.length ? "look" : "fine") : "refused"),
      h("span", { class: "dim" }, words.join(", ")),
    ),
    !taken && h("p", { class: "is-bad" }, `The files were not taken${refused_since ? ` since ${moment(refused_since)}` : ""}, and the ones before are in use: ${refusal}`),
    details.length > 0 && h("details", { class: "small", "data-key": "details" }, h("summary", {}, problems.length ? count(problems.length, "place") + " in the files" : "What changed last"), h("ul", { class: "steps" }, details)),
  ];
}

function problem({ kind, file, line, text }) {
  return h("li", {}, h("code", {}, line === null ? file : `${file}:${line}`), ` ${kind}: ${text}`);
}
