// The water and the picture that comes back stay in sight, whatever is under the hand.

import { make, write } from "./dom.js";
import { paint, picture } from "./pixels.js";
import { sum } from "./theory.js";
import { WORDS, decimal, figures } from "./words.js";

/** One line at the top edge. It repeats what stands elsewhere, so a screen reader skips it. */
export class Strip {
  constructor() {
    this.text = make("span");
    this.seen = picture("presentation");
    this.redrawn = picture("presentation");
    this.element = make("div", { class: "strip", "aria-hidden": "true" }, this.text, this.seen, "→", this.redrawn);
  }

  /** @param {import("./parts.js").View} view @param {number} nSteps of the training here, 0 for none */
  draw({ level, alive, theory }, nSteps) {
    write(this.text, WORDS.strip(figures(level), alive, theory.length, decimal(sum(theory)), nSteps));
  }

  /** @param {ArrayLike<number>} x @param {ArrayLike<number>} back */
  drawPictures(x, back) {
    paint(this.seen, x);
    paint(this.redrawn, back);
  }
}
