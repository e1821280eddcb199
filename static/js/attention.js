// Answers by keyboard: 1, 2, 3 press the buttons of the first question that waits, unless the focus is
// somewhere else; Ctrl Enter in a field sends what was
// written there. A form with data-clears is empty again when that has been taken.
(() => {
  const PAUSE_MS = 800;
  const LATE_MS = 5000;
  const isField = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const send = event.target.closest("[data-words]")?.querySelector("[data-send]");
      if (!send) return;
      event.preventDefault();
      send.click();
    }
    if (!keys.isOn() || event.ctrlKey || event.metaKey || event.altKey || event.repeat || isField(event.target) || document.querySelector("dialog[open]")) return;
    if (document.body.dataset.role === "viewer") return;
    if (event.target !== document.body && !event.target.closest(".attention")) return;
    document.querySelector(`[data-question] [data-answer="${CSS.escape(event.key)}"]`)?.click();
  });

  // The next question takes the place of the one that was answered: a second press right after is not meant for it.
  let answered = { id: "", at: -PAUSE_MS };
  document.addEventListener("click", (event) => {
    const id = event.target.closest("[data-asks]")?.dataset.asks;
    if (!id) return;
    if (id !== answered.id && event.timeStamp - answered.at < PAUSE_MS) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else {
      answered = { id, at: event.timeStamp };
    }
  }, true);

  // Whoever has answered with the focus on a button goes on from a place that is still there, but from no button.
  let answering = null;  // the question that is being answered, until it is gone
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    const question = ctx.sourceElement.closest(".attention");
    if (question) answering = { id: question.id, at: performance.now() };
  });
  document.addEventListener("htmx:after:swap", () => {
    if (!answering || document.getElementById(answering.id)) return;
    const isLate = performance.now() - answering.at > LATE_MS;
    answering = null;
    if (isLate || document.activeElement !== document.body) return;
    (document.querySelector("[data-question]") ?? document.querySelector("[data-tabs] [aria-selected=true]"))?.focus({ preventScroll: true });
  });

  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    const form = ctx.sourceElement.closest("[data-clears]");
    if (form && ctx.response.status < 300) form.reset();
  });
})();
