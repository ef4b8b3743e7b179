// Follows the log: lines come as they are written; the oldest go.

const MOST = 2000; // lines that are kept on the page
const NEAR = 40; // pixels from the end within which somebody reads along

const log = document.getElementById("log");
const following = document.getElementById("following");

function tell(text) {
  if (following.textContent !== text) following.textContent = text;
}

function add(text) {
  const readsAlong = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
  const line = document.createElement("li");
  line.textContent = text;
  log.append(line);
  while (log.children.length > MOST) log.firstChild.remove();
  if (readsAlong) log.scrollTop = log.scrollHeight;
}

const query = new URLSearchParams(log.dataset.query);
query.set("since", log.dataset.since);
const stream = new EventSource(`/manage/log/events?${query}`);
stream.addEventListener("open", () => tell("Lines appear as they are written."));
stream.addEventListener("line", (event) => add(JSON.parse(event.data)));
stream.addEventListener("error", () => tell("Connection lost, trying again."));
log.scrollTop = log.scrollHeight;
