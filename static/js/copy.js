// A button with data-copy="id" copies what the element with that id holds, and says so.
(() => {
  const SAYS = 2000; // ms

  function say(button) {
    const icon = button.querySelector("use"), label = button.ariaLabel, words = button.lastChild;
    const before = [icon.getAttribute("href"), words.textContent];
    icon.setAttribute("href", "#i-check");
    if (label) button.ariaLabel = "Copied";
    else words.textContent = "Copied";
    setTimeout(() => {
      icon.setAttribute("href", before[0]);
      if (label) button.ariaLabel = label;
      else words.textContent = before[1];
    }, SAYS);
  }

  function select(element) {
    element.focus();
    if (element.select) element.select();
    else getSelection().selectAllChildren(element);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button || button.ariaLabel === "Copied") return;
    const element = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(element.value ?? element.textContent);
      say(button);
    } catch {
      select(element); // without https the browser lets nobody write there: Ctrl C copies what is selected
    }
  });
})();
