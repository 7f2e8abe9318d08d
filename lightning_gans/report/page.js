// A picture that is clicked is shown as large as the window; Escape or another click closes it.
const dialog = document.querySelector("dialog");
const large = dialog.querySelector("img");
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.picture");
  if (button) {
    const small = button.querySelector("img");
    large.src = small.currentSrc || small.src;
    large.alt = small.alt;
    dialog.querySelector("p").textContent = small.alt;
    dialog.showModal();
  } else if (event.target.closest("dialog")) {
    dialog.close();
  }
});
