// The badge and the notice: connecting, live, or stale since the last sign of life. CSS shows what data-live says.
(() => {
  const SILENCE = 13_000; // ms; the server sends a beacon every 10 s
  const LOST = 4000; // ms without a connection until the page counts as stale
  const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
  const body = document.body;
  let heardAt = Date.now(), staleAt = heardAt + SILENCE;

  function show(state) {
    if (body.dataset.live === state) return;
    body.dataset.live = state;
    if (state !== "stale") return;
    for (const element of document.querySelectorAll("[data-stale-since]")) element.textContent = time.format(heardAt);
  }

  body.addEventListener("live:heard", () => {
    heardAt = Date.now();
    staleAt = heardAt + SILENCE;
    show("live");
  });
  body.addEventListener("live:lost", () => {
    staleAt = Math.min(staleAt, Date.now() + LOST);
    if (body.dataset.live === "live") show("connecting");
  });
  setInterval(() => { if (Date.now() > staleAt) show("stale"); }, 500);
})();
