// The page: one state, drawn at most once for each picture of the screen.

import { make, write } from "./dom.js";
import { Random } from "./lab.js";
import { Network } from "./network.js";
import { BETA, Digit, Dreams, Kl, Latents, NOISE, Readings, Recipes, Water, isBelow } from "./parts.js";
import { apart } from "./pixels.js";
import { Prompt, START } from "./prompt.js";
import { Strip } from "./strip.js";
import { klPerLatent, sum } from "./theory.js";
import { Trainer } from "./trainer.js";
import { WORDS, decimal, figures } from "./words.js";

/**
 * @typedef {object} Source where the page has its numbers from
 * @property {import("./parts.js").Numbers} numbers
 * @property {(index: number) => Promise<Uint16Array>} weights of one model, fetched when needed
 * @property {() => Promise<Uint8Array>} digits all of the data, in sixteenths
 * @property {import("./dom.js").Lessons} lessons
 */

const GLIDE = 350;  // ms in which the water comes to the level of another loss
const REST = 500;  // ms after which a screen reader is told
const RETRY = 3000;  // ms before what could not be fetched is asked for again

/** The number of the model trained nearest to this level, by ratio. @param {{ level: number }[]} models @param {number} level @returns {number} */
export function nearest(models, level) {
  const off = (/** @type {number} */ i) => Math.abs(Math.log(models[i].level / level));
  return models.reduce((best, _, i) => (off(i) < off(best) ? i : best), 0);
}

/** How far the picture moves when one latent goes from −2 to 2. @param {Network} network @param {Float64Array} z @param {number} k @returns {number} */
export function swing(network, z, k) {
  const moved = Float64Array.from(z);
  moved[k] = -2;
  const low = Float64Array.from(network.decode(moved));
  moved[k] = 2;
  return apart(low, network.decode(moved));
}

/** The value, or the nearer end. @param {number} value @param {{ low: number, high: number }} ends @returns {number} */
function within(value, { low, high }) {
  return Math.min(high, Math.max(low, value));
}

/** The living page inside an element. */
export class Page {
  /** @param {HTMLElement} root @param {Source} source */
  constructor(root, source) {
    const { numbers, lessons } = source, { nLatents } = numbers.sizes, ask = () => this.ask();
    this.source = source;
    this.root = root;
    this.beta = this.noiseVar = 0.5;
    this.random = new Random(1);
    /** @type {Map<number, Network>} */
    this.networks = new Map();
    /** @type {Set<number>} */
    this.waiting = new Set();
    /** @type {Network | null} */
    this.network = null;
    this.prompt = new Prompt(numbers.eigenvalues.slice(0, nLatents), ask, () => this.move(START));
    this.strip = new Strip();
    this.water = new Water(numbers, lessons, values => this.move(values));
    this.readings = new Readings(numbers, lessons);
    this.kl = new Kl(numbers, lessons);
    this.trainer = new Trainer(numbers, lessons, source.digits, () => this, ask, values => this.move(values));
    this.digit = new Digit(numbers, lessons, x => this.take(x));
    this.latents = new Latents(numbers, lessons, (k, z) => this.drag(k, z), isRandom => this.reset(isRandom));
    this.dreams = new Dreams(lessons, () => this.dream());
    this.recipes = new Recipes(numbers, lessons, level => this.glideTo(level));
    this.isEdited = false;  // whether z was moved by hand
    this.isOther = true;  // whether the networks have something else to draw than before
    this.status = make("p", { class: "unseen", role: "status" });
    /** @type {Float64Array} */
    this.x = this.digit.examples[3] ?? this.digit.examples[0];
    /** @type {import("./network.js").Code | null} the code of x, once it is known */
    this.code = null;
    /** @type {Float64Array} */
    this.z = new Float64Array(nLatents);
    /** @type {Float64Array} */
    this.swings = new Float64Array(nLatents);
    this.codes = this.drawCodes();
    this.frame = this.gliding = this.saying = 0;
    this.said = "";
    this.fill(root);
  }

  /** @param {HTMLElement} root */
  fill(root) {
    root.classList.add("living");
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", WORDS.region);
    const parts = [this.water, this.digit, this.recipes, this.latents, this.dreams, this.readings, this.kl, this.trainer];
    root.replaceChildren(this.prompt.element, this.strip.element, make("div", { class: "parts" }, ...parts.map(each => each.element)), this.status);
    this.sight = new IntersectionObserver(entries => this.trainer.see(entries[entries.length - 1].isIntersecting));
    this.sight.observe(root);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(root);
    this.resize();
    this.draw();
  }

  // What the visitor does ----------------------------------------------------------------------

  get level() {
    return this.beta * this.noiseVar;
  }

  /** A hand moves the water: no loss of a switch any more, and none on its way. @param {{ beta?: number, noiseVar?: number, level?: number }} values */
  move(values) {
    cancelAnimationFrame(this.gliding);
    this.recipes.release();
    this.set(values);
  }

  /** Dragged water moves β. @param {{ beta?: number, noiseVar?: number, level?: number }} values */
  set({ beta = this.beta, noiseVar = this.noiseVar, level }) {
    this.noiseVar = within(noiseVar, NOISE);
    this.beta = within(level === undefined ? beta : level / this.noiseVar, BETA);
    this.ask();
  }

