// Keeps a page that the server has drawn up to date.

import { showAway, showHere } from "./connection.js";
import { patch } from "./dom.js";

const EVERY = Number(document.querySelector("main").dataset.every);
// A page that was the answer to a form keeps but a part up to date, from another page.
const part = document.querySelector("[data-from]");
const PATIENCE = 10000; // for one answer
let asOf = Date.now() / 1000;

async function refresh() {
  try {
    const answer = await fetch(part?.dataset.from ?? location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const where = part ? `#${part.id}` : "main";
    patch(document.querySelector(where), document.adoptNode(fresh.querySelector(where)));
    asOf = Date.parse(answer.headers.get("date")) / 1000;
    showHere();
  } catch {
    showAway(asOf);
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, part ? 0 : EVERY);
