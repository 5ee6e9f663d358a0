// Range inputs over ready-made pictures: frame i of one control, i · n + j of two.
"use strict";

for (const figure of document.querySelectorAll("[data-frames]")) {
  const { labels, frames } = JSON.parse(figure.querySelector("script").textContent);
  const inputs = [...figure.querySelectorAll("input")], picture = figure.querySelector("img");
  const cache = new Map();

  const fetchFrame = place => {
    if (!cache.has(place)) {
      const image = new Image();
      image.src = frames[place][0];
      cache.set(place, image);
    }
  };
  const place = () => inputs.reduce((sum, input, number) => sum * labels[number].length + input.valueAsNumber, 0);

  const show = () => {
    inputs.forEach((input, number) => {
      const label = labels[number][input.valueAsNumber];
      input.setAttribute("aria-valuetext", label);
      input.nextElementSibling.textContent = label;
    });
    [picture.src, picture.alt] = frames[place()];
  };
  // All frames as soon as somebody is about to move, the near ones first.
  const prepare = () => {
    const here = place();
    [...frames.keys()].sort((one, two) => Math.abs(one - here) - Math.abs(two - here)).forEach(fetchFrame);
  };
  for (const input of inputs) {
    input.addEventListener("input", show);
    for (const event of ["pointerenter", "pointerdown", "focus", "touchstart"]) {
      input.addEventListener(event, prepare, { once: true, passive: true });
    }
  }
}
