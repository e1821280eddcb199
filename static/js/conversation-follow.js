// Whether the end of the conversation is followed: until somebody scrolls up or opens something; then how much is new is
// counted, until "Follow" or the count is pressed, of which the panel hears by conversation:follow.
window.following = (() => {
  const panel = document.querySelector("[data-log]");
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const box = part("scroll"), button = part("follow"), news = part("new");
  let top = 0, unseen = 0;

  const is = () => button.getAttribute("aria-pressed") === "true";
  const set = (on) => button.setAttribute("aria-pressed", String(on));

  function count(more, isHeld = false) { // `isHeld`: what comes is not all counted
    unseen += more;
    news.hidden = unseen === 0 && !isHeld;
    news.lastElementChild.textContent = unseen ? `${unseen}${isHeld ? "+" : ""} new` : "Newest";
  }

  function toEnd() {
    box.scrollTop = box.scrollHeight;
    top = box.scrollTop;
    count(-unseen);
  }

  function start() {
    set(true);
    toEnd();
    panel.dispatchEvent(new CustomEvent("conversation:follow"));
  }

  button.addEventListener("click", () => (is() ? set(false) : start()));
  news.addEventListener("click", start);
  part("list").addEventListener("click", (event) => { if (event.target.closest("summary")) set(false); }); // somebody reads
  box.addEventListener("scroll", () => {
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    if (box.scrollTop < top && below > 40) set(false);
    top = box.scrollTop;
  }, { passive: true });
  box.addEventListener("keydown", (event) => { if (event.key === "End" && event.target === box) start(); });

  const resized = new ResizeObserver(() => { if (is()) toEnd(); }); // a phone was turned, output has been coloured
  [box, part("list")].forEach((one) => resized.observe(one));

  return { is, set, count, toEnd };
})();
