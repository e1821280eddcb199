// The title of /workers says how many workers are active and how many wait for a person: "(!1) Workers (5)".
(() => {
  if (document.body.dataset.topic !== "workers") return;

  function draw() {
    const { active, attention } = document.getElementById("nav-workers").dataset;
    const title = `${Number(attention) ? `(!${attention}) ` : ""}Workers (${active})`;
    if (document.title !== title) document.title = title;
  }

  new MutationObserver(draw).observe(document.getElementById("nav-workers"), { attributes: true });
  draw();
})();
