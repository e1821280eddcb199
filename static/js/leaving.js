// The card of an ended worker leaves the list when its time is over: data-leaves = epoch ms.
(() => {
  function sweep() {
    if (document.body.dataset.live === "stale") return;
    for (const card of document.querySelectorAll("[data-leaves]")) card.hidden = Number(card.dataset.leaves) <= Date.now();
  }

  document.addEventListener("htmx:after:swap", sweep);
  setInterval(sweep, 1000);
  sweep();
})();
