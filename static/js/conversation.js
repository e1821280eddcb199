// The conversation of one attempt, tailed by byte offset: new entries are added, those that still grow are morphed.
// No more than data-most entries, give or take one reply, are in the document: what is far from the reader gives way, and
// "Show earlier" or "Show later" bring it back. While the end is left out the list is held: only its own entries change.
(() => {
  const CALM = 1000, PATIENCE = 20_000; // ms
  const panel = document.querySelector("[data-log]");
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const list = part("list"), box = part("scroll"), earlier = part("earlier"), later = part("later"), empty = part("empty");
  let attempt = null, turn = 0, timer = 0, leave = new AbortController(), last = Promise.resolve();
  let at = null; // where to read on: the offset, and what has to be known of entries that still grow
  let marks = []; // the same for places further up, in their order, from which the list can be read on as well
  let isHeld = false;

  const begins = (entry) => Number(entry.id.slice("entry-".length));
  const place = ({ offset, grows, far }) => ({ offset, grows, far });

  function known(one, far) { // no more lines than the server takes: those that are nearest to where it reads on
    const lines = new Set([...one.far, ...far].filter((line) => line < one.offset));
    return [...lines].sort((a, b) => a - b).slice(-Number(list.dataset.far));
  }

  function alone(act) { // one after the other: two replies at once would add the same entries, or leave some out
    const mine = turn;
    last = last.then(() => mine === turn && act()).catch((error) => { if (mine === turn) console.warn(error); });
    return last;
  }

  async function ask(query) {
    const url = `${panel.dataset.url.replace("/0/", `/${attempt}/`)}?${new URLSearchParams(query)}`;
    const response = await fetch(url, { headers: { "HX-Request": "true" }, signal: AbortSignal.any([leave.signal, AbortSignal.timeout(PATIENCE)]) });
    return response.ok ? response.json() : null;
  }

  async function put(reply) {
    for (const stale of reply.stale) document.getElementById(`entry-${stale}`)?.remove();
    const source = live.place(); // so that nobody takes this for the reply to an action
    if (reply.html) await htmx.swap({ sourceElement: source, target: source, swap: "none swapEmpty:false", text: reply.html });
  }

  async function keeping(anchor, act) { // what is read stays where it is
    const where = () => anchor?.getBoundingClientRect().top ?? 0, before = where();
    await act();
    box.scrollTop += where() - before;
  }

  function setEarlier(before) {
    earlier.dataset.before = before;
    earlier.hidden = before === 0;
  }

  function hold(on, more) {
    isHeld = on;
    later.hidden = !(on && more);
    following.count(0, on && more);
  }

  function dropFirst() {
    if (list.childElementCount <= Number(list.dataset.most)) return;
    while (list.childElementCount > Number(list.dataset.most)) list.firstElementChild.remove();
    setEarlier(begins(list.firstElementChild));
    marks = marks.filter((mark) => mark.offset > begins(list.firstElementChild));
  }

  function dropLast() {
    while (list.childElementCount > Number(list.dataset.most) && marks.length > 1) {
      at = marks.pop();
      while (begins(list.lastElementChild) >= at.offset) list.lastElementChild.remove();
      hold(true, true);
    }
  }

  async function show(reply) {
    const isFirst = at === null;
    if (!isHeld && !isFirst && reply.new) marks.push(at);
    if (!isHeld) at = place(reply);
    await put(reply);
    if (isFirst) setEarlier(reply.earlier);
    part("usage").innerHTML = reply.usage;
    part("state").textContent = reply.complete ? "complete" : "running";
    empty.hidden = list.childElementCount > 0;
    empty.textContent = reply.complete ? "No agent has said anything in this attempt." : "Nothing has been said yet.";
    if (following.is() && !isHeld) {
      dropFirst();
      return following.toEnd();
    }
    following.count(isHeld ? 0 : reply.new);
    hold(isHeld || list.childElementCount >= Number(list.dataset.most), reply.more);
  }

  async function read() {
    const mine = turn;
    let wait = 3 * CALM;
    try {
      const reply = await ask(isHeld ? { ...at, held: 1 } : at ?? {});
      if (reply) await show(reply);
      if (reply?.complete) return;
      wait = !reply || isHeld ? 5 * CALM : reply.more ? 0 : CALM;
    } catch { /* the badge says that the server does not answer; the next turn asks again */ }
    if (mine === turn) timer = setTimeout(() => alone(read), document.hidden ? 5 * CALM : wait);
  }

  async function readBack() {
    const reply = await ask({ before: earlier.dataset.before });
    if (!reply) return;
    following.set(false);
    for (const one of [at, ...marks]) { // what is whole now may go on there
      one.far = known(one, reply.far);
      if (reply.stale.includes(one.grows)) one.grows = reply.grows;
    }
    marks.unshift(place(reply));
    await keeping([...list.children].find((entry) => !reply.stale.includes(begins(entry))), () => put(reply));
    setEarlier(reply.earlier);
    dropLast();
  }

  async function readOn() {
    const reply = await ask(at);
    if (!reply) return;
    following.set(false);
    isHeld = false;
    await show(reply);
    await keeping(list.lastElementChild, dropFirst);
    hold(reply.more || isHeld, reply.more);
  }

  function begin() {
    [at, marks] = [null, []];
    list.replaceChildren();
    hold(false, false);
    following.set(true);
    following.toEnd();
    return read();
  }

  function restart() {
    clearTimeout(timer);
    leave.abort();
    leave = new AbortController();
    turn += 1;
    alone(begin);
  }

  panel.addEventListener("log:open", (event) => {
    attempt = event.detail.attempt;
    restart();
  });
  panel.addEventListener("conversation:follow", () => { if (isHeld) restart(); });
  for (const [button, act] of [[earlier, readBack], [later, readOn]]) {
    button.addEventListener("click", async () => {
      if (button.ariaBusy === "true") return;
      button.ariaBusy = "true";
      await alone(act);
      button.ariaBusy = "false";
    });
  }
})();
