// The title says how many workers wait for a person, and that of /workers how many are active: "(!1) Workers (5)".
(() => {
  const own = document.title;

  function draw() {
    const { active, attention } = document.getElementById("nav-workers").dataset;
    const words = document.body.dataset.topic === "workers" ? `Workers (${active})` : own;
    const title = `${Number(attention) ? `(!${attention}) ` : ""}${words}`;
    if (document.title !== title) document.title = title;
  }

  new MutationObserver(draw).observe(document.getElementById("nav-workers"), { attributes: true });
  draw();
})();
