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
    submit.textContent = picked.length ? `Add ${count(picked.length, "spec")}` : "Add";
    landing.textContent = picked.length
      ? `${count(picked.length, "spec")} with ${count(chunks, "chunk")}; ${places ? `${count(places, "slot")} free, the rest waits` : "no slot is free, so they wait"}.`
      : "Choose one or more specs.";
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
  });
})();
