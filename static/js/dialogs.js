// Dialogs: [data-open="id"] opens one, [data-close] closes it, and hx-confirm asks in ours instead of the browser's.
(() => {
  const confirm = document.getElementById("confirm");
  const part = (name) => confirm.querySelector(`[data-confirm-${name}]`);

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) document.getElementById(opener.dataset.open)?.showModal();
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog").close();
    if (event.target.matches("dialog")) event.target.close(); // a click beside it
    if (event.target.closest(".menu > button")) event.target.closest(".menu").hidePopover();
  });

  document.addEventListener("DOMContentLoaded", () => { // an address may end in the name of one
    const wanted = document.getElementById(location.hash.slice(1));
    if (wanted?.matches("[data-opens]") && document.body.dataset.role !== "viewer") wanted.showModal();
  });

  document.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    const source = ctx.sourceElement;
    event.preventDefault();
    part("title").textContent = ctx.confirm;
    part("text").textContent = source.dataset.confirmText ?? "";
    part("yes").textContent = source.dataset.confirmYes ?? "Yes";
    part("yes").className = `button button-${source.dataset.confirmTone ?? "danger-solid"}`;
    confirm.returnValue = "no";
    confirm.showModal();
    confirm.addEventListener("close", () => (confirm.returnValue === "yes" ? issueRequest() : dropRequest()), { once: true });
  });

  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (sourceElement.matches("[data-closes-on-success]") && response.status < 300) sourceElement.closest("dialog").close();
  });
})();
