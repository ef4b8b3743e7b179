// Gets new values: server-sent events while they work, polling while they do not.

const POLL_EVERY = 3000;
const PATIENCE = 15000; // without a word for so long, the stream counts as lost

export function watch(parts, { onPart, onState }) {
  let heardAt = Date.now();
  let polling = null;

  const take = (name, value) => {
    heardAt = Date.now();
    onPart(name, value);
  };

  const poll = async () => {
    try {
      const answer = await fetch("/live/view.json", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const view = await answer.json();
      for (const name of parts) take(name, view[name]);
      onState("polling");
    } catch {
      onState("lost");
    }
  };

  const startPolling = () => {
    if (polling) return;
    poll();
    polling = setInterval(poll, POLL_EVERY);
  };

  const stopPolling = () => {
    clearInterval(polling);
    polling = null;
  };

  const open = () => {
    const stream = new EventSource("/live/events");
    stream.addEventListener("open", () => {
      stopPolling();
      onState("live");
    });
    for (const name of parts) {
      stream.addEventListener(name, (event) => take(name, JSON.parse(event.data)));
    }
    stream.addEventListener("error", () => {
      startPolling();
      // The browser tries again by itself, unless it has given up for good.
      if (stream.readyState === EventSource.CLOSED) setTimeout(open, PATIENCE);
    });
  };

  open();
  setInterval(() => {
    if (Date.now() - heardAt > PATIENCE) startPolling();
  }, POLL_EVERY);
}
