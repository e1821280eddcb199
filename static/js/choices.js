// The "Add to queue" dialog: loads the specs when it opens, says what would be added, sends local time with its zone.
(() => {
  const dialog = document.getElementById("add-to-queue");
  const submit = dialog.querySelector("[data-submit]");
  const landing = dialog.querySelector("[data-landing]");
  const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

  function draw() {
    const picked = [...dialog.querySelectorAll('input[name="spec"]:checked')];
    const chunks = picked.reduce((sum, box) => sum + Number(box.dataset.size), 0);
    const places = document.querySelectorAll("#slot-meter .slot-free").length;
    submit.disabled = picked.length === 0;
    submit.firstElementChild.textContent = picked.length ? `Add ${count(picked.length, "spec")}` : "Add";
    const room = places ? `${count(places, "slot")} free` : "no slot is free";
    const rest = picked.length <= places ? "" : places ? ", the rest waits" : picked.length === 1 ? ", so it waits" : ", so they wait";
    landing.textContent = picked.length
      ? `${count(picked.length, "spec")} with ${count(chunks, "chunk")}; ${room}${rest}.`
      : "Choose one or more specs.";
  }

  function step(from, by) { // from the search field to the first spec, and from one to the next
    const boxes = [...dialog.querySelectorAll('input[name="spec"]:not(:disabled)')];
    (boxes[boxes.indexOf(from) + by] ?? dialog.querySelector('[name="q"]')).focus();
  }

  new MutationObserver(() => {
    if (!dialog.open) return;
    dialog.querySelector("form").reset();
    htmx.ajax("GET", dialog.dataset.choices, { target: "#choices", swap: "innerHTML" }).then(draw);
  }).observe(dialog, { attributes: true, attributeFilter: ["open"] });

  dialog.addEventListener("change", (event) => {
    const { moment } = event.target.dataset;
    if (moment) document.getElementById(moment).value = event.target.value ? new Date(event.target.value).toISOString() : "";
    draw();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !submit.disabled) submit.click();
    else if (event.key === "Enter" && event.target.name === "q") event.preventDefault();
    else if (["ArrowDown", "ArrowUp"].includes(event.key) && ["q", "spec"].includes(event.target.name)) {
      event.preventDefault();
      step(event.target, event.key === "ArrowDown" ? 1 : -1);
    }
  });
})();