  /** A loss fixes the product alone: it is shown as β = 1 and σ_x² = level, as far as the slider goes. @param {number} level */
  glideTo(level) {
    const from = { beta: this.beta, noiseVar: this.noiseVar }, began = performance.now();
    const noiseVar = within(level, NOISE), beta = level / noiseVar;
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    cancelAnimationFrame(this.gliding);
    const move = () => {
      const share = isStill ? 1 : Math.min(1, (performance.now() - began) / GLIDE);
      this.set({ beta: from.beta ** (1 - share) * beta ** share, noiseVar: from.noiseVar ** (1 - share) * noiseVar ** share });
      if (share < 1) this.gliding = requestAnimationFrame(move);
    };
    move();
  }

  /** Another image, or the same anew. @param {Float64Array} x */
  take(x) {
    this.x = x;
    this.code = null;
    this.ask();
  }

  /** @param {number} k @param {number} z */
  drag(k, z) {
    this.z[k] = z;
    this.isEdited = true;
    this.isOther = true;
    this.ask();
  }

  /** z at the means of q(z|x), or drawn from it. @param {boolean} isRandom */
  reset(isRandom) {
    if (!this.code) return;
    this.isEdited = false;
    const { mu, logSigma } = this.code;
    this.z = mu.map((value, k) => value + (isRandom ? Math.exp(logSigma[k]) * this.random.normal() : 0));
    this.isOther = true;
    this.ask();
  }

  dream() {
    this.codes = this.drawCodes();
    if (this.network) this.drawDreams(this.network);
  }

  drawCodes() {
    return Array.from({ length: 8 }, () => this.z.map(() => this.random.normal()));
  }

  // What is drawn ------------------------------------------------------------------------------

  /** Draw before the next picture of the screen. */
  ask() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  resize() {
    for (const { chart } of [this.water, this.kl]) if (chart.resize()) this.ask();
  }

  /** @returns {import("./parts.js").View} */
  view() {
    const { numbers } = this.source, { beta, noiseVar, level } = this;
    const theory = klPerLatent(numbers.eigenvalues, level, numbers.sizes.nLatents);
    const trained = numbers.models[nearest(numbers.models, level)];
    return { beta, noiseVar, level, theory, trained, alive: theory.filter(kl => kl > 0).length, lab: this.trainer.lab?.state() ?? null };
  }

  draw() {
    const view = this.view();
    for (const each of [this.prompt, this.water, this.readings, this.kl, this.trainer]) each.draw(view);
    if (this.root.dataset.step !== this.prompt.step) this.root.dataset.step = this.prompt.step;  // what the prompt speaks of is framed
    this.strip.draw(view, this.trainer.isRunning ? this.trainer.lab?.nSteps ?? 0 : 0);
    this.announce(WORDS.says(figures(view.beta), figures(view.level), view.alive, decimal(sum(view.theory)), isBelow(view.level, view.trained) ? null : decimal(sum(view.trained.kl))));
    const index = this.source.numbers.models.indexOf(view.trained), network = this.networks.get(index);
    if (network) this.drawNetwork(network);
    else this.fetch(index);
  }

  /** @param {Network} network */
  drawNetwork(network) {
    if (network === this.network && this.code && !this.isOther) return;
    this.isOther = false;
    if (network !== this.network) {
      this.drawDreams(network);
      this.code = null;
    }
    this.network = network;
    if (!this.code) {
      this.code = network.encode(this.x);
      this.isEdited = false;
      this.z = Float64Array.from(this.code.mu);
      this.swings = this.z.map((_, k) => swing(network, this.z, k));
    }
    this.latents.draw(this.code, this.z, this.swings);
    const back = network.decode(this.z);
    this.digit.draw(this.x, back, sum(this.code.kl), this.isEdited);
    this.strip.drawPictures(this.x, back);
  }

  /** @param {Network} network */
  drawDreams(network) {
    this.dreams.draw(this.codes.map(z => Float64Array.from(network.decode(z))));
  }

  /** @param {number} index */
  async fetch(index) {
    if (this.waiting.has(index)) return;
    this.waiting.add(index);
    try {
      this.networks.set(index, new Network(await this.source.weights(index), this.source.numbers.sizes));
      this.ask();
    } catch (error) {
      if (this.source.numbers.models[index] === this.view().trained) this.digit.fail(/** @type {Error} */ (error).message);
      setTimeout(() => this.waiting.delete(index), RETRY);  // the next move asks again
    }
  }

  /** Tell a screen reader, once the hand rests. @param {string} text */
  announce(text) {
    if (text === this.said) return;
    this.said = text;
    clearTimeout(this.saying);
    this.saying = window.setTimeout(() => write(this.status, text), REST);
  }

  /** Stop everything. */
  dispose() {
    this.trainer.stop();
    this.observer?.disconnect();
    this.sight?.disconnect();
    cancelAnimationFrame(this.frame);
    cancelAnimationFrame(this.gliding);
    clearTimeout(this.saying);
  }
}

/** Show the page in an element; a fault becomes a sentence there. @param {HTMLElement} root @param {Source} source @returns {Page | undefined} */
export function mount(root, source) {
  try {
    return new Page(root, source);
  } catch (error) {
    write(root, WORDS.broken(/** @type {Error} */ (error).message));
    return undefined;
  }
}
