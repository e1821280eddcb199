// Reordering the queue by drag. The row is put where it was dropped; the server's answer draws the order that is true.
(() => {
  let sortable = null;

  function grabbed(on) {
    if (on) document.body.dataset.grabbed = "true";
    else delete document.body.dataset.grabbed;
    if (!on) document.body.dispatchEvent(new CustomEvent("queue:released"));
  }

  function dropped(event) {
    const row = event.item;
    delete document.body.dataset.grabbed; // the reply to the move draws the queue
    if (event.oldDraggableIndex === event.newDraggableIndex) return grabbed(false);
    const rows = [...row.parentElement.querySelectorAll(".queue-row")], above = rows[rows.indexOf(row) - 1];
    const values = above ? { after: above.dataset.entry } : { before: rows[1].dataset.entry };
    return htmx.ajax("POST", row.dataset.move, { source: row, swap: "none", values }).finally(() => grabbed(false));
  }

  function bind() {
    const list = document.querySelector("[data-sortable]");
    if (!list || sortable?.el === list || document.body.dataset.role === "viewer") return;
    sortable?.destroy();
    sortable = new Sortable(list, {
      handle: "[data-grip]",
      draggable: ".queue-row",
      animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200,
      forceFallback: true, // the same on every browser, and it can be driven by keyboard-less tests
      fallbackTolerance: 3,
      onStart: () => grabbed(true),
      onEnd: dropped,
    });
  }

  document.addEventListener("htmx:after:swap", bind);
  document.addEventListener("DOMContentLoaded", bind);
})();
