// Keeps a page that the server has drawn up to date.

import { patch } from "./dom.js";

const EVERY = 2000;

async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) patch(document.querySelector("main"), document.adoptNode(fresh.querySelector("main")));
  } catch {
    // The server is away: what is shown stays, and the next try comes soon.
  }
}

setInterval(refresh, EVERY);
