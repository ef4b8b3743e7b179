// Gets new values: server-sent events while they work, polling while they do not.

const RETRY_EVERY = 2000;
const POLL_EVERY = 3000;
const STREAM_AGAIN = 15000; // where streams do not get through, another is tried so much later
const PATIENCE = 15000; // without a word for so long, the connection counts as lost

export function watch(parts, { onPart, onState }) {
  let stream = null;
  let heardAt = Date.now();
  let failedAt = -Infinity; // when a stream ended that had said nothing
  let next = null;

  const open = () => {
    let hasSpoken = false;
    const opened = (stream = new EventSource("/live/events"));
    heardAt = Date.now();
    for (const name of parts) {
      opened.addEventListener(name, (event) => {
        if (opened !== stream) return;
        hasSpoken = true;
        heardAt = Date.now();
        onPart(name, JSON.parse(event.data));
        onState("live");
      });
    }
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
      const view = await answer.json();
      for (const name of parts) onPart(name, view[name]);
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
