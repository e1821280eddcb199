// The conversation of one attempt, tailed by byte offset: new entries are added, those that still grow are morphed.
// At most MOST entries are in the document; older ones give way, and "Show earlier" brings them back.
(() => {
  const MOST = 1000, CALM = 1000;
  const panel = document.querySelector("[data-log]");
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const list = document.getElementById("conversation");
  const box = part("scroll"), follow = part("follow"), news = part("new"), earlier = part("earlier"), empty = part("empty");
  let attempt = null, at = null, unseen = 0, timer = 0, turn = 0, top = 0;

  const following = () => follow.getAttribute("aria-pressed") === "true";

  function setFollow(on) {
    follow.setAttribute("aria-pressed", String(on));
    if (on) toEnd();
  }

  function toEnd() {
    box.scrollTop = box.scrollHeight;
    top = box.scrollTop;
    setUnseen(0);
  }

  function setUnseen(count) {
    unseen = count;
    news.hidden = count === 0;
    news.lastElementChild.textContent = `${count} new`;
  }

  function setEarlier(place) {
    earlier.dataset.before = place;
    earlier.hidden = place === 0;
  }

  function trim() {
    if (list.childElementCount <= MOST) return;
    while (list.childElementCount > MOST) list.firstElementChild.remove();
    setEarlier(Number(list.firstElementChild.id.slice("entry-".length)));
  }

  async function ask(query) {
    const url = `${panel.dataset.url.replace("/0/", `/${attempt}/`)}?${new URLSearchParams(query)}`;
    const response = await fetch(url, { headers: { "HX-Request": "true" } });
    return response.ok ? response.json() : null;
  }

  async function put(reply) {
    for (const place of reply.stale) document.getElementById(`entry-${place}`)?.remove();
    const source = live.place(); // so that nobody takes this for the reply to an action
    if (reply.html) await htmx.swap({ sourceElement: source, target: source, swap: "none swapEmpty:false", text: reply.html });
  }

  async function show(reply) {
    const isFirst = at === null;
    at = { offset: reply.offset, grows: reply.grows };
    await put(reply);
    if (isFirst) setEarlier(reply.earlier);
    part("usage").innerHTML = reply.usage;
    part("state").textContent = reply.complete ? "complete" : "running";
    empty.hidden = list.childElementCount > 0;
    empty.textContent = reply.complete ? "No agent has said anything in this attempt." : "Nothing has been said yet.";
    if (!following()) return setUnseen(unseen + reply.new);
    trim();
    toEnd();
  }

  async function read() {
    const mine = turn;
    let wait = 3 * CALM;
    try {
      const reply = await ask(at ?? {});
      if (mine !== turn) return;
      if (reply) await show(reply);
      if (reply?.complete) return;
      wait = reply?.more ? 0 : reply ? CALM : 5 * CALM;
    } catch { /* the badge says that the server does not answer; the next turn asks again */ }
    if (mine === turn) timer = setTimeout(read, document.hidden ? 5 * CALM : wait);
  }

  panel.addEventListener("log:open", (event) => {
    clearTimeout(timer);
    turn += 1;
    [attempt, at] = [event.detail.attempt, null];
    list.replaceChildren();
    setUnseen(0);
    setFollow(true);
    read();
  });
  earlier.addEventListener("click", async () => {
    const mine = turn, reply = await ask({ before: earlier.dataset.before });
    if (!reply || mine !== turn) return;
    setFollow(false);
    const below = box.scrollHeight - box.scrollTop;
    await put(reply);
    box.scrollTop = box.scrollHeight - below; // what was read stays where it was
    setEarlier(reply.earlier);
  });
  follow.addEventListener("click", () => setFollow(!following()));
  news.addEventListener("click", () => setFollow(true));
  list.addEventListener("click", (event) => { if (event.target.closest("summary")) setFollow(false); }); // somebody reads
  box.addEventListener("scroll", () => {
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    if (box.scrollTop < top && below > 40) setFollow(false);
    top = box.scrollTop;
  }, { passive: true });
  box.addEventListener("keydown", (event) => { if (event.key === "End" && event.target === box) setFollow(true); });
})();
