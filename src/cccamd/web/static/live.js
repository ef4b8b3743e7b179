// Gets the view: server-sent events while they work, polling while they do not.

import { View } from "./state.js";

const RETRY_EVERY = 2000;
const POLL_EVERY = 3000;
const STREAM_AGAIN = 15000; // where streams do not get through, another is tried so much later
const PATIENCE = 8000; // a stream that says nothing for so long, not even a pulse, is dead

export function watch({ onChange, onState }) {
  const view = new View();
  let stream = null;
  let heardAt = Date.now();
  let failedAt = -Infinity; // when a stream ended that had said nothing
  let next = null;

  const open = () => {
    let hasSpoken = false;
    const since = view.version ? `?since=${encodeURIComponent(view.version)}` : "";
    const opened = (stream = new EventSource(`/live/events${since}`));
    heardAt = Date.now();
    const listen = (name, take) =>
      opened.addEventListener(name, (event) => {
        if (opened !== stream) return;
        hasSpoken = true;
        heardAt = Date.now();
        take(event.data);
        onState("live");
      });
    listen("pulse", () => {});
    listen("whole", (data) => onChange(view, view.replace(JSON.parse(data))));
    listen("change", (data) => {
      const changed = view.change(JSON.parse(data));
      if (changed) return onChange(view, changed);
      // Something was missed: from the beginning again.
      view.version = "";
      close();
      open();
    });
    opened.addEventListener("error", () => {
      if (opened !== stream) return;
      if (!hasSpoken) failedAt = Date.now();
      close();
      poll();
    });
  };

  const close = () => {
    stream?.close();
    stream = null;
  };

  // Asks once; when there is an answer, the stream may work again as well.
  const poll = async () => {
    clearTimeout(next);
    let state = "lost";
    try {
      const answer = await fetch("/live/view.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error(answer.statusText);
      onChange(view, view.replace(await answer.json()));
      state = Date.now() - failedAt < STREAM_AGAIN ? "polling" : "again";
    } catch {
      // The server is away: what is shown stays, and the next try comes soon.
    }
    if (state === "again") return open();
    if (state === "lost") failedAt = -Infinity; // that says nothing about streams
    onState(state);
    next = setTimeout(poll, state === "lost" ? RETRY_EVERY : POLL_EVERY);
  };

  open();
  setInterval(() => {
    if (!stream || Date.now() - heardAt < PATIENCE) return;
    close();
    poll();
  }, 1000);
}
