// The exact theory, as in vae_lessons/spectrum.py, gaussian.py and recipes.py (lessons 01, 06 and 07).
// D pixels, K latents; nats; eigenvalues largest first.

/** @typedef {ArrayLike<number>} Numbers */

/**
 * @typedef {object} Recipe a loss "squared error + KL" as code writes it (lesson 06)
 * @property {string} error how the error is reduced: "mean", "sum" or "sum_mean"
 * @property {string} kl how the KL is reduced
 * @property {number} [errorWeight] the factor in front of the error, 1 if left out
 * @property {number} [klWeight] the factor in front of the KL, 1 if left out
 */

/**
 * A number above 0, or an error that names it.
 * @param {string} name @param {number} value @returns {number}
 */
export function checkPositive(name, value) {
  if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${name} must be a number above 0, got ${value}`);
  return value;
}

/** @param {string} name @param {number} value @returns {number} */
export function checkCount(name, value) {
  if (!(Number.isInteger(value) && value >= 1)) throw new RangeError(`${name} must be a whole number from 1, got ${value}`);
  return value;
}

/** @param {number} nLatents @param {Numbers} eigenvalues */
function checkLatents(nLatents, eigenvalues) {
  if (checkCount("K", nLatents) > eigenvalues.length) throw new RangeError(`K must be at most D = ${eigenvalues.length}, got ${nLatents}`);
}

/**
 * KL(N(mu, exp(logSigma)²) ‖ N(0, 1)) of one latent, without cancellation near 0 (lesson 01).
 * @param {number} mu @param {number} logSigma @returns {number}
 */
export function klToStandard(mu, logSigma) {
  return 0.5 * (mu * mu + Math.expm1(2 * logSigma) - 2 * logSigma);
}

/**
 * KL of the first K directions at the linear optimum: ½ log(λᵢ/level) above the water, 0 below (lesson 07).
 * @param {Numbers} eigenvalues @param {number} level βσ_x² @param {number} nLatents @returns {number[]}
 */
export function klPerLatent(eigenvalues, level, nLatents) {
  checkPositive("level", level);
  checkLatents(nLatents, eigenvalues);
  return Array.from({ length: nLatents }, (_, i) => 0.5 * (Math.log(Math.max(eigenvalues[i], level)) - Math.log(level)));
}

/**
 * The squared error left along each direction: min(λᵢ, level) where there is a latent, else λᵢ.
 * @param {Numbers} eigenvalues @param {number} level @param {number} nLatents @returns {number[]}
 */
export function errorPerDirection(eigenvalues, level, nLatents) {
  checkPositive("level", level);
  checkLatents(nLatents, eigenvalues);
  return Array.from(eigenvalues, (value, i) => (i < nLatents ? Math.min(value, level) : value));
}

/**
 * The β at which each direction drowns, λᵢ/σ_x².
 * @param {Numbers} eigenvalues @param {number} noiseVar @returns {number[]}
 */
export function thresholds(eigenvalues, noiseVar) {
  checkPositive("noiseVar", noiseVar);
  return Array.from(eigenvalues, value => value / noiseVar);
}

/**
 * The mean of log p(x|z) − β·KL for a squared error and a KL, both per example (lessons 03 and 06).
 * @param {number} error @param {number} kl @param {number} noiseVar @param {number} beta @param {number} nPixels
 * @returns {number}
 */
export function gaussianElbo(error, kl, noiseVar, beta, nPixels) {
  checkPositive("noiseVar", noiseVar);
  return -0.5 * (nPixels * Math.log(2 * Math.PI * noiseVar) + error / noiseVar) - beta * kl;
}

/**
 * The best value of it that a linear VAE reaches.
 * @param {Numbers} eigenvalues @param {number} noiseVar @param {number} nLatents @param {number} beta @returns {number}
 */
export function optimalElbo(eigenvalues, noiseVar, nLatents, beta) {
  const level = checkPositive("beta", beta) * checkPositive("noiseVar", noiseVar);
  const kl = sum(klPerLatent(eigenvalues, level, nLatents));
  return gaussianElbo(sum(errorPerDirection(eigenvalues, level, nLatents)), kl, noiseVar, beta, eigenvalues.length);
}

/**
 * The water level βσ_x² = c_k/(2 c_e) of a loss c_e·|x − x̂|² + c_k·KL (lesson 06).
 * @param {Recipe} recipe @param {number} nPixels @param {number} nLatents @param {number} batchSize @returns {number}
 */
export function impliedLevel(recipe, nPixels, nLatents, batchSize) {
  const { kl, error } = counts(recipe, nPixels, nLatents, batchSize);
  return kl / (2 * error);
}

/**
 * For how much the KL and the squared error of one example count in such a loss; a sum over the batch counts each batchSize times a mean.
 * @param {Recipe} recipe @param {number} nPixels @param {number} nLatents @param {number} batchSize
 * @returns {{ kl: number, error: number }}
 */
export function counts(recipe, nPixels, nLatents, batchSize) {
  const forError = coefficient(recipe.error, checkCount("D", nPixels)) * checkPositive("error weight", recipe.errorWeight ?? 1);
  const forKl = coefficient(recipe.kl, checkCount("K", nLatents)) * checkPositive("KL weight", recipe.klWeight ?? 1);
  const batch = checkCount("batch", batchSize);
  if (recipe.kl === recipe.error) return { kl: forKl, error: forError };  // of two sums over the batch it drops out
  return { kl: forKl * (recipe.kl === "sum" ? batch : 1), error: forError * (recipe.error === "sum" ? batch : 1) };
}

/** What one pixel's error, or one latent's KL, counts for. @param {string} reduction @param {number} size */
function coefficient(reduction, size) {
  if (!["mean", "sum", "sum_mean"].includes(reduction)) throw new RangeError(`a reduction is mean, sum or sum_mean, got ${reduction}`);
  return reduction === "mean" ? 1 / size : 1;
}

/** @param {Numbers} values @returns {number} */
export function sum(values) {
  let total = 0;
  for (let i = 0; i < values.length; i += 1) total += values[i];
  return total;
}
