// Makes the forms kinder; without it they work as well.

// Nothing is sent twice by a double click.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) return event.preventDefault();
  event.target.dataset.sent = "yes";
});
// Who comes back to a page may send again.
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// A click marks all of what is to be entered; a button copies it where the browser lets it.
for (const text of document.querySelectorAll(".recipe pre")) {
  text.addEventListener("click", () => getSelection().selectAllChildren(text));
  if (!navigator.clipboard) continue;
  const button = document.createElement("button");
  button.className = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${text.getAttribute("aria-label").toLowerCase()}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  });
  text.after(button);
}
