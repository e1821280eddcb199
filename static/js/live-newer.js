// The history stands still while somebody reads it; when a worker has ended since, it offers to show the newer results.
(() => {
  const mark = document.getElementById("newest-finished");
  const link = document.querySelector("[data-newer-results]");
  const shown = mark.dataset.newest;

  new MutationObserver(() => { if (link) link.hidden = mark.dataset.newest === shown; }).observe(mark, { attributes: true });
})();
