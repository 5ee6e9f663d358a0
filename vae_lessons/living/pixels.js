// Images of 8 × 8 pixels: painted, described and compared.

import { make } from "./dom.js";
import { sum } from "./theory.js";
import { WORDS } from "./words.js";

const EDGE = 8;

/** An empty picture. @param {string} [role] @returns {HTMLCanvasElement} */
export function picture(role = "img") {
  return make("canvas", { class: "pixels", width: EDGE, height: EDGE, role });
}

/** Paint an image of 64 numbers, 0 white and 1 black. @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} image */
export function paint(canvas, image) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = context.createImageData(EDGE, EDGE), bytes = pixels.data;
  for (let i = 0; i < EDGE * EDGE; i += 1) {
    bytes.fill(255 * (1 - Math.min(1, Math.max(0, image[i]))), 4 * i, 4 * i + 3);
    bytes[4 * i + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

/** Paint it, and say what is to be seen. @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} image @param {string} what */
export function show(canvas, image, what) {
  paint(canvas, image);
  canvas.setAttribute("aria-label", described(image, what));
}

/** How much ink there is, and where its middle. @param {ArrayLike<number>} image @param {string} what @returns {string} */
export function described(image, what) {
  const ink = Array.from(image, value => Math.max(0, value)), total = sum(ink) || 1;
  const third = (/** @type {(i: number) => number} */ place) => {
    const middle = sum(ink.map((value, i) => (value * (place(i) + 0.5)) / total)) || EDGE / 2;
    return middle < 3.4 ? 0 : middle > 4.6 ? 2 : 1;
  };
  const row = third(i => Math.floor(i / EDGE)), column = third(i => i % EDGE);
  return WORDS.pictureAlt(what, sum(ink) / ink.length, WORDS.where[3 * row + column]);
}

/** How far two images are apart: the root of the summed squares. @param {ArrayLike<number>} one @param {ArrayLike<number>} other @returns {number} */
export function apart(one, other) {
  let total = 0;
  for (let i = 0; i < one.length; i += 1) total += (one[i] - other[i]) ** 2;
  return Math.sqrt(total);
}
