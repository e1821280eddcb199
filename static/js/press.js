// Presses the button of form[data-press] as soon as the page is there.
document.querySelector("form[data-press]")?.requestSubmit();
