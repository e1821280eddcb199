// Reordering the queue by keyboard on a row's grip: Space grabs and drops, arrows, Home and End move, Escape puts it
// back, Delete removes, 1 to 4 set the priority.
(() => {
  const PRIORITIES = { 1: -10, 2: 0, 3: 10, 4: 20 };
  let held = null; // { row, next: where it stood }

  const say = (text) => { document.getElementById("queue-said").textContent = text; };
  const rows = (list) => [...list.querySelectorAll(".queue-row")]; // there may be strips with Undo among them
  const near = (row, step) => rows(row.parentElement)[place(row) - 1 + step];
  const place = (row) => rows(row.parentElement).indexOf(row) + 1;
  const number = (list) => rows(list).forEach((row, n) => { row.querySelector(".queue-place").textContent = n + 1; });
  const send = (verb, url, row, values) => htmx.ajax(verb, url, { source: row, swap: "none", values });

  function grab(row) {
    held = { row, next: near(row, 1) };
    row.classList.add("is-grabbed");
    document.body.dataset.grabbed = "true";
    say(`${row.dataset.title} grabbed, position ${place(row)}.`);
  }

  async function release(keep) {
    const { row, next } = held;
    held = null;
    row.classList.remove("is-grabbed");
    delete document.body.dataset.grabbed; // the reply to the move draws the queue
    if (!keep) row.parentElement.insertBefore(row, next ?? null);
    number(row.parentElement);
    const said = keep ? `dropped, position ${place(row)}` : `is back at position ${place(row)}`; // it may start meanwhile
    const above = near(row, -1), below = near(row, 1);
    const grip = row.querySelector("[data-grip]");
    if (keep && below !== next && (above || below)) {
      await send("POST", row.dataset.move, row, above ? { after: above.dataset.entry } : { before: below.dataset.entry });
    }
    say(`${row.dataset.title} ${said}.`);
    document.body.dispatchEvent(new CustomEvent("queue:released"));
    document.getElementById(grip.id)?.focus();
  }

  function shift(row, key) {
    const list = row.parentElement, above = near(row, -1), below = near(row, 1);
    if (key === "ArrowUp") above?.before(row);
    if (key === "ArrowDown") below?.after(row);
    if (key === "Home") list.prepend(row);
    if (key === "End") list.append(row);
    number(list);
    row.querySelector("[data-grip]").focus();
    say(`Position ${place(row)}.`);
  }

  document.addEventListener("keydown", (event) => {
    const grip = event.target.closest?.("[data-grip]");
    if (!grip || document.body.dataset.role === "viewer" || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = grip.closest("[data-entry]");
    if (event.key === " " || (event.key === "Enter" && held)) held ? release(true) : grab(row);
    else if (event.key === "Escape" && held) release(false);
    else if (held && ["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) shift(held.row, event.key);
    else if (!held && ["ArrowUp", "ArrowDown"].includes(event.key)) {
      near(row, event.key === "ArrowUp" ? -1 : 1)?.querySelector("[data-grip]").focus();
    } else if (!held && event.key === "Delete") send("DELETE", row.dataset.remove, row);
    else if (!held && event.key in PRIORITIES) send("POST", row.dataset.priority, row, { priority: PRIORITIES[event.key] });
    else return;
    event.preventDefault();
  });

  document.addEventListener("focusout", (event) => {
    // Moving a row in the document takes the focus from it for a moment; only a real leave drops it.
    if (held && held.row.contains(event.target)) setTimeout(() => held && !held.row.contains(document.activeElement) && release(true));
  });
})();
