// A lecture: what stands between two marks is a step; "slide" and "subslide" begin a new picture, others join it.
"use strict";

const article = document.querySelector("article");

// The page's parts in order; headings make nested sections, which slides do not have.
function* flat(box) {
  for (const child of [...box.children]) {
    if (child.tagName === "SECTION") yield* flat(child); else yield child;
  }
}

const slides = [];
let step;
for (const part of [...flat(article)]) {
  if (part.classList.contains("step")) {
    if (!slides.length || part.dataset.kind.endsWith("slide")) slides.push([]);
    if (!slides.at(-1).length || part.dataset.kind !== "-") slides.at(-1).push([]);
    step = slides.at(-1).at(-1);
  } else step?.push(part);
}

const boxes = slides.map(steps => {
  const slide = document.createElement("div");
  slide.className = "slide";
  for (const parts of steps) {
    const box = document.createElement("div");
    box.append(...parts);
    slide.append(box);
  }
  return slide;
});
article.replaceChildren(...boxes);

const pager = document.createElement("div"), count = document.createElement("span");
pager.className = "pager";
count.setAttribute("role", "status");
const button = (text, label, step) => {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", textContent: text, ariaLabel: label });
  made.addEventListener("click", () => move(step));
  return made;
};
pager.append(count, button("←", "Back", -1), button("→", "On", 1));
article.after(pager);

let [slide, shown] = [Math.max(0, Number(location.hash.slice(1)) - 1) || 0, 1];
const steps = () => [...boxes[slide].children];

function show() {
  slide = Math.min(slide, boxes.length - 1);
  boxes.forEach((box, number) => { box.hidden = number !== slide; });
  steps().forEach((box, number) => box.classList.toggle("later", number >= shown));
  count.textContent = `${slide + 1} / ${boxes.length}`;
  history.replaceState(null, "", `#${slide + 1}`);
  scrolling();
}

function move(by) {
  const wanted = shown + by;
  if (wanted >= 1 && wanted <= steps().length) shown = wanted;
  else if (boxes[slide + by]) {
    slide += by;
    shown = by > 0 ? 1 : steps().length;
    scrollTo(0, 0);
  }
  show();
}

const KEYS = { " ": 1, ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
addEventListener("keydown", event => {
  if (event.target.closest("input, button, a, summary") || !(event.key in KEYS)) return;
  event.preventDefault();
  move(KEYS[event.key]);
});
show();
