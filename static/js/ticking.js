// Durations that run: <span class="span" data-since="epoch ms"> shows the time since then, once a second.
// They stand still while the page is stale, because then nobody knows whether the work goes on.
(() => {
  const DAY = 86400;

  function parts(seconds) {
    const two = (n) => String(n).padStart(2, "0");
    const s = Math.max(0, Math.floor(seconds));
    if (s < 3600) return [[Math.floor(s / 60), "m"], [two(s % 60), "s"]];
    if (s < DAY) return [[Math.floor(s / 3600), "h"], [two(Math.floor((s % 3600) / 60)), "m"]];
    return [[Math.floor(s / DAY), "d"], [two(Math.floor((s % DAY) / 3600)), "h"]];
  }

  function draw(element) {
    const nodes = [];
    for (const [number, unit] of parts((Date.now() - Number(element.dataset.since)) / 1000)) {
      if (nodes.length) nodes.push(" ");
      const mark = document.createElement("i");
      mark.textContent = unit;
      nodes.push(String(number), mark);
    }
    element.replaceChildren(...nodes);
  }

  function tick() {
    if (document.body.dataset.live === "stale" || document.hidden) return;
    document.querySelectorAll("[data-since]").forEach(draw);
  }

  document.addEventListener("visibilitychange", tick);
  document.addEventListener("htmx:after:swap", tick);
  setInterval(tick, 1000);
  tick();
})();
