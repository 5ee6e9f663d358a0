// The parts of the page: each makes its own elements, tells what the visitor did, and draws what it is handed.

import { GaussianChart, KlChart, WaterChart } from "./charts.js";
import { LogSlider, button, links, make, part, write } from "./dom.js";
import { Pad, digitOf } from "./drawing.js";
import { apart, paint, picture, show } from "./pixels.js";
import { counts, gaussianElbo, impliedLevel, optimalElbo, sum, thresholds } from "./theory.js";
import { WORDS, decimal, figures, listed, share } from "./words.js";

/** @typedef {{ level: number, kl: number[], error: number }} Trained what one model pays and misses on average */
/** @typedef {{ sizes: import("./network.js").Sizes, noiseVar: number, eigenvalues: number[], examples: number[][], models: Trained[] }} Numbers */
/** @typedef {{ kl: Float64Array, error: number }} LabState */
/**
 * @typedef {object} View what stands on the page at one moment
 * @property {number} beta @property {number} noiseVar @property {number} level βσ_x²
 * @property {number[]} theory KL of each latent at the linear optimum @property {number} alive how many of them are above 0
 * @property {Trained} trained the model that was trained nearest to this level
 * @property {LabState | null} lab the model in training here
 */
/** @typedef {import("./dom.js").Lessons} Lessons */

export const BETA = { low: 0.03, high: 5 }, NOISE = { low: 5e-4, high: 100 };
const BATCH = 64;  // images, of the losses on the switches
const IN_USE = 0.1;  // nats, as in lesson 05
const LOWEST = 0.8;  // of the lowest trained level: further down no network answers

/** The spectrum under water, and the sliders for β and σ_x². */
export class Water {
  /**
   * @param {Numbers} numbers @param {Lessons} lessons
   * @param {(values: { beta?: number, noiseVar?: number, level?: number }) => void} moved
   */
  constructor(numbers, lessons, moved) {
    this.eigenvalues = numbers.eigenvalues.slice(0, numbers.sizes.nLatents);
    this.beta = new LogSlider(WORDS.beta, BETA, beta => moved({ beta }));
    this.noise = new LogSlider(WORDS.noise, NOISE, noiseVar => moved({ noiseVar }));
    const place = make("div", { class: "chart" });
    this.chart = new WaterChart(place, numbers.eigenvalues, numbers.sizes.nLatents, level => moved({ level }));
    this.element = part("water", [WORDS.water, ...links(lessons, "07")], place, this.beta.element, this.noise.element,
      make("p", { class: "note" }, WORDS.waterNote));
  }

  /** @param {View} view */
  draw({ beta, noiseVar, level, alive }) {
    this.beta.show(beta);
    this.beta.mark(thresholds(this.eigenvalues, noiseVar));
    this.noise.show(noiseVar);
    this.chart.draw(level, `βσₓ² = ${figures(level)}`, WORDS.waterAlt(figures(level), alive, decimal(this.eigenvalues[0])));
  }
}

/** The numbers: theory beside the trained network. */
export class Readings {
  /** @param {Numbers} numbers @param {Lessons} lessons */
  constructor(numbers, lessons) {
    this.numbers = numbers;
    /** @type {HTMLElement[][]} */
    this.cells = [];
    const row = (/** @type {string} */ text, /** @type {string} */ lesson) => {
      const cells = [make("td"), make("td")];
      this.cells.push(cells);
      return make("tr", {}, make("th", { scope: "row" }, text), ...cells, make("td", {}, ...links(lessons, lesson)));
    };
    const column = (/** @type {string} */ text) => make("th", { scope: "col" }, text);
    const head = make("tr", {}, make("td"), column(WORDS.theory), column(WORDS.trained), make("td"));
    const rows = [row(WORDS.level, "06"), row(WORDS.alive, "05"), row(WORDS.pays, "01"), row(WORDS.elbo, "03"), row(WORDS.death, "07")];
    this.note = make("p", { class: "note" });
    this.element = make("section", { class: "part readings" }, make("table", {}, head, ...rows), this.note);
  }

