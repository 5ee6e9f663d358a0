// What every page has: equations, the menu, the theme, copy buttons.
"use strict";

for (const place of document.querySelectorAll(".math")) {
  const displayMode = place.classList.contains("block");
  katex.render(place.textContent, place, { displayMode, throwOnError: false, strict: "ignore" });
  place.classList.add("set");
}

const menu = document.getElementById("menu"), contents = document.getElementById("contents");
menu.addEventListener("click", () => {
  menu.setAttribute("aria-expanded", String(contents.classList.toggle("open")));
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

// What is wider than the page scrolls by itself; the keyboard has to reach it.
const scrolling = () => {
  for (const box of document.querySelectorAll("pre, .table, .frame, .math.block")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; else box.removeAttribute("tabindex");
  }
};
scrolling();
addEventListener("resize", scrolling);

// Where the reader is: the lesson in the contents, and the part of the page beside the text.
document.querySelector("#contents a.current")?.scrollIntoView({ block: "nearest" });
const links = new Map([...document.querySelectorAll(".here a[href^='#']")].map(link => [link.hash.slice(1), link]));
const sections = [...links.keys()].map(id => document.getElementById(id)).filter(Boolean);
if (sections.length) {
  const mark = () => {
    const reached = sections.filter(section => section.getBoundingClientRect().top < innerHeight / 3).at(-1);
    for (const [id, link] of links) {
      if (id === reached?.id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
}
