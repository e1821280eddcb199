// The theme that a person has chosen in the menu of the account, in this browser; else the system's. Loaded in the head
// without delay, so that nothing is drawn in another one first.
(() => {
  const root = document.documentElement;
  const NAMES = ["light", "dark"];

  function chosen() {
    try {
      const name = localStorage.getItem("specyard.theme");
      return NAMES.includes(name) ? name : "system";
    } catch { return "system"; } // the browser keeps nothing for us
  }

  function draw(name = chosen()) {
    if (name === "system") delete root.dataset.theme;
    else root.dataset.theme = name;
    for (const button of document.querySelectorAll("[data-choose-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.chooseTheme === name));
    }
  }

  document.addEventListener("click", (event) => {
    const name = event.target.closest("[data-choose-theme]")?.dataset.chooseTheme;
    if (!name) return;
    draw(name);
    try { localStorage.setItem("specyard.theme", name); } catch { /* it holds for this page */ }
  });
  addEventListener("storage", () => draw());
  document.addEventListener("DOMContentLoaded", () => draw());
  draw();
})();
