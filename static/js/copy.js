// A button with data-copy="id" copies what the field with that id holds, and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.lastChild.textContent = "Copied";
  } catch {
    field.focus(); // without https the browser lets nobody write there: it is selected, Ctrl C copies it
  }
});
