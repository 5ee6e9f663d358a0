// The β lab: a linear VAE that trains here, as in vae_lessons/lab.py (lesson 07).
// Matrices row after row in Float64Arrays: A (K, D) encodes, W (D, K) decodes; one log σ for each latent.

import { klToStandard } from "./theory.js";

/** @typedef {Record<"A" | "a" | "logSigma" | "W" | "b", Float64Array>} Parameters */

const DECAY1 = 0.9, DECAY2 = 0.999, EPSILON = 1e-8;  // Adam's, as PyTorch has them

/** Random numbers from a seed: sfc32, and Box and Muller's normal ones. */
export class Random {
  /** @param {number} seed */
  constructor(seed) {
    this.state = Uint32Array.of(seed, seed ^ 0x9e3779b9, 0x243f6a88, 1);
    for (let i = 0; i < 16; i += 1) this.uniform();
  }

  /** In (0, 1). @returns {number} */
  uniform() {
    const s = this.state, t = (s[0] + s[1] + s[3]) >>> 0;
    s[3] += 1;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = s[2] + (s[2] << 3);
    s[2] = ((s[2] << 21) | (s[2] >>> 11)) + t;
    return (t + 0.5) / 2 ** 32;
  }

  /** @returns {number} */
  normal() {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** 0 … n − 1 in a random order. @param {number} n @returns {Uint32Array} */
  order(n) {
    const places = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i -= 1) {
      const j = Math.floor(this.uniform() * (i + 1));
      [places[i], places[j]] = [places[j], places[i]];
    }
    return places;
  }
}

/** Mean (D,) and covariance (D, D) with 1/N of images one after the other. @param {Float64Array} x @param {number} nPixels */
export function moments(x, nPixels) {
  const n = x.length / nPixels, mean = new Float64Array(nPixels), covariance = new Float64Array(nPixels * nPixels);
  for (let at = 0; at < x.length; at += 1) mean[at % nPixels] += x[at] / n;
  for (let row = 0; row < x.length; row += nPixels) {
    for (let i = 0; i < nPixels; i += 1) {
      const off = (x[row + i] - mean[i]) / n;
      for (let j = 0; j < nPixels; j += 1) covariance[i * nPixels + j] += off * (x[row + j] - mean[j]);
    }
  }
  return { mean, covariance };
}

/** Adam for a set of arrays. */
class Adam {
  /** @param {Parameters} parameters @param {number} lr */
  constructor(parameters, lr) {
    this.lr = lr;
    this.nSteps = 0;
    this.slots = Object.entries(parameters).map(([name, values]) => ({
      name: /** @type {keyof Parameters} */ (name), values, first: new Float64Array(values.length), second: new Float64Array(values.length),
    }));
  }

  /** @param {Parameters} gradients */
  step(gradients) {
    this.nSteps += 1;
    const rate = this.lr / (1 - DECAY1 ** this.nSteps), bias2 = Math.sqrt(1 - DECAY2 ** this.nSteps);
    for (const { name, values, first, second } of this.slots) {
      const gradient = gradients[name];
      for (let i = 0; i < values.length; i += 1) {
        first[i] += (1 - DECAY1) * (gradient[i] - first[i]);
        second[i] = DECAY2 * second[i] + (1 - DECAY2) * gradient[i] * gradient[i];
        values[i] -= (rate * first[i]) / (Math.sqrt(second[i]) / bias2 + EPSILON);
      }
    }
  }
}

/** A linear VAE in training; β and σ_x² may change at every step. */
export class Lab {
  /**
   * @param {Float64Array} x N images of D pixels, one after the other
   * @param {number} nPixels @param {number} nLatents
   * @param {{ seed?: number, lr?: number, batchSize?: number }} [options]
   */
  constructor(x, nPixels, nLatents, { seed = 0, lr = 1e-2, batchSize = 64 } = {}) {
    this.x = x;
    this.nPixels = nPixels;
    this.nLatents = nLatents;
    this.batchSize = batchSize;
    this.random = new Random(seed);
    this.moments = moments(x, nPixels);
    this.parameters = this.untrained();
    this.gradients = /** @type {Parameters} */ (Object.fromEntries(
      Object.entries(this.parameters).map(([name, values]) => [name, new Float64Array(values.length)])));
    this.adam = new Adam(this.parameters, lr);
    /** @type {Uint32Array} */
    this.order = new Uint32Array(0);
    this.at = 0;
    this.eps = new Float64Array(batchSize * nLatents);
    // One example's: z, the slopes in z and in x̂.
    this.z = new Float64Array(nLatents);
    this.slopeZ = new Float64Array(nLatents);
    this.slopeX = new Float64Array(nPixels);
  }

  get nSteps() {
    return this.adam.nSteps;
  }

