// Everything the page says, in one place; another language is another object of this shape.

/** With so many decimals. @param {number} value @param {number} [digits] @returns {string} */
export function decimal(value, digits = 2) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** A positive number to two or three figures. @param {number} value @returns {string} */
export function figures(value) {
  return value >= 100 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(2) : String(Number(value.toPrecision(2)));
}

/** Several of them in a sentence. @param {ArrayLike<number>} values @returns {string} */
export function listed(values) {
  return Array.from(values, value => decimal(value)).join(", ");
}

/** A weight as people write it: 1/64 and not 0.015625. @param {number} value @returns {string} */
export function share(value) {
  const parts = Math.round(1 / value);
  return parts > 1 && parts * value === 1 && parts < 4000 ? `1/${parts}` : String(value);
}

/** @param {string} factor */
const bracketed = factor => (factor.includes("/") ? `(${factor})` : factor);

/** @param {number} n @param {string} one @param {string} many */
const counted = (n, one, many) => `${n || "no"} ${n === 1 ? one : many}`;

export const WORDS = {
  region: "A variational autoencoder to play with",
  lesson: (/** @type {string} */ number) => `lesson ${number}`,
  clear: "clear",
  again: (/** @type {string} */ beta) => `ask again, with β back at ${beta}`,

  predict: (/** @type {string} */ noise) => `Predict. With σₓ² = ${noise}, how many of the eight latents still stand above the water at β = 1?`,
  guess: "Your guess",
  move: (/** @type {number} */ guess, /** @type {string} */ noise) =>
    `Move. You say ${guess}. Now take β to 1, by its slider or by the water itself, and leave σₓ² at ${noise}.`,
  moved: (/** @type {number} */ guess, /** @type {string} */ asked, /** @type {string} */ noise) =>
    `Move. You say ${guess}, for σₓ² = ${asked}; but now σₓ² is ${noise}. Take it back to ${asked} and β to 1, or ask again.`,
  read: (/** @type {number} */ guess, /** @type {number} */ alive, /** @type {string} */ level, /** @type {boolean} */ isThere) =>
    `Read. ${guess === alive ? "Right" : `It is ${alive}, not ${guess}`}: of the eight bars with a latent, ${counted(alive, "stands", "stand")} above ${level}, where the water is at β = 1. ` +
    "A latent lives while its bar, λᵢ, is above the water, and pays ½ log(λᵢ/βσₓ²) nats. " +
    (isThere ? "Now draw a digit, and drag a latent that lives and one that drowned." : "Take β back to 1 to see them."),

  water: "The water: variance of digits in 16 directions [pixel²]",
  waterAlt: (/** @type {string} */ level, /** @type {number} */ alive, /** @type {string} */ first) =>
    `Bars: the variances of handwritten digits along sixteen principal directions, the largest ${first}. Water stands at ${level}. ` +
    `Of eight directions that have a latent, ${alive || "none"} rise above it.`,
  waterNote: "The directions are principal components: patterns of ink, those along which the digits vary most come first. β makes a nat dearer, σₓ² makes an error cheaper: which latents live depends on their product alone, the water level. " +
    "Dashed: directions for which no latent is left. The marks under β, as far as it goes, are where each latent dies in theory.",
  strip: (/** @type {string} */ level, /** @type {number} */ alive, /** @type {number} */ all, /** @type {string} */ kl, /** @type {number} */ nSteps) =>
    `water ${level}: ${alive} of ${all} above it, ${kl} nats in theory${nSteps ? `; trains, step ${nSteps}` : ""}`,
  beta: ["β", "price of a nat"],
  betaAgain: ["β", "the same slider again"],
  noise: ["σₓ²", "variance of the decoder’s noise"],

  theory: "theory",
  trained: "trained",
  level: "water level βσₓ²",
  alive: "latents that pay over 0.1 nats",
  pays: "total KL [nats]",
  elbo: "objective log p(x|z) − β KL",
  death: "last latent dies at β",
  between: (/** @type {string} */ low, /** @type {string} */ high) => `${low}–${high}`,
  ofLatents: (/** @type {number} */ alive, /** @type {number} */ all) => `${alive} of ${all}`,
  readingsNote: (/** @type {string} */ level, /** @type {number} */ count) =>
    `Per digit, in nats; at β = 1 the objective is the ELBO. Theory: the best linear VAE. Trained: of ${count} networks the one whose level is nearest, ${level}; none of its latents pays exactly nothing, so both columns count those over 0.1 nats. ` +
    "A network bends where a linear model cannot, and may pay more in fewer latents.",
  noneAbove: "No network stood higher: there all is drowned already.",
  noneTrained: (/** @type {string} */ level) => `Per digit, in nats. Theory: the best linear VAE. No network was trained for water so low: digit and code are those of the lowest, at ${level}.`,
  none: "–",

  kl: "What each latent pays: KL [nats per digit]",
  klAlt: (/** @type {string} */ theory, /** @type {string} */ trained, /** @type {string} */ lab) =>
    `KL of each latent in nats, largest first. Linear theory: ${theory}. Trained network: ${trained}.${lab && ` In training here: ${lab}.`}`,
  klNote: "The KL measures in nats how far the code q(z|x) of a digit is from the prior. It is 0 only where the two are the same: then z says nothing about the digit.",
  legend: { bars: "theory, best linear VAE", dots: "trained network", diamonds: "trains here" },

  draw: "Draw a digit",
  drawHere: "draw here",
  padName: "A page to draw a digit on. The arrow keys move the pen, the space bar puts it down and lifts it, Delete clears.",
  seen: "as the model sees it",
  redrawn: "as it comes back",
  example: (/** @type {number} */ number) => `Take the digit ${number} of the data`,
  pictureAlt: (/** @type {string} */ what, /** @type {number} */ ink, /** @type {string} */ where) =>
    `${what}: 8 × 8 pixels, ${Math.round(100 * ink)} % ink, its middle ${where}`,
  where: ["at the top left", "at the top", "at the top right", "at the left", "in the middle", "at the right", "at the bottom left", "at the bottom", "at the bottom right"],
  comesBack: (/** @type {string} */ kl, /** @type {string} */ error) => `This digit pays ${kl} nats, and comes back with a squared error of ${error}.`,
  edited: (/** @type {string} */ kl, /** @type {string} */ error) => `This digit pays ${kl} nats. You moved z: the picture is yours now, and differs from the digit by a squared error of ${error}.`,
  empty: "The page is empty, and no digit of the data is: this is what the model makes of blank paper.",
  full: "The page is nearly all ink. No digit of the data looks so: do not trust what comes back.",
  failed: (/** @type {string} */ reason) => `The trained network for this level is not here: ${reason}. The theory works without it.`,

  latents: "Its code: eight Gaussians q(z|x) over the grey prior. Drag a z",
  latentName: (/** @type {number} */ k) => `Latent ${k + 1}`,
  latentValue: (/** @type {string} */ z, /** @type {string} */ kl, /** @type {string} */ swing) =>
    `z = ${z}; this digit pays ${kl} nats for it; from −2 to 2 it moves the picture by ${swing}`,
  latentPays: (/** @type {string} */ kl) => `${kl} nats`,
  latentMoves: (/** @type {string} */ swing) => `moves ${swing}`,
  codeNote: "Grey is the prior N(0, 1), from which z comes when there is no digit; orange is q(z|x), what the encoder says of z for this digit. A trained network may leave a latent silent whose bar stands only a little above the water. “Moves” is how far the picture goes while z goes from −2 to 2: the root of the summed squares of all pixels.",
  toMean: "z back to the means",
  sample: "draw z from q",

  dreams: "Dreams: decoded from the prior",
  dream: "dream again",
  dreamAlt: (/** @type {string} */ apart) => `Eight images that the model makes of random codes. From one to the next they differ by ${apart}, the root of the summed squares.`,

  lab: "Train a linear VAE, here",
  train: "train",
  pause: "pause",
  anew: "begin anew",
  labWaits: "Press “train”, then move β: the green diamonds above are what this model pays, and run after the bars.",
  labSays: (/** @type {number} */ steps, /** @type {string} */ kl, /** @type {string} */ theory, /** @type {string} */ gap) =>
    `Step ${steps}: pays ${kl} nats, in theory ${theory}. Its objective falls short of the best possible by ${gap} nats.`,
  labDrowned: "All is under water: no latent is worth its price, and all that it learns is the average digit.",
  labRough: "So low the water, its steps are too long to settle.",
  labFailed: (/** @type {string} */ reason) => `The training stopped: ${reason}.`,

  recipes: "Switches for real code: which water level does this loss hide?",
  recipesNote: "Squared error + KL, each reduced as code does it: “mean” over everything, “sum” over everything, “sum_mean” over pixels or latents first, then the mean of the batch. The post is the blog post that the course began with.",
  recipe: {
    post: "the post: mean + mean", sums: "sum + sum", half: "½ sum + sum", mixed: "mean + sum_mean", small: "mean + 0.00025 sum_mean", kilo: "sum + mean",
  },
  recipeSays: (/** @type {string} */ name, /** @type {string} */ kl, /** @type {string} */ error, /** @type {string} */ level, /** @type {number} */ alive) =>
    `${name}: with 64 pixels, 8 latents and batches of 64, a nat counts ${kl}, a squared error of 1 counts ${error}, and so βσₓ² = ${bracketed(kl)} / (2 × ${bracketed(error)}) = ${level}. ` +
    `Up to a factor and a constant this loss is the ELBO of a decoder whose noise has the variance ${level}. ${alive ? `${alive} of 8 latents stand above the water.` : "Everything drowns. Where nothing is written, the answer with the least squared error is the same for every digit: their average, a grey blur."}`,
  own: "Your own loss",
  ownIntro: "Put in the numbers of your own code. Those that stand here are an example: 28 × 28 pixels, 20 latents, two means.",
  fields: { nPixels: "pixels D", nLatents: "latents K", batch: "batch size", error: "squared error", errorWeight: "error weight", kl: "KL", klWeight: "KL weight" },
  reductions: { mean: "mean", sum: "sum", sum_mean: "sum_mean" },
  ownSays: (/** @type {string} */ level, /** @type {string} */ first) =>
    `βσₓ² = ${level}, in squared units of your pixels: as with β = 1 and σₓ² = ${level}. Of your data it drowns every direction whose variance is less; the largest of the digits here is ${first}.`,
  ownCure: (/** @type {string} */ factor, /** @type {string} */ last) => `For the digits of this page: your KL weight multiplied by ${factor} puts the water at ${last}, where all eight of their latents live. For your own data, compare the level with its own variances.`,
  ownTooFar: "The water here does not go so far.",
  ownUse: "take the water there",

  says: (/** @type {string} */ beta, /** @type {string} */ level, /** @type {number} */ alive, /** @type {string} */ theory, /** @type {string | null} */ trained) =>
    `β ${beta}, water level ${level}: ${alive || "none"} of 8 latents above the water. Total KL ${theory} nats in theory, ${trained ?? "none"} trained.`,
  broken: (/** @type {string} */ reason) => `The living page cannot be shown here: ${reason}.`,
};
