// Answers by keyboard: 1, 2, 3 press the buttons of the first question that waits; Ctrl Enter in a field sends what was
// written there. A form with data-clears is empty again when that has been taken.
(() => {
  const isField = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const send = event.target.closest("[data-words]")?.querySelector("[data-send]");
      if (!send) return;
      event.preventDefault();
      send.click();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target) || document.querySelector("dialog[open]")) return;
    if (document.body.dataset.role !== "operator") return;
    document.querySelector(`[data-question] [data-answer="${CSS.escape(event.key)}"]`)?.click();
  });

  // Whoever has answered with the focus on a button goes on from a place that is still there.
  let answering = false;
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => { answering = ctx.sourceElement.closest(".attention") !== null; });
  document.addEventListener("htmx:after:swap", () => {
    if (!answering || document.activeElement !== document.body) return;
    answering = false;
    (document.querySelector("[data-question] [data-answer]") ?? document.querySelector("[data-tabs] [aria-selected=true]"))?.focus({ preventScroll: true });
  });

  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    const form = ctx.sourceElement.closest("[data-clears]");
    if (form && ctx.response.status < 300) form.reset();
  });
})();
