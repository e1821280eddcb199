// [data-ansi]: text that a program wrote for a terminal gets its colours.
(() => {
  function draw() {
    for (const text of document.querySelectorAll("[data-ansi]:not([data-drawn])")) {
      const raw = text.textContent;
      text.dataset.drawn = ""; // an update takes it away together with the colours
      if (!raw.includes("\x1b")) continue;
      text.replaceChildren();
      ansi(text, raw, {});
    }
  }

  document.addEventListener("htmx:after:swap", draw);
  draw();
})();
