// Times for the reader: <time data-clock="minute|second|date"> in the reader's own zone, <time data-ago> as an age.
(() => {
  const FORMS = {
    minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    second: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
    date: { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  };
  const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

  function age(milliseconds) {
    const seconds = Math.floor(milliseconds / 1000);
    if (seconds < 1) return "now";
    const units = [[60, 1, "s"], [3600, 60, "m"], [86400, 3600, "h"], [604800, 86400, "d"]];
    const unit = units.find(([limit]) => seconds < limit);
    return unit ? `${Math.floor(seconds / unit[1])}${unit[2]} ago` : null;
  }

  function set(element, text) {
    if (element.textContent !== text) element.textContent = text;
    if (!element.title) element.title = full.format(new Date(element.dateTime));
  }

  function draw() {
    for (const element of document.querySelectorAll("time[data-clock]")) {
      set(element, new Intl.DateTimeFormat("en-GB", FORMS[element.dataset.clock]).format(new Date(element.dateTime)));
    }
    if (document.body.dataset.live === "stale") return;
    for (const element of document.querySelectorAll("time[data-ago]")) {
      const text = age(Date.now() - Number(element.dataset.ago)) ?? element.dateTime.slice(0, 10);
      set(element, "short" in element.dataset ? text.replace(" ago", "") : text);
    }
  }

  document.addEventListener("htmx:after:swap", draw);
  setInterval(draw, 1000);
  draw();
})();
