// Keeps a page that the server has drawn up to date.

import { showAway, showHere } from "./connection.js";
import { patch } from "./dom.js";

const EVERY = Number(document.querySelector("main").dataset.every);
const PATIENCE = 10000; // for one answer
let asOf = Date.now() / 1000;

async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    patch(document.querySelector("main"), document.adoptNode(fresh.querySelector("main")));
    asOf = Date.parse(answer.headers.get("date")) / 1000;
    showHere();
  } catch {
    showAway(asOf);
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, EVERY);
