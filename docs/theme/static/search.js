// Finds every part of a page that has all the words; by substrings, so that Chinese needs no dictionary.
"use strict";

const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

async function search() {
  const results = document.getElementById("search-results");
  const query = new URLSearchParams(location.search).get("q") ?? "";
  document.querySelector(".bar input").value = query;
  const words = fold(query).split(/[\s,，、]+/).filter(Boolean);
  if (!words.length) { results.textContent = "Write a word into the field above."; return; }
  const root = document.body.dataset.root;
  const parts = await (await fetch(`${root}_static/search.json`)).json();
  const hits = parts.map(part => ({ ...part, score: score(part, words) })).filter(({ score }) => score > 0);
  hits.sort((one, two) => two.score - one.score);
  const count = document.createElement("p");
  count.textContent = `${hits.length || "No"} ${hits.length === 1 ? "place" : "places"} for “${query}”.`;
  results.replaceChildren(count, ...hits.slice(0, 60).map(hit => entry(hit, words, root)));
}

// A word in a heading counts as ten in the text; every word has to be there. Lessons come before the reference.
function score({ url, page, heading, text }, words) {
  const [title, body] = [fold(`${page} ${heading}`), fold(text)];
  let sum = 0;
  for (const word of words) {
    const found = 10 * (title.split(word).length - 1) + Math.min(body.split(word).length - 1, 9);
    if (!found) return 0;
    sum += found;
  }
  return url.startsWith("api/") ? sum / 10 : sum;
}

function entry({ url, page, heading, text }, words, root) {
  const hit = document.createElement("div"), link = document.createElement("a"), line = document.createElement("p");
  hit.className = "hit";
  link.href = root + url;
  link.textContent = heading === page ? page : `${page} · ${heading}`;
  const at = Math.max(0, fold(text).indexOf(words[0]) - 60), excerpt = text.slice(at, at + 200);
  const marked = new RegExp(`(${words.map(word => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "i");
  line.append(at ? "… " : "", ...excerpt.split(marked).map((piece, number) => {
    if (number % 2 === 0) return piece;
    const mark = document.createElement("mark");
    mark.textContent = piece;
    return mark;
  }));
  hit.append(link, line);
  return hit;
}

search();
