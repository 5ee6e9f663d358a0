// Judges numbers and choices as vae_lessons/exercises/judging.py does; a test compares the two.
"use strict";

// A number as a person writes it: 5.6, −1e-3, 1/2, 65 025; NaN for anything else.
function readNumber(text) {
  const plain = text.trim().replace(/[\u2212\u2013]/g, "-").replace(/[\s_]/g, "");
  const parts = plain.split("/");
  const isNumber = part => /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(part);
  return parts.length <= 2 && parts.every(isNumber) ? parts.map(Number).reduce((one, two) => one / two) : NaN;
}

// Where a number lies exactly between two of six digits, Python takes the even one, and JavaScript the larger.
function towardsEven(value) {
  const digits = Math.abs(value).toFixed(100).replace(".", "").replace(/^0+/, "");  // all that it has
  const isTie = /^50*$/.test(digits.slice(6)), isEven = Number(digits[5]) % 2 === 0;
  return isTie && isEven ? value * (1 - 1e-9) : value;
}

// Python's format(value, "g"): six digits, no trailing zeros.
function general(number) {
  const value = towardsEven(number);
  const exponent = Number(value.toExponential(5).split("e")[1]);
  if (exponent < -4 || exponent >= 6) {
    const [digits, power] = value.toExponential(5).split("e");
    return `${digits.replace(/\.?0+$/, "")}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }
  const fixed = value.toFixed(5 - exponent);
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

const agree = (answer, expected, tolerance) =>
  typeof answer === "string" || typeof expected === "string"
    ? typeof answer === typeof expected && answer.trim().toLowerCase() === expected.trim().toLowerCase()
    : Math.abs(answer - expected) <= 1e-9 + tolerance * Math.abs(expected);

// → [right, what to say]
function judge({ right, mistakes, tolerance }, answer) {
  if (agree(answer, right, tolerance)) return [true, ""];
  for (const [mistake, hint] of mistakes) {
    if (agree(answer, mistake, tolerance / 2)) return [false, hint];
  }
  if (typeof right === "string") return [false, "Not this one."];
  if (agree(-answer, right, tolerance)) {
    return [false, `Right but for the sign: ${general(answer)} is on the wrong side of 0.`];
  }
  return [false, `Not this number: ${general(answer)} is too ${answer > right ? "large" : "small"}.`];
}

// `code` in a hint; everything else is text.
function say(place, text) {
  place.replaceChildren(...text.split("`").map((piece, number) => {
    if (number % 2 === 0) return document.createTextNode(piece);
    const code = document.createElement("code");
    code.textContent = piece;
    return code;
  }));
}

const DONE = "vae_lessons.done";
const done = () => JSON.parse(localStorage.getItem(DONE) ?? "[]");

// Hints and solution follow their form.
const solutionOf = form => {
  let next = form.nextElementSibling;
  while (!next.matches("details.solution")) next = next.nextElementSibling;
  return next;
};

for (const form of document.querySelectorAll("form.exercise")) {
  const question = JSON.parse(form.querySelector("script").textContent), verdict = form.querySelector(".verdict");
  if (done().includes(question.name)) {
    verdict.className = "verdict right";
    say(verdict, "✓ You have answered this before.");
  }
  form.addEventListener("submit", event => {
    event.preventDefault();
    const given = new FormData(form).get(question.name) ?? "";
    const answer = typeof question.right === "string" ? given : readNumber(given);
    if (given === "" || Number.isNaN(answer)) {
      verdict.className = "verdict wrong";
      say(verdict, given === "" ? "○ Not answered yet." : "○ Please write a number, such as 0.25, 1/4 or 2.5e-1.");
      return;
    }
    const [isRight, message] = judge(question, answer);
    verdict.className = `verdict ${isRight ? "right" : "wrong"}`;
    say(verdict, isRight ? "✓ Right. The solution below says why." : `✗ Not yet. ${message}`);
    if (!isRight) return;
    solutionOf(form).open = true;
    localStorage.setItem(DONE, JSON.stringify([...new Set([...done(), question.name])]));
  });
}
