// What is folded in the conversation: "Unfold all", also for what comes later, and a heading over tool calls in a row.
(() => {
  const list = document.getElementById("conversation"), button = document.querySelector("[data-unfold]");
  const known = new WeakSet(); // what has been unfolded, or not, by itself; from then on it is the reader's
  const folds = () => list.querySelectorAll("details");
  const unfolds = () => button.getAttribute("aria-pressed") === "true";

  function rows() { // the tool calls in a row, two at least
    const found = [[]];
    for (const entry of list.children) {
      if (entry.dataset.entry === "tool") found.at(-1).push(entry);
      else if (found.at(-1).length) found.push([]);
    }
    return found.filter((row) => row.length > 1);
  }

  function head() {
    const heads = new Map(rows().map((row) => [row[0], row]));
    for (const entry of list.querySelectorAll("[data-entry=tool]")) {
      const row = heads.get(entry);
      entry.toggleAttribute("data-heads", row !== undefined);
      if (!row) continue;
      const folded = row.filter((call) => !call.querySelector("details").open).length;
      entry.querySelector("[data-count]").textContent = `${row.length} tool calls`;
      entry.querySelector("[data-folded]").textContent = folded ? `${folded} folded` : "";
    }
  }

  function draw() {
    for (const fold of folds()) {
      if (!known.has(fold) && unfolds()) fold.open = true;
      known.add(fold);
    }
    head();
  }

  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!unfolds()));
    for (const fold of folds()) fold.open = unfolds();
  });
  list.addEventListener("toggle", head, { capture: true });
  document.addEventListener("htmx:after:swap", draw);
})();
