// The live connection says where a worker's branch stands. What has changed up to there is a question to git, which the
// page asks itself: for the numbers on the tab, and for the list of files where that is open.
(() => {
  const place = document.querySelector("[data-changes]");
  const PATIENCE = 5000; // ms until the same is asked for again
  const asked = new Map();

  function bring(element, url, tip) {
    if (element.dataset.tip === tip || asked.get(element.id + tip) > Date.now()) return;
    asked.set(element.id + tip, Date.now() + PATIENCE);
    htmx.ajax("GET", url, { source: element, target: `#${element.id}`, swap: "outerMorph" });
  }

  function address(list) { // with what stands in the filter now, whether or not it was sent
    const wanted = new URLSearchParams(location.search);
    for (const [name, value] of new FormData(list.querySelector("form"))) wanted.set(name, value);
    return `${location.pathname}?${wanted}`;
  }

  function look() {
    const { tip } = place.firstElementChild.dataset;
    if (!tip) return;
    bring(document.querySelector("[data-changes-count]"), place.dataset.changes, tip);
    const list = document.getElementById("changes");
    if (list) bring(list, address(list), tip);
  }

  document.addEventListener("htmx:after:swap", look);
  document.addEventListener("DOMContentLoaded", look);
})();
