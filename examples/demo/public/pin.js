// A box that is scrolled to its end stays at its end when something is added; one that somebody has scrolled up stays put.
for (const box of document.querySelectorAll("[data-pin], #frames")) {
  let atEnd = true;
  const toEnd = () => {
    if (atEnd) box.scrollTop = box.scrollHeight;
  };
  box.addEventListener("scroll", () => {
    atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  });
  new MutationObserver(toEnd).observe(box, { childList: true, subtree: true });
  new ResizeObserver(toEnd).observe(box);
}
