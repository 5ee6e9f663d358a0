// Making elements, and writing in them only what is new.

import { WORDS, figures } from "./words.js";

/** @typedef {Record<string, string>} Lessons where each lesson is, by its number */

/**
 * A new element with attributes and children.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name @param {Record<string, string | number>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** A button that does something. @param {string} text @param {() => void} act @returns {HTMLButtonElement} */
export function button(text, act) {
  const element = make("button", { type: "button" }, text);
  element.addEventListener("click", act);
  return element;
}

/** Write a text, if it is another one. @param {Node} place @param {string} text */
export function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Links to the lessons that derive what stands before them. @param {Lessons} lessons @param {string[]} numbers @returns {(Node | string)[]} */
export function links(lessons, ...numbers) {
  return numbers.filter(number => lessons[number]).flatMap(number =>
    [" ", make("a", { class: "lesson", href: lessons[number] }, WORDS.lesson(number))]);
}

/** A part of the page under its heading. @param {string} name @param {(Node | string)[]} title @param {Node[]} children @returns {HTMLElement} */
export function part(name, title, ...children) {
  return make("section", { class: `part ${name}` }, make("h3", {}, ...title), ...children);
}

/** A range input on a logarithmic scale, with its symbol and its value. */
export class LogSlider {
  /**
   * @param {string[]} words its symbol, and what that is
   * @param {{ low: number, high: number }} ends @param {(value: number) => void} moved
   */
  constructor([symbol, meaning], ends, moved) {
    this.ends = ends;
    this.steps = 600;
    this.input = make("input", { type: "range", min: 0, max: this.steps, "aria-label": `${symbol}, ${meaning}`, autocomplete: "off" });
    this.output = make("output");
    this.marks = make("span", { class: "marks", "aria-hidden": "true" });
    this.element = make("label", { class: "slide" }, make("b", {}, symbol), make("small", {}, meaning), make("span", { class: "track" }, this.input, this.marks), this.output);
    this.input.addEventListener("input", () => moved(ends.low * (ends.high / ends.low) ** (this.input.valueAsNumber / this.steps)));
  }

  /** How far along the track a value lies, from 0 to 1. @param {number} value @returns {number} */
  share(value) {
    return Math.log(value / this.ends.low) / Math.log(this.ends.high / this.ends.low);
  }

  /** Put small marks below the track. @param {number[]} values */
  mark(values) {
    values.forEach((value, number) => {
      const share = this.share(value), element = this.marks.children[number] ?? this.marks.appendChild(make("i"));
      element.setAttribute("style", share >= 0 && share <= 1 ? `left: ${(100 * share).toFixed(2)}%` : "display: none");
    });
  }

  /** @param {number} value */
  show(value) {
    const text = figures(value), place = String(Math.round(this.steps * this.share(value)));
    if (this.input.value !== place) this.input.value = place;
    write(this.output, text);
    this.input.setAttribute("aria-valuetext", text);
  }
}
