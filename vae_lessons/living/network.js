// The trained reference VAE, as in vae_lessons/model.py (lesson 05): two layers with ReLU in each half, two heads.

import { klToStandard } from "./theory.js";

/** @typedef {{ nPixels: number, nHidden: number, nLatents: number }} Sizes */
/** @typedef {{ mu: Float64Array, logSigma: Float64Array, kl: Float64Array }} Code what q(z|x) is, per latent */

/**
 * The numbers of an array of 16-bit floats; the newest browsers have Float16Array, the others not.
 * @param {Uint16Array} halves @returns {Float64Array}
 */
export function fromHalves(halves) {
  const values = new Float64Array(halves.length);
  for (let i = 0; i < halves.length; i += 1) {
    const exponent = (halves[i] >> 10) & 31, fraction = halves[i] & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : Infinity)
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
    values[i] = halves[i] & 0x8000 ? -size : size;
  }
  return values;
}

/** One layer, y = Wx + b. */
class Layer {
  /** @param {Float64Array} weight (out, in), row after row @param {Float64Array} bias (out,) */
  constructor(weight, bias) {
    this.weight = weight;
    this.bias = bias;
    this.out = new Float64Array(bias.length);  // used again by every call: a move allocates next to nothing
  }

  /** @param {ArrayLike<number>} x @param {boolean} relu @returns {Float64Array} */
  apply(x, relu = false) {
    const { weight, bias, out } = this, nInputs = weight.length / bias.length;
    for (let i = 0, at = 0; i < bias.length; i += 1) {
      let total = bias[i];
      for (let j = 0; j < nInputs; j += 1, at += 1) total += weight[at] * x[j];
      out[i] = relu ? Math.max(total, 0) : total;
    }
    return out;
  }
}

/** How many numbers such a network has. @param {Sizes} sizes @returns {number} */
export function countWeights({ nPixels, nHidden, nLatents }) {
  return shapes({ nPixels, nHidden, nLatents }).reduce((total, [rows, columns]) => total + rows * (columns + 1), 0);
}

/** (out, in) of every layer, in the order of PyTorch's state_dict. @param {Sizes} sizes @returns {[number, number][]} */
function shapes({ nPixels, nHidden, nLatents }) {
  return [[nHidden, nPixels], [nHidden, nHidden], [nHidden, nLatents], [nPixels, nHidden], [nLatents, nHidden], [nLatents, nHidden]];
}

/** A trained VAE that encodes one image and decodes one code at a time. */
export class Network {
  /**
   * @param {Uint16Array} halves all weights as 16-bit floats
   * @param {Sizes} sizes
   * @throws {RangeError} too few or too many numbers, NaN or infinite
   */
  constructor(halves, sizes) {
    const expected = countWeights(sizes);
    if (halves.length !== expected) throw new RangeError(`a model has ${expected} weights, got ${halves.length}: the file is damaged`);
    const values = fromHalves(halves);
    if (!values.every(Number.isFinite)) throw new RangeError("some weights are no finite numbers: the file is damaged");
    let at = 0;
    const layers = shapes(sizes).map(([rows, columns]) => {
      const weight = values.subarray(at, (at += rows * columns)), bias = values.subarray(at, (at += rows));
      return new Layer(weight, bias);
    });
    const [encoder1, encoder2, decoder1, decoder2, headMu, headLogSigma] = layers;
    this.encoder = [encoder1, encoder2];
    this.heads = { mu: headMu, logSigma: headLogSigma };
    this.decoder = [decoder1, decoder2];
  }

  /** @param {ArrayLike<number>} x (D,) @returns {Code} */
  encode(x) {
    const h = this.encoder.reduce((input, layer) => layer.apply(input, true), x);
    const mu = Float64Array.from(this.heads.mu.apply(h)), logSigma = Float64Array.from(this.heads.logSigma.apply(h));
    return { mu, logSigma, kl: mu.map((value, k) => klToStandard(value, logSigma[k])) };
  }

  /** @param {ArrayLike<number>} z (K,) @returns {Float64Array} (D,), the array of the next call too */
  decode(z) {
    const [first, last] = this.decoder;
    return last.apply(first.apply(z, true));
  }
}
