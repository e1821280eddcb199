// Keys: [data-key="a"] is pressed, or focused where it is a field, by that key, [data-key="g w"] by two in a row. Within
// [data-keys], such as a card, an element obeys only while the focus is in there; J and K go from one of these to the next.
// Never while somebody types, a dialog is open, or [data-keys-switch] is off.
window.keys = (() => {
  const PAUSE = 1000; // ms between the keys of a row
  const toggle = document.querySelector("[data-keys-switch]");
  let begun = { keys: "", at: -PAUSE };

  try { toggle.checked = localStorage.getItem("specyard.keys") !== "off"; } catch { /* as it is drawn */ }
  toggle.addEventListener("change", () => {
    try { localStorage.setItem("specyard.keys", toggle.checked ? "on" : "off"); } catch { /* it holds for this page */ }
  });

  const isField = (element) => element.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]") !== null;
  const mayUse = (element) => !element.disabled && !(document.body.dataset.role === "viewer" && element.closest("[data-operator]"));
  const isFree = (event) =>
    toggle.checked && !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat && !event.defaultPrevented &&
    !isField(event.target) && !document.querySelector("dialog[open]");

  function found(keys) {
    const all = [...document.querySelectorAll(`[data-key="${CSS.escape(keys)}"]`)].filter(mayUse);
    const around = document.activeElement.closest("[data-keys]");
    return all.find((one) => around?.contains(one)) ?? all.find((one) => !one.closest("[data-keys]"));
  }

  function step(by) {
    const all = [...document.querySelectorAll("[data-keys]")].filter((one) => one.checkVisibility());
    const at = all.indexOf(document.activeElement.closest("[data-keys]"));
    const next = at < 0 ? all[by > 0 ? 0 : all.length - 1] : all[at + by];
    next?.focus();
    return next !== undefined;
  }

  function press(element) {
    if (element.matches("input")) element.focus();
    else element.click();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (!isFree(event)) return;
    const key = event.shiftKey || event.key.length > 1 ? event.key : event.key.toLowerCase(); // caps lock changes nothing
    const row = event.timeStamp - begun.at < PAUSE ? `${begun.keys} ${key}` : key;
    begun = { keys: key, at: event.timeStamp };
    if (key === "Enter" && !event.target.matches("[data-keys]")) return; // it presses what has the focus
    const element = (row !== key && found(row)) || found(key);
    const isDone = element ? press(element) : key === "j" ? step(1) : key === "k" && step(-1);
    if (isDone) event.preventDefault();
  });

  return { isOn: () => toggle.checked };
})();