  /** @param {View} view */
  draw({ beta, noiseVar, level, theory, trained }) {
    const { eigenvalues, sizes: { nLatents, nPixels }, models } = this.numbers, kl = sum(trained.kl);
    const isAway = isBelow(level, trained), of = (/** @type {string} */ text) => (isAway ? WORDS.none : text);
    const rows = [
      [figures(level), of(figures(trained.level))],
      [WORDS.ofLatents(countUsed(theory), nLatents), of(WORDS.ofLatents(countUsed(trained.kl), nLatents))],
      [decimal(sum(theory)), of(decimal(kl))],
      [decimal(optimalElbo(eigenvalues, noiseVar, nLatents, beta), 1), of(decimal(gaussianElbo(trained.error, kl, noiseVar, beta, nPixels), 1))],
      [figures(thresholds(eigenvalues, noiseVar)[0]), this.trainedDeath(noiseVar)],
    ];
    rows.forEach((texts, i) => texts.forEach((text, j) => write(this.cells[i][j], text)));
    write(this.note, isAway ? WORDS.noneTrained(figures(models[0].level)) : this.says(level, trained));
  }

  /** @param {number} level @param {Trained} trained @returns {string} */
  says(level, trained) {
    const { models } = this.numbers, isAbove = level > models[models.length - 1].level;
    return WORDS.readingsNote(figures(trained.level), models.length) + (isAbove ? ` ${WORDS.noneAbove}` : "");
  }

  /** Between which two values of β the last trained latent dies. @param {number} noiseVar @returns {string} */
  trainedDeath(noiseVar) {
    const { models } = this.numbers, first = models.findIndex(model => countUsed(model.kl) === 0);
    return first > 0 ? WORDS.between(figures(models[first - 1].level / noiseVar), figures(models[first].level / noiseVar)) : "–";
  }
}

/** Whether the water is lower than any network was trained for. @param {number} level @param {Trained} trained the nearest @returns {boolean} */
export function isBelow(level, trained) {
  return level < LOWEST * trained.level;
}

/** @param {number[]} kl of each latent @returns {number} */
function countUsed(kl) {
  return kl.filter(each => each > IN_USE).length;
}

/** The KL of each latent. */
export class Kl {
  /** @param {Numbers} numbers @param {Lessons} lessons */
  constructor(numbers, lessons) {
    const place = make("div", { class: "chart" });
    const keys = Object.entries(WORDS.legend).map(([kind, text]) => make("span", { class: `key ${kind}` }, text));
    this.chart = new KlChart(place, numbers.sizes.nLatents);
    this.element = part("kl", [WORDS.kl, ...links(lessons, "01", "07")], make("p", { class: "legend" }, ...keys), place,
      make("p", { class: "note" }, WORDS.klNote));
  }

  /** @param {View} view */
  draw({ level, theory, trained, lab }) {
    const kl = isBelow(level, trained) ? null : trained.kl;
    this.chart.draw(theory, kl, lab?.kl ?? null, WORDS.klAlt(listed(theory), kl ? listed(kl) : WORDS.none, lab ? listed(lab.kl) : ""));
  }
}

/** The visitor's digit, what the model sees of it, and what comes back. */
export class Digit {
  /** @param {Numbers} numbers @param {Lessons} lessons @param {(x: Float64Array) => void} taken */
  constructor(numbers, lessons, taken) {
    this.taken = taken;
    const page = make("canvas", { class: "pad", width: 256, height: 256, tabindex: 0, role: "application", "aria-label": WORDS.padName });
    this.pad = new Pad(page, () => taken(digitOf(this.pad.strokes)));
    this.pad.draw();
    this.seen = picture();
    this.redrawn = picture();
    const figure = (/** @type {HTMLElement} */ shown, /** @type {Node | string} */ below) => make("figure", {}, shown, make("figcaption", {}, below));
    const three = [figure(page, button(WORDS.clear, () => this.pad.clear())), figure(this.seen, WORDS.seen), figure(this.redrawn, WORDS.redrawn)];
    this.examples = numbers.examples.map(image => Float64Array.from(image, value => value / 16));
    this.text = make("p", { class: "note" });
    this.element = part("digit", [WORDS.draw, ...links(lessons, "05")], make("div", { class: "three" }, ...three),
      make("div", { class: "examples" }, ...this.examples.map((x, number) => this.example(x, number))), this.text);
  }

  /** @param {Float64Array} x @param {number} number @returns {HTMLButtonElement} */
  example(x, number) {
    const small = picture("presentation"), element = button("", () => {
      this.pad.clear();
      this.taken(x);
    });
    paint(small, x);
    element.append(small);
    element.setAttribute("aria-label", WORDS.example(number));
    return element;
  }

