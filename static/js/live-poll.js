// Where no WebSocket gets through, the page asks for its regions every 2 s, until one does.
(() => {
  const EVERY = 2000, PATIENCE = 4000; // ms
  const url = `/live/poll?topics=${encodeURIComponent(document.body.dataset.topic)}`;

  async function poll() {
    const reply = await fetch(url, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(PATIENCE) });
    if (reply.status === 401) return live.signedOut();
    const text = await reply.text();
    if (!reply.ok || live.isOpen()) return; // what the socket brought is newer
    const place = live.place();
    await htmx.swap({ sourceElement: place, target: place, swap: "none swapEmpty:false", text });
    document.body.dispatchEvent(new CustomEvent("live:heard"));
  }

  async function watch() {
    if (!live.isOpen()) await poll().catch(() => {}); // nobody there: the badge says so, and the next turn asks again
    setTimeout(watch, EVERY);
  }

  setTimeout(watch, EVERY);
})();
