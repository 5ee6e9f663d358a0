// Three short prompts for a first visitor: predict, move, read.

import { button, make, write } from "./dom.js";
import { WORDS, figures } from "./words.js";


/** @typedef {import("./parts.js").View} View */

export const START = { beta: 0.2, noiseVar: 0.5 };  // where it is asked again: most bars stand above the water

/** As near as a hand puts a slider. @param {number} value @returns {boolean} */
const isOne = value => Math.abs(Math.log(value)) < 0.03;

/** Asks how many latents stand above the water at β = 1, and answers once β was there. */
export class Prompt {
  /**
   * @param {number[]} eigenvalues of the directions that have a latent
   * @param {() => void} guessed called when a guess was made @param {() => void} askedAnew when the visitor wants to be asked again
   */
  constructor(eigenvalues, guessed, askedAnew) {
    this.eigenvalues = eigenvalues;
    this.guessed = guessed;
    this.askedAnew = askedAnew;
    this.text = make("span");
    const choices = Array.from({ length: eigenvalues.length + 1 }, (_, n) => button(String(n), () => this.take(n)));
    this.choices = make("span", { class: "choices", role: "group", "aria-label": WORDS.guess }, ...choices);
    this.again = button(WORDS.again(figures(START.beta)), () => this.askAnew());
    this.element = make("div", { class: "prompt", "aria-live": "polite" }, this.text, this.choices, this.again);
    this.guess = -1;  // none yet
    this.noiseVar = 0;  // at which it was asked
    this.side = 0;  // of β = 1, at the last look: −1 below, 1 above
    this.isRead = false;
  }

  /** @param {number} guess from 0 */
  take(guess) {
    this.guess = guess;
    this.guessed();
  }

  askAnew() {
    this.guess = -1;
    this.isRead = false;
    this.askedAnew();
  }

  /** @param {View} view */
  draw({ beta, noiseVar }) {
    if (this.guess < 0) this.noiseVar = noiseVar;
    const isAsked = isOne(noiseVar / this.noiseVar);
    this.isRead ||= this.guess >= 0 && isAsked && this.isAtOne(beta);
    this.side = Math.sign(Math.log(beta));
    write(this.text, this.says(isAsked, beta, noiseVar));
    this.choices.hidden = this.guess >= 0;
    this.again.hidden = this.guess < 0;
  }

  /** @returns {"predict" | "move" | "read"} */
  get step() {
    return this.guess < 0 ? "predict" : this.isRead ? "read" : "move";
  }

  /** Whether β is at 1, or went past it since the last look. @param {number} beta @returns {boolean} */
  isAtOne(beta) {
    return isOne(beta) || Math.sign(Math.log(beta)) === -this.side;
  }

  /** @param {boolean} isAsked whether σ_x² is still what was asked for @param {number} beta @param {number} noiseVar @returns {string} */
  says(isAsked, beta, noiseVar) {
    const asked = figures(this.noiseVar);
    if (this.step === "predict") return WORDS.predict(asked);
    if (this.step === "read") return WORDS.read(this.guess, this.eigenvalues.filter(value => value > this.noiseVar).length, asked, isAsked && isOne(beta));
    return isAsked ? WORDS.move(this.guess, asked) : WORDS.moved(this.guess, asked, figures(noiseVar));
  }
}