  /** @param {Float64Array} x @param {Float64Array} back @param {number} kl @param {boolean} isEdited whether z was moved by hand */
  draw(x, back, kl, isEdited) {
    show(this.seen, x, WORDS.seen);
    show(this.redrawn, back, WORDS.redrawn);
    const ink = sum(x) / x.length, warning = ink === 0 ? `${WORDS.empty} ` : ink > 0.9 ? `${WORDS.full} ` : "";
    const says = isEdited ? WORDS.edited : WORDS.comesBack;
    write(this.text, warning + says(decimal(kl), decimal(apart(x, back) ** 2)));
  }

  /** @param {string} reason */
  fail(reason) {
    write(this.text, WORDS.failed(reason));
  }
}

/** The code of the digit: eight Gaussians, each with a z to drag. */
export class Latents {
  /** @param {Numbers} numbers @param {Lessons} lessons @param {(k: number, z: number) => void} dragged @param {(isRandom: boolean) => void} reset */
  constructor(numbers, lessons, dragged, reset) {
    this.reach = 3.5;
    this.each = Array.from({ length: numbers.sizes.nLatents }, (_, k) => this.latent(k, dragged));
    const grid = make("div", { class: "latents" }, ...this.each.map(latent => latent.element));
    this.element = part("codes", [WORDS.latents, ...links(lessons, "01", "05")], grid,
      make("p", { class: "note" }, WORDS.codeNote),
      make("p", { class: "buttons" }, button(WORDS.toMean, () => reset(false)), button(WORDS.sample, () => reset(true)), ...links(lessons, "04")));
  }

  /** @param {number} k @param {(k: number, z: number) => void} dragged */
  latent(k, dragged) {
    const place = make("div", { class: "bell" }), pays = make("span"), moves = make("span");
    const input = make("input", { type: "range", min: -this.reach, max: this.reach, step: 0.05, "aria-label": WORDS.latentName(k), autocomplete: "off" });
    input.addEventListener("input", () => dragged(k, input.valueAsNumber));
    const number = make("b", { "aria-hidden": "true" }, String(k + 1));
    return { element: make("div", { class: "latent" }, place, input, number, pays, moves), chart: new GaussianChart(place, this.reach), input, pays, moves };
  }

  /** @param {import("./network.js").Code} code @param {Float64Array} z @param {Float64Array} swings */
  draw({ mu, logSigma, kl }, z, swings) {
    this.each.forEach(({ chart, input, pays, moves }, k) => {
      const [paid, moved] = [decimal(kl[k]), decimal(swings[k])];
      chart.draw(mu[k], Math.exp(logSigma[k]), z[k]);
      if (input.valueAsNumber !== z[k]) input.value = String(z[k]);
      input.setAttribute("aria-valuetext", WORDS.latentValue(decimal(z[k]), paid, moved));
      write(pays, WORDS.latentPays(paid));
      write(moves, WORDS.latentMoves(moved));
    });
  }
}

/** Images from the prior. */
export class Dreams {
  /** @param {Lessons} lessons @param {() => void} again */
  constructor(lessons, again) {
    this.pictures = Array.from({ length: 8 }, () => picture("presentation"));
    this.row = make("div", { class: "dreams", role: "img" }, ...this.pictures);
    this.element = part("dreaming", [WORDS.dreams, ...links(lessons, "07", "09")], this.row, button(WORDS.dream, again));
  }

  /** @param {Float64Array[]} images */
  draw(images) {
    this.pictures.forEach((canvas, number) => paint(canvas, images[number]));
    const steps = images.slice(1).map((image, number) => apart(image, images[number]));
    this.row.setAttribute("aria-label", WORDS.dreamAlt(decimal(sum(steps) / steps.length)));
  }
}

/** @type {Record<keyof typeof WORDS.recipe, import("./theory.js").Recipe>} */
const RECIPES = {
  post: { error: "mean", kl: "mean" },
  sums: { error: "sum", kl: "sum" },
  half: { error: "sum", kl: "sum", errorWeight: 0.5 },
  mixed: { error: "mean", kl: "sum_mean" },
  small: { error: "mean", kl: "sum_mean", klWeight: 0.00025 },
  kilo: { error: "sum", kl: "mean" },
};

