// What is sent of the queue waits while a row of it is grabbed, and while one is being removed; then the page asks for the
// newest. It asks too after the reply to an action: that may be older than what the socket brought in the meantime.
(() => {
  const body = document.body;

  htmx.registerExtension("keep-open", { // what somebody has opened stays open
    htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.matches("details, dialog")),
  });

  document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
    const waits = body.dataset.grabbed || (body.dataset.removing && ctx.sourceElement === live.place());
    if (!waits) return;
    for (const task of tasks.filter((one) => one.target?.id === "queue")) tasks.splice(tasks.indexOf(task), 1);
  });

  body.addEventListener("queue:released", () => live.ask());
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.sourceElement !== live.place() && ctx.text?.includes("<hx-partial")) live.ask();
  });
})();
