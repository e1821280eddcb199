// The log of one attempt, tailed by byte offset. At most MOST lines are in the document; older ones give way.
(() => {
  const MOST = 5000, CALM = 1000, LONGEST = 20000;
  const panel = document.querySelector("[data-log]");
  const part = (name) => panel.querySelector(`[data-log-${name}]`);
  const box = part("lines"), follow = part("follow"), news = part("new");
  let attempt = null, offset = -1, lines = 0, unseen = 0, open = null, state = {}, timer = 0, turn = 0;

  const following = () => follow.getAttribute("aria-pressed") === "true";
  const size = (n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1000).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

  function line() {
    const row = document.createElement("div"), number = document.createElement("span"), text = document.createElement("span");
    row.className = "log-line";
    number.className = "n";
    text.className = "t";
    number.textContent = String(++lines);
    row.append(number, text);
    return row;
  }

  function append(text) {
    const rows = document.createDocumentFragment();
    const pieces = text.split("\n");
    pieces.forEach((piece, n) => {
      if (piece === "" && n === pieces.length - 1) return;
      open ??= rows.appendChild(line());
      const shown = piece.replace(/\r$/, "");
      const words = open.lastChild;
      if (shown.includes("\r")) words.replaceChildren(); // a progress bar that draws over itself
      const rest = shown.slice(shown.lastIndexOf("\r") + 1);
      if (words.textContent.length < LONGEST) ansi(words, rest.slice(0, LONGEST), state);
      if (words.textContent.startsWith("── review ──")) open.classList.add("log-rule");
      if (n < pieces.length - 1) open = null;
    });
    unseen += rows.childElementCount;
    box.append(rows);
    while (box.childElementCount > MOST) box.firstElementChild.remove();
  }

  function show(reply) {
    if (reply.skipped && lines === 0) box.append(Object.assign(document.createElement("div"), { className: "log-gap", textContent: `… the first ${size(reply.skipped)} are left out; the download has them` }));
    append(reply.text);
    offset = reply.offset;
    part("lines-count").textContent = `${lines} ${lines === 1 ? "line" : "lines"}`;
    part("size").textContent = size(reply.size);
    part("state").textContent = reply.complete ? "complete" : "running";
    if (following()) { box.scrollTop = box.scrollHeight; unseen = 0; }
    news.hidden = unseen === 0;
    news.lastElementChild.textContent = `${unseen} new ${unseen === 1 ? "line" : "lines"}`;
  }

  async function read() {
    const mine = turn;
    let wait = CALM;
    try {
      const response = await fetch(`${panel.dataset.url.replace("/0/", `/${attempt}/`)}?offset=${offset}`, { headers: { "HX-Request": "true" } });
      const reply = response.ok ? await response.json() : null;
      if (mine !== turn) return;
      if (reply) show(reply);
      if (reply?.complete) return;
      wait = reply?.more ? 0 : reply ? CALM : 5 * CALM;
    } catch { wait = 3 * CALM; }
    timer = setTimeout(read, document.hidden ? 5 * CALM : wait);
  }

  panel.addEventListener("log:open", (event) => {
    clearTimeout(timer);
    turn += 1;
    [attempt, offset, lines, unseen, open, state] = [event.detail.attempt, -1, 0, 0, null, {}];
    box.replaceChildren();
    read();
  });
  follow.addEventListener("click", () => {
    follow.setAttribute("aria-pressed", String(!following()));
    if (following()) { box.scrollTop = box.scrollHeight; unseen = 0; news.hidden = true; }
  });
  news.addEventListener("click", () => follow.click());
  part("wrap").addEventListener("click", (event) => {
    const on = box.toggleAttribute("data-wrap");
    event.currentTarget.setAttribute("aria-pressed", String(on));
  });
  box.addEventListener("wheel", (event) => { if (event.deltaY < 0 && following()) follow.click(); }, { passive: true });
  box.addEventListener("keydown", (event) => {
    if (["ArrowUp", "PageUp", "Home"].includes(event.key) && following()) follow.click();
    if (event.key === "End" && !following()) follow.click();
  });
  panel.dispatchEvent(new CustomEvent("log:ready"));
})();
