// What a page shows when it hears nothing more: the last good state, dimmed, with its time.

import { clock } from "./format.js";

const words = () => document.getElementById("away");

// `asOf` is when the server spoke last, in seconds since 1970; 0: never.
export function showAway(asOf) {
  document.documentElement.classList.add("away");
  const text = `${asOf ? `As of ${clock(asOf)}: connection` : "Connection"} lost, trying again.`;
  if (words().textContent !== text) words().textContent = text;
}

export function showHere() {
  document.documentElement.classList.remove("away");
  if (words().textContent) words().textContent = "";
}

export function isAway() {
  return document.documentElement.classList.contains("away");
}
