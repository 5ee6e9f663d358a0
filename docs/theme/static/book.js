// What every page has: equations, the menu, the theme, copy buttons.
"use strict";

// Equations: first those that are about to be seen, then the others, a few at a time, so that nothing waits for them.
const waiting = [...document.querySelectorAll(".math")];
const typeset = place => {
  const displayMode = place.classList.contains("block");
  katex.render(place.textContent, place, { displayMode, throwOnError: false, strict: "ignore" });
  place.classList.add("set");
};
const typesetWhile = goesOn => {
  while (waiting.length && goesOn()) typeset(waiting.shift());
};
// Parts below the screen are laid out after those on it, one at a time; before that their height is a guess.
const PART = "article > section > section";
const folded = document.documentElement.classList.contains("early") ? [...document.querySelectorAll(PART)] : [];
const unfold = part => { part.style.contentVisibility = "visible"; return part.offsetHeight; };
const later = window.requestIdleCallback ?? (work => setTimeout(work, 20));
const finishLater = () => {
  const start = performance.now();
  typesetWhile(() => performance.now() - start < 12);
  if (!waiting.length && folded.length) unfold(folded.shift());
  if (waiting.length || folded.length) { later(finishLater); return; }
  scrolling();
  mark();
  document.documentElement.classList.add("ready");
  // In a lesson the living page stands far below, and comes to life when the text is there.
  const living = document.getElementById("living");
  if (living) import(living.href).catch(() => document.documentElement.classList.remove("living-here"));
};

// What is wider than the page scrolls by itself; the keyboard has to reach it, and a screen reader says what it is.
// Where more is to come, the edge fades (book.css).
const WIDE = { pre: "Code", ".table": "Table", ".frame": "Picture", ".math.block": "Equation" };
const scrolling = () => {
  const boxes = [...document.querySelectorAll(Object.keys(WIDE))];
  const wide = new Set(boxes.filter(box => box.scrollWidth > box.clientWidth));  // all are measured before one changes
  for (const box of boxes) {
    if (wide.has(box)) box.tabIndex = 0; else box.removeAttribute("tabindex");
    if (box.matches(".table")) continue;  // these always have a name
    if (wide.has(box)) {
      const [, name] = Object.entries(WIDE).find(([kind]) => box.matches(kind));
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${name}, scrolls sideways`);
    } else if (box.role === "group") ["role", "aria-label"].forEach(each => box.removeAttribute(each));
  }
  const all = [...boxes, ...document.querySelectorAll("nav#contents, nav.here")];
  all.map(box => [box, hidden(box)]).forEach(showMore);
};
// The sides to which there is more than is seen.
const hidden = box => {
  const [from, seen, all] = box.matches("nav")
    ? [box.scrollTop, box.clientHeight, box.scrollHeight] : [box.scrollLeft, box.clientWidth, box.scrollWidth];
  return [from > 1 && "before", from + seen < all - 1 && "after"].filter(Boolean).join(" ");
};
const showMore = ([box, sides]) => { if (sides) box.dataset.more = sides; else delete box.dataset.more; };
addEventListener("scroll", ({ target: box }) => {
  if (box !== document && box.matches(`nav, ${Object.keys(WIDE)}`)) showMore([box, hidden(box)]);
}, { capture: true, passive: true });
addEventListener("resize", scrolling);
addEventListener("beforeprint", () => { typesetWhile(() => true); folded.splice(0).forEach(unfold); });
// All places are measured before the first is changed, and none inside a part that is far itself; a link to a part needs
// everything above it.
const isFar = place => [place.closest(PART), place].some(box => box?.getBoundingClientRect().top > innerHeight);
const firstFar = waiting.findIndex(place => !location.hash && isFar(place));
waiting.splice(0, firstFar < 0 ? waiting.length : firstFar).forEach(typeset);
later(finishLater);

const menu = document.getElementById("menu"), contents = document.getElementById("contents");
menu.addEventListener("click", () => {
  menu.setAttribute("aria-expanded", String(contents.classList.toggle("open")));
});

addEventListener("keydown", event => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
  event.preventDefault();
  document.querySelector(".bar input").select();
});

document.getElementById("theme").addEventListener("click", () => {
  const { dataset } = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  dataset.theme = (dataset.theme === "auto" ? system : dataset.theme) === "dark" ? "light" : "dark";
  localStorage.setItem("theme", dataset.theme);
});

for (const block of document.querySelectorAll(".cell_input div.highlight, details div.highlight, div.highlight-text div.highlight")) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("pre").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  block.append(button);
}

// Where the reader is: the lesson in the contents, and the part of the page beside the text.
document.querySelector("#contents a.current")?.scrollIntoView({ block: "nearest" });
const links = new Map([...document.querySelectorAll(".here a[href^='#']")].map(link => [link.hash.slice(1), link]));
const sections = [...links.keys()].map(id => document.getElementById(id)).filter(Boolean);
const mark = () => {
  const reached = sections.filter(section => section.getBoundingClientRect().top < innerHeight / 3).at(-1);
  for (const [id, link] of links) {
    if (id === reached?.id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  }
};
addEventListener("scroll", mark, { passive: true });
addEventListener("resize", mark);
