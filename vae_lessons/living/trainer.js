// The lab on the page: trains a linear VAE between two pictures, for as long as it is looked at.

import { LogSlider, button, links, make, part, write } from "./dom.js";
import { Lab } from "./lab.js";
import { BETA } from "./parts.js";
import { gaussianElbo, optimalElbo, sum } from "./theory.js";
import { WORDS, decimal } from "./words.js";

const TRAIN_FOR = 8;  // ms for each picture
const ROUGH = 0.02;  // the level below which steps of a hundredth are seen not to settle: the gap stays above a nat
const CALM = 250;  // ms between two pictures, for those who asked for less motion

export class Trainer {
  /**
   * @param {import("./parts.js").Numbers} numbers @param {import("./dom.js").Lessons} lessons
   * @param {() => Promise<Uint8Array>} digits @param {() => { beta: number, noiseVar: number }} objective @param {() => void} ask
   * @param {(values: { beta: number }) => void} moved
   */
  constructor(numbers, lessons, digits, objective, ask, moved) {
    this.numbers = numbers;
    this.digits = digits;
    this.objective = objective;
    this.ask = ask;
    this.isRunning = false;
    this.isSeen = true;  // whether any of the page is on the screen
    this.run = 0;  // which press of the button trains
    this.shownAt = 0;
    /** @type {Lab | null} */
    this.lab = null;
    this.start = button(WORDS.train, () => this.toggle());
    this.anew = button(WORDS.anew, () => this.reset());
    this.anew.disabled = true;
    this.beta = new LogSlider(WORDS.betaAgain, BETA, beta => moved({ beta }));  // in reach of the diamonds
    this.text = make("p", { class: "note" }, WORDS.labWaits);
    this.element = part("lab", [WORDS.lab, ...links(lessons, "07")], make("p", { class: "buttons" }, this.start, this.anew), this.beta.element, this.text);
  }

  async toggle() {
    this.isRunning = !this.isRunning;
    write(this.start, this.isRunning ? WORDS.pause : WORDS.train);
    const run = (this.run += 1);  // what an earlier press set going ends
    if (!this.isRunning) return this.ask();  // the last word, also where pictures are rare
    try {
      this.lab ??= await this.untrained();
      this.anew.disabled = false;
      this.turn(run);
    } catch (error) {
      this.fail(/** @type {Error} */ (error));
    }
  }

  /** @returns {Promise<Lab>} */
  async untrained() {
    const { sizes } = this.numbers, sixteenths = await this.digits();
    if (sixteenths.length === 0 || sixteenths.length % sizes.nPixels) throw new RangeError("the file of the digits is damaged");
    return new Lab(Float64Array.from(sixteenths, value => value / 16), sizes.nPixels, sizes.nLatents);
  }

  reset() {
    if (this.lab) this.lab = new Lab(this.lab.x, this.lab.nPixels, this.lab.nLatents);
    this.ask();
  }

  /** Out of sight it waits. @param {boolean} isSeen */
  see(isSeen) {
    const isBack = isSeen && !this.isSeen;
    this.isSeen = isSeen;
    if (isBack && this.isRunning) this.turn((this.run += 1));
  }

  /** @param {Error} error */
  fail(error) {
    this.isRunning = false;
    this.lab = null;
    this.anew.disabled = true;
    write(this.start, WORDS.train);
    write(this.text, WORDS.labFailed(error.message));
  }

  /** As many steps as fit between two pictures; with fewer pictures for those who asked for less motion. @param {number} run */
  turn(run) {
    if (run !== this.run || !this.isRunning || !this.lab || !this.isSeen || !this.element.isConnected) return;
    const end = performance.now() + TRAIN_FOR, { beta, noiseVar } = this.objective();
    try {
      do this.lab.step(beta, noiseVar);
      while (performance.now() < end);
    } catch (error) {
      this.fail(/** @type {Error} */ (error));
    }
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!isCalm || end - this.shownAt > CALM) {
      this.shownAt = end;
      this.ask();
    }
    if (isCalm) setTimeout(() => this.turn(run));
    else requestAnimationFrame(() => this.turn(run));
  }

  stop() {
    this.isRunning = false;
  }

  /** @param {import("./parts.js").View} view */
  draw({ beta, noiseVar, theory, alive, lab }) {
    this.beta.show(beta);
    if (!lab || !this.lab) return;
    const { eigenvalues, sizes: { nLatents, nPixels } } = this.numbers, kl = sum(lab.kl);
    const gap = optimalElbo(eigenvalues, noiseVar, nLatents, beta) - gaussianElbo(lab.error, kl, noiseVar, beta, nPixels);
    const rough = beta * noiseVar < ROUGH ? ` ${WORDS.labRough}` : "", drowned = alive ? "" : ` ${WORDS.labDrowned}`;
    write(this.text, WORDS.labSays(this.lab.nSteps, decimal(kl), decimal(sum(theory)), decimal(gap, 3)) + rough + drowned);
  }
}
