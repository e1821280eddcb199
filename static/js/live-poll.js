// Where no WebSocket gets through, the page asks for its regions at once and then every 2 s, until one does.
(() => {
  const EVERY = 2000, PATIENCE = 4000; // ms
  let next = setTimeout(watch, EVERY), turn = 0;
  const url = `/live/poll?topics=${encodeURIComponent(document.body.dataset.topic)}`;

  async function poll() {
    const mine = ++turn;
    const reply = await fetch(url, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(PATIENCE) });
    if (reply.status === 401) return live.signedOut();
    const text = await reply.text();
    if (!reply.ok || live.isOpen() || mine !== turn) return; // what the socket or a later reply brings is newer
    const place = live.place();
    await htmx.swap({ sourceElement: place, target: place, swap: "none swapEmpty:false", text });
    document.body.dispatchEvent(new CustomEvent("live:heard"));
  }

  async function watch() {
    if (!live.isOpen()) await poll().catch(() => {}); // nobody there: the badge says so, and the next turn asks again
    clearTimeout(next);
    next = setTimeout(watch, EVERY);
  }

  document.body.addEventListener("live:lost", watch, { once: true });
})();