  /** As PyTorch's layers begin: uniform within ±1/√(number of inputs). @returns {Parameters} */
  untrained() {
    const { nPixels: D, nLatents: K } = this;
    const uniform = (/** @type {number} */ size, /** @type {number} */ nInputs) =>
      Float64Array.from({ length: size }, () => (2 * this.random.uniform() - 1) / Math.sqrt(nInputs));
    return { A: uniform(K * D, D), a: uniform(K, D), logSigma: new Float64Array(K), W: uniform(D * K, K), b: uniform(D, K) };
  }

  /** One gradient step on the next minibatch, with fresh noise. @param {number} beta @param {number} noiseVar */
  step(beta, noiseVar) {
    const n = this.x.length / this.nPixels;
    if (this.at >= this.order.length) [this.order, this.at] = [this.random.order(n), 0];
    const batch = this.order.subarray(this.at, (this.at += this.batchSize));
    for (let i = 0; i < batch.length * this.nLatents; i += 1) this.eps[i] = this.random.normal();
    this.stepOn(batch, this.eps, beta, noiseVar);
  }

  /**
   * One gradient step on these images with this noise: descends the mean of β·KL − log p(x|z).
   * @param {ArrayLike<number>} batch which images, (B,) @param {Float64Array} eps (B, K) @param {number} beta @param {number} noiseVar
   */
  stepOn(batch, eps, beta, noiseVar) {
    for (const gradient of Object.values(this.gradients)) gradient.fill(0);
    for (let i = 0; i < batch.length; i += 1) {
      this.addExample(batch[i] * this.nPixels, eps, i * this.nLatents, beta / batch.length, 1 / (noiseVar * batch.length));
    }
    this.adam.step(this.gradients);
    if (!Number.isFinite(this.parameters.W[0])) throw new RangeError(`the training diverged at step ${this.nSteps}`);
  }

  /**
   * What one example adds to the gradients, by the chain rule.
   * @param {number} row where the image begins @param {Float64Array} eps @param {number} first where its noise begins
   * @param {number} forKl β/B @param {number} forError 1/(σ_x² B)
   */
  addExample(row, eps, first, forKl, forError) {
    const { x, z, slopeZ, slopeX, nPixels: D, nLatents: K, parameters: { A, a, logSigma, W, b }, gradients: g } = this;
    for (let k = 0; k < K; k += 1) {
      let mu = a[k];
      for (let i = 0; i < D; i += 1) mu += A[k * D + i] * x[row + i];
      z[k] = mu + Math.exp(logSigma[k]) * eps[first + k];
      slopeZ[k] = 0;
    }
    for (let i = 0; i < D; i += 1) {
      let off = b[i] - x[row + i];
      for (let k = 0; k < K; k += 1) off += W[i * K + k] * z[k];
      slopeX[i] = off * forError;
      g.b[i] += slopeX[i];
      for (let k = 0; k < K; k += 1) {
        g.W[i * K + k] += slopeX[i] * z[k];
        slopeZ[k] += slopeX[i] * W[i * K + k];
      }
    }
    for (let k = 0; k < K; k += 1) {
      const sigma = Math.exp(logSigma[k]), noise = sigma * eps[first + k];
      const slopeMu = slopeZ[k] + forKl * (z[k] - noise);
      g.a[k] += slopeMu;
      g.logSigma[k] += slopeZ[k] * noise + forKl * (sigma * sigma - 1);
      for (let i = 0; i < D; i += 1) g.A[k * D + i] += slopeMu * x[row + i];
    }
  }

  /**
   * The KL of each latent and the squared error, averaged over all images and over the noise: exact, from the moments.
   * @returns {{ kl: Float64Array, error: number }}
   */
  state() {
    const { nPixels: D, nLatents: K, parameters: { A, a, logSigma, W, b }, moments: { mean, covariance } } = this;
    const AC = new Float64Array(K * D), centre = new Float64Array(K), kl = new Float64Array(K);
    for (let k = 0; k < K; k += 1) {
      centre[k] = a[k];
      for (let i = 0; i < D; i += 1) {
        centre[k] += A[k * D + i] * mean[i];
        for (let j = 0; j < D; j += 1) AC[k * D + j] += A[k * D + i] * covariance[i * D + j];
      }
    }
    let error = 0;
    for (let i = 0; i < D; i += 1) {
      let off = b[i] - mean[i];
      for (let k = 0; k < K; k += 1) off += W[i * K + k] * centre[k];
      error += off * off + covariance[i * D + i];
    }
    for (let k = 0; k < K; k += 1) {
      for (let l = 0; l < K; l += 1) {
        let spread = k === l ? Math.exp(2 * logSigma[k]) : 0, overlap = 0;  // Cov of z, and WᵀW
        for (let i = 0; i < D; i += 1) {
          spread += AC[k * D + i] * A[l * D + i];
          overlap += W[i * K + k] * W[i * K + l];
        }
        error += spread * overlap;
        if (k === l) kl[k] = klToStandard(centre[k], logSigma[k]) + 0.5 * (spread - Math.exp(2 * logSigma[k]));
      }
      for (let i = 0; i < D; i += 1) error -= 2 * W[i * K + k] * AC[k * D + i];
    }
    return { kl, error };
  }
}
