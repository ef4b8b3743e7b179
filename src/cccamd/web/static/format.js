// Numbers and times in the words of this page. All times come from the server's clock.

import { h } from "./dom.js";

export const SLOW = 0.5; // seconds: above this a picture may freeze
const FAIR = 0.3;

// Whether something can be done from these pages.
export const isManaged = "managed" in document.body.dataset;

export function manageLink(account) {
  return `/manage/account?${new URLSearchParams({ name: account })}`;
}

let offset = 0;

export function setClock(serverSeconds) {
  offset = serverSeconds - Date.now() / 1000;
}

export function now() {
  return Date.now() / 1000 + offset;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function milliseconds(seconds) {
  if (seconds === null) return "–";
  const value = seconds * 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} ms`;
}

export function speed(seconds) {
  if (seconds > SLOW) return "bad";
  return seconds > FAIR ? "warn" : "good";
}

export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

export function shortClock(at) {
  return clock(at).slice(0, 5);
}

function day(at) {
  return new Date(at * 1000).toLocaleDateString("en-CA");
}

// The day only when it is not today.
export function moment(at) {
  return day(at) === day(now()) ? clock(at) : `${day(at).slice(5)} ${shortClock(at)}`;
}

export function fullMoment(at) {
  return `${day(at)} ${clock(at)}`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

const FORMS = {
  for: (at) => duration(now() - at),
  ago: (at) => (now() - at < 2 ? "now" : `${duration(now() - at)} ago`),
  in: (at) => (at <= now() ? "now" : `in ${duration(at - now())}`),
};

// A time that goes on counting by itself: "for", "ago" or "in".
export function counting(at, form) {
  return h("time", { "data-at": at, "data-form": form, title: fullMoment(at) }, FORMS[form](at));
}

export function count_on() {
  for (const element of document.querySelectorAll("time[data-form]")) {
    const text = FORMS[element.dataset.form](Number(element.dataset.at));
    if (element.textContent !== text) element.textContent = text;
  }
}

export function chip(tone, text, href) {
  return h(href ? "a" : "span", { class: `chip ${tone}`, href }, text);
}

// A channel's numbers as people write them.
export function channelId({ caid, ident, sid }) {
  return `${caid}:${ident}:${sid}`;
}

export function channelName(channel) {
  return channel.name || channelId(channel);
}

// Where the explanation for this account, source or channel is.
export function explainLink({ account, source, service }) {
  const query = new URLSearchParams();
  if (account) query.set("account", account);
  if (source) query.set("source", source);
  for (const part of service ? ["caid", "ident", "sid"] : []) query.set(part, service[part]);
  return `/explain?${query}`;
}
