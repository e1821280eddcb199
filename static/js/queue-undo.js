// A row that was removed from the queue is a strip with Undo for 8 s, in its own place, whatever is sent of the queue
// meanwhile: that is the same for all pages and does not have it. The focus goes to Undo, and from there to a row.
(() => {
  const STAYS = 8000;
  const body = document.body;
  const open = new Map(); // id of the strip → its timer
  const asked = new Set(); // requests to remove or to undo that have no reply yet
  let restored = null; // the spec whose row comes back

  function carry(fragment) {
    const list = fragment.querySelector("[data-sortable]");
    for (const strip of document.querySelectorAll("#queue [data-undo]")) {
      if (!open.has(strip.id) || fragment.getElementById(strip.id)) continue;
      const below = [...list.children].find((row) => row.dataset.order > strip.dataset.order);
      list.insertBefore(strip.cloneNode(true), below ?? null);
    }
  }

  function leave(strip) {
    open.delete(strip.id);
    const beside = strip.nextElementSibling ?? strip.previousElementSibling;
    if (strip.contains(document.activeElement)) (beside?.querySelector("button") ?? document.getElementById("queue-toggle")).focus();
    strip.remove();
  }

  function enter(strip) {
    const { id } = strip;
    open.set(id, setTimeout(() => leave(document.getElementById(id)), STAYS));
    document.getElementById("queue-said").textContent = strip.dataset.said;
    if (document.activeElement === body) strip.querySelector("button").focus(); // it was in the row
  }

  function cameBack(spec) {
    const row = document.querySelector(`.queue-row[data-spec="${spec}"] [data-grip]`); // none when it runs at once
    if (document.activeElement === body) (row ?? document.getElementById("queue-toggle")).focus();
  }

  document.addEventListener("htmx:before:swap", ({ detail: { tasks } }) => {
    for (const task of tasks) if (task.target?.id === "queue") carry(task.fragment);
  });
  document.addEventListener("htmx:after:swap", () => {
    for (const strip of document.querySelectorAll("#queue [data-undo]")) if (!open.has(strip.id)) enter(strip);
    if (restored) cameBack(restored);
    restored = null;
  });

  // Until the reply has come, what is sent of the queue waits: the row would vanish before its strip is there, or come
  // back beside it.
  const isOurs = ({ sourceElement, request }) =>
    sourceElement.closest("[data-undo]") || (request.method === "DELETE" && sourceElement.closest("[data-entry]"));
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (isOurs(ctx)) body.dataset.removing = asked.add(ctx).size;
  });
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    const strip = ctx.sourceElement.closest("[data-undo]");
    if (!strip || ctx.response.status >= 300) return;
    clearTimeout(open.get(strip.id));
    open.delete(strip.id);
    restored = strip.dataset.spec;
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (!asked.delete(ctx)) return;
    if (asked.size === 0) delete body.dataset.removing;
    body.dispatchEvent(new CustomEvent("queue:released"));
  });
})();