/** Losses of real code, each a switch; and one of the visitor's own. */
export class Recipes {
  /** @param {Numbers} numbers @param {Lessons} lessons @param {(level: number) => void} used */
  constructor(numbers, lessons, used) {
    this.numbers = numbers;
    this.used = used;
    this.text = make("p", { class: "note", role: "status" });
    const names = /** @type {(keyof typeof RECIPES)[]} */ (Object.keys(RECIPES));
    this.switches = names.map(name => button(WORDS.recipe[name], () => this.use(name)));
    this.element = part("recipes", [WORDS.recipes, ...links(lessons, "06")], make("p", { class: "buttons" }, ...this.switches),
      this.text, make("p", { class: "note" }, WORDS.recipesNote), new OwnRecipe(numbers, level => this.useLevel(level, -1)).element);
    this.press(-1);
  }

  /** @param {keyof typeof RECIPES} name */
  use(name) {
    const { nPixels, nLatents } = this.numbers.sizes, level = impliedLevel(RECIPES[name], nPixels, nLatents, BATCH);
    const { kl, error } = counts(RECIPES[name], nPixels, nLatents, BATCH);
    const alive = this.numbers.eigenvalues.slice(0, nLatents).filter(value => value > level).length;
    this.useLevel(level, Object.keys(RECIPES).indexOf(name));
    write(this.text, WORDS.recipeSays(WORDS.recipe[name], share(kl), share(error), figures(level), alive));
  }

  /** No switch is pressed any more. */
  release() {
    if (this.switches.some(element => element.getAttribute("aria-pressed") === "true")) this.press(-1);
  }

  /** @param {number} pressed which switch, −1 for none */
  press(pressed) {
    this.switches.forEach((element, number) => element.setAttribute("aria-pressed", String(number === pressed)));
    write(this.text, "");
  }

  /** @param {number} level @param {number} pressed which switch, −1 for none */
  useLevel(level, pressed) {
    this.press(pressed);
    this.used(level);
  }
}

/** A form that reads a loss, and says its level. */
class OwnRecipe {
  /** @param {Numbers} numbers @param {(level: number) => void} used */
  constructor({ eigenvalues, sizes }, used) {
    this.ends = [eigenvalues[0], eigenvalues[sizes.nLatents - 1]];
    const number = (/** @type {number} */ value) => make("input", { type: "number", value, min: 0, step: "any" });
    const choice = () => make("select", {}, ...Object.entries(WORDS.reductions).map(([value, text]) => make("option", { value }, text)));
    this.fields = { nPixels: number(784), nLatents: number(20), batch: number(128), error: choice(), errorWeight: number(1), kl: choice(), klWeight: number(1) };
    const names = /** @type {(keyof typeof WORDS.fields)[]} */ (Object.keys(this.fields));
    const form = make("div", { class: "own" }, ...names.map(name => make("label", {}, WORDS.fields[name], this.fields[name])));
    this.text = make("p", { class: "note", role: "status" });
    this.button = button(WORDS.ownUse, () => used(this.level()));
    form.addEventListener("input", () => this.say());
    this.say();
    this.element = make("details", {}, make("summary", {}, WORDS.own), make("p", {}, WORDS.ownIntro), form, this.text, this.button);
  }

  level() {
    const { nPixels, nLatents, batch, error, errorWeight, kl, klWeight } = this.fields;
    const recipe = { error: error.value, kl: kl.value, errorWeight: errorWeight.valueAsNumber, klWeight: klWeight.valueAsNumber };
    return impliedLevel(recipe, nPixels.valueAsNumber, nLatents.valueAsNumber, batch.valueAsNumber);
  }

  say() {
    try {
      const level = this.level(), [first, last] = this.ends;
      const says = [WORDS.ownSays(figures(level), figures(first))];
      // Where the last latent would stand half as high again as the water.
      if (level >= last) says.push(WORDS.ownCure(figures(last / 1.5 / level), figures(last / 1.5)));
      this.button.disabled = level < BETA.low * NOISE.low || level > BETA.high * NOISE.high;
      if (this.button.disabled) says.push(WORDS.ownTooFar);
      write(this.text, says.join(" "));
    } catch (error) {
      write(this.text, `${/** @type {Error} */ (error).message}.`);
      this.button.disabled = true;
    }
  }
}
