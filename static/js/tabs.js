// [data-tabs]: links that are tabs. The arrows, Home and End go from one to the next, Enter and the space bar open it.
(() => {
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

  for (const strip of document.querySelectorAll("[data-tabs]")) {
    const tabs = [...strip.querySelectorAll("[role=tab]")];
    const rest = (one) => tabs.forEach((tab) => { tab.tabIndex = tab === one ? 0 : -1; });

    strip.addEventListener("keydown", (event) => {
      const at = tabs.indexOf(event.target.closest("[role=tab]"));
      if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === " ") tabs[at].click();
      else if (event.key in STEPS) tabs[next(at, STEPS[event.key])].focus();
      else return;
      event.preventDefault();
    });
    strip.addEventListener("focusin", (event) => rest(event.target.closest("[role=tab]")));
    rest(tabs.find((tab) => tab.ariaSelected === "true") ?? tabs[0]);

    function next(at, step) {
      return Number.isFinite(step) ? (at + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
    }
  }
})();
