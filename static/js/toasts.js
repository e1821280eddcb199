// Toasts leave after 6 s; errors stay until dismissed. At most four are shown.
(() => {
  const shelf = document.getElementById("toasts");
  const MOST = 4;

  function begin(toast) {
    if (toast.dataset.begun) return;
    toast.dataset.begun = "true";
    while (shelf.children.length > MOST) shelf.firstElementChild.remove();
    if ("stays" in toast.dataset) return;
    setTimeout(() => toast.remove(), 6000);
  }

  function add(text) {
    const toast = document.createElement("div");
    const words = document.createElement("p");
    toast.className = "toast tone-bad";
    toast.dataset.toast = "";
    words.textContent = text;
    toast.append(words);
    shelf.append(toast);
  }

  const all = () => shelf.querySelectorAll("[data-toast]").forEach(begin);
  new MutationObserver(all).observe(shelf, { childList: true });
  all();

  shelf.addEventListener("click", (event) => {
    if (event.target.closest("[data-dismiss]")) event.target.closest("[data-toast]").remove();
  });
  document.addEventListener("htmx:error", () => add("The server did not answer. Nothing was changed as far as this page knows."));
  document.addEventListener("htmx:response:error", (event) => {
    const { status } = event.detail.ctx.response;
    const text = { 403: "This needs the role of an operator, or the page is too old: reload it.", 404: "It is not there any more." };
    if (status >= 500 || text[status]) add(text[status] ?? `The server failed (status ${status}). Its log says more.`);
  });
})();
