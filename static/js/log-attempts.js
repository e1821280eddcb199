// Which attempt the log shows: the one that was clicked in the timeline, else always the newest, also of a later chunk.
(() => {
  const panel = document.querySelector("[data-log]");
  const chosen = new URLSearchParams(location.search).get("attempt");
  const name = panel.querySelector("[data-log-name]"), download = panel.querySelector("[data-log-download]");
  let shown = null, pinned = chosen !== null;

  const links = () => [...document.querySelectorAll("#main [data-attempt]:not([data-log])")];

  function open(id) {
    const link = links().find((one) => one.dataset.attempt === id);
    for (const one of links()) one.setAttribute("aria-current", String(one.dataset.attempt === id));
    if (link) name.textContent = link.dataset.label;
    if (id === shown) return;
    shown = id;
    download.href = panel.dataset.download.replace("/0/", `/${id}/`);
    panel.dispatchEvent(new CustomEvent("log:open", { detail: { attempt: id } }));
  }

  function newest() {
    const ids = links().map((link) => link.dataset.attempt);
    if (pinned) open(shown ?? panel.dataset.attempt);
    else if (ids.length) open(String(Math.max(...ids.map(Number))));
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-attempt]:not([data-log])");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const last = String(Math.max(...links().map((one) => Number(one.dataset.attempt))));
    pinned = link.dataset.attempt !== last;
    history.replaceState(null, "", pinned ? new URL(link.href).search : location.pathname);
    open(link.dataset.attempt);
  });
  document.addEventListener("htmx:after:swap", newest);
  if (panel.dataset.attempt) open(panel.dataset.attempt);
})();
