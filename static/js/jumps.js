// [data-jumps]: links to the parts of a page, which stay in sight where it is narrow; with how much each part holds by its
// data-count, and a mark on the one that is read.
(() => {
  const links = [...document.querySelectorAll("[data-jumps] a")];
  const part = (link) => document.getElementById(link.hash.slice(1));
  const LINE = 140; // px from the top of the window: what begins above it is being read

  function mark() {
    const isEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 1;
    const asked = isEnd && links.find((link) => link.hash === location.hash); // a short part never gets up to the line
    const read = asked || links.filter((link) => part(link).getBoundingClientRect().top < LINE).at(-1) || links[0];
    for (const link of links) link === read ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }

  function draw() {
    for (const link of links) link.lastElementChild.textContent = part(link).dataset.count;
    mark();
  }

  document.addEventListener("scroll", mark, { passive: true });
  document.addEventListener("htmx:after:swap", draw);
  draw();
})();
