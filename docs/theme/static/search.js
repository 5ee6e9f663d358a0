// Finds every part of a page that has all the words; by substrings, so that Chinese needs no dictionary.
"use strict";

const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const LENGTH = 200;

let parts, shown;
const load = async () => parts ??= await (await fetch(`${document.body.dataset.root}_static/search.json`)).json();

async function search(query) {
  const results = document.getElementById("search-results"), words = fold(query).split(/[\s,，、]+/).filter(Boolean);
  shown = query;
  if (!words.length) { say("Write a word into the field above: what is found is shown while you write."); return; }
  const all = await load();
  if (query !== shown) return;  // somebody has gone on writing
  const phrase = words.join(" ");
  const hits = all.map(part => ({ ...part, score: score(part, words, phrase) })).filter(({ score }) => score > 0);
  hits.sort((one, two) => two.score - one.score);
  say(`${hits.length || "No"} ${hits.length === 1 ? "place" : "places"} for “${query}”.`, hits.slice(0, 60), words);
}

function say(count, hits = [], words = []) {
  document.getElementById("search-count").textContent = count;
  document.getElementById("search-results").replaceChildren(...hits.map(hit => entry(hit, words)));
}

// A word in a heading counts as ten in the text; every word has to be there. Lessons come before the reference, and a
// word's own definition before all.
function score({ url, page, heading, text, code = "", terms = [] }, words, phrase) {
  const [title, body] = [fold(`${page} ${heading}`), fold(`${text} ${code}`)];
  let sum = 0;
  for (const word of words) {
    const found = 10 * (title.split(word).length - 1) + Math.min(body.split(word).length - 1, 9);
    if (!found) return 0;
    sum += found;
  }
  const names = terms.map(fold);
  if (names.includes(phrase)) return 2000 + sum;
  if (names.some(name => name.startsWith(`${phrase} `))) return 1000 + sum;
  return url.startsWith("api/") ? sum / 10 : sum;
}

// About as many letters around the first word as a line or two has, cut where words end; Chinese has no such places.
function excerpt(text, word) {
  if (text.length <= LENGTH) return text;
  const at = places(text, word);
  const near = text.slice(Math.max(0, at - 60), at).search(/(?<=\s)\S/);
  const start = at <= 60 ? 0 : at - 60 + Math.max(0, near);
  const rest = text.slice(start);
  const end = rest.length <= LENGTH ? rest : rest.slice(0, rest.slice(0, LENGTH + 1).match(/^.*(?=\s)/s)?.[0].length || LENGTH);
  return `${start ? "… " : ""}${end}${end.length < rest.length ? " …" : ""}`;
}

// Where a folded word begins in a text, in which “½” is one letter, while folded it is three.
function places(text, word) {
  const before = fold(text).indexOf(word);
  let folded = 0, at = 0;
  for (const letter of text) {
    folded += fold(letter).length;
    if (folded > before) break;
    at += letter.length;
  }
  return before < 0 ? 0 : at;
}

function entry({ url, page, heading, text, code = "" }, words) {
  const hit = document.createElement("div"), link = document.createElement("a"), line = document.createElement("p");
  hit.className = "hit";
  link.href = document.body.dataset.root + url;
  link.textContent = heading === page ? page : `${page} · ${heading}`;
  const [first = ""] = words.filter(word => fold(text).includes(word));
  const inCode = !first && words.some(word => fold(code).includes(word));
  const part = inCode ? excerpt(code, words.find(word => fold(code).includes(word))) : excerpt(text, first);
  const marked = new RegExp(`(${words.map(word => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "i");
  line.append(...part.split(marked).map((piece, number) => {
    if (number % 2 === 0) return piece;
    const mark = document.createElement("mark");
    mark.textContent = piece;
    return mark;
  }));
  hit.append(link, line);
  return hit;
}

// While somebody writes, a moment after the last letter; the address keeps the words, so that it can be sent on.
const field = document.querySelector(".bar input");
let pause;
const searchNow = () => {
  clearTimeout(pause);
  history.replaceState(null, "", field.value ? `?q=${encodeURIComponent(field.value)}` : location.pathname);
  search(field.value);
};
field.addEventListener("input", event => {
  clearTimeout(pause);
  if (!event.isComposing) pause = setTimeout(searchNow, 150);
});
field.addEventListener("compositionend", () => { pause = setTimeout(searchNow, 150); });
field.form.addEventListener("submit", event => { event.preventDefault(); searchNow(); });
field.value = new URLSearchParams(location.search).get("q") ?? "";
search(field.value);
