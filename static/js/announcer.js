// The one place from which a page speaks to who cannot see it: what an element says by data-says is read out when it comes or
// changes, not what was there when the page was opened, and at most one message every 5 s.
(() => {
  const PAUSE = 5000; // ms
  const place = document.querySelector("[data-announcer]");
  const said = () => new Set([...document.querySelectorAll("[data-says]")].map((one) => one.dataset.says).filter(Boolean));
  let known = said(), waiting = [], pause = 0;

  function look() {
    const now = said();
    const news = [...now].filter((text) => !known.has(text) && !waiting.includes(text));
    waiting = [...waiting.filter((text) => now.has(text)), ...news]; // without what is true no longer
    known = now;
    speak();
  }

  function speak() {
    if (pause || !waiting.length) return;
    place.textContent = waiting.join(" ");
    waiting = [];
    pause = setTimeout(() => {
      pause = 0;
      place.textContent = ""; // so that the same words can be said once more
      speak();
    }, PAUSE);
  }

  document.addEventListener("htmx:after:swap", look);
})();
