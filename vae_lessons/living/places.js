// The two places where the page lives: a widget in a notebook, and the book on the web.

import { mount } from "./page.js";

/** @typedef {{ get: (name: string) => any }} Model what anywidget hands over */

/**
 * Bytes from a place on the web.
 * @param {string} address @returns {Promise<ArrayBuffer>}
 */
async function bytes(address) {
  const answer = await fetch(address).catch(() => undefined);
  if (!answer?.ok) throw new Error(answer ? `the server answered ${answer.status}` : "the server cannot be reached");
  return answer.arrayBuffer();
}

/** Bytes as numbers of two bytes each; an odd one is left out, and the count tells. @param {ArrayBuffer} buffer @returns {Uint16Array} */
function halvesOf(buffer) {
  return new Uint16Array(buffer.slice(0, buffer.byteLength & ~1));
}

/** A widget's cell. @param {{ model: Model, el: HTMLElement }} place @returns {() => void} */
function render({ model, el }) {
  const numbers = model.get("numbers"), weights = copied(model.get("weights")), digits = copied(model.get("digits"));
  const size = weights.byteLength / numbers.models.length;
  const root = document.createElement("div");
  el.append(root);
  const page = mount(root, {
    numbers,
    weights: async index => halvesOf(weights.slice(index * size, (index + 1) * size)),
    digits: async () => new Uint8Array(digits),
    lessons: model.get("lessons"),
  });
  return () => page?.dispose();
}

/** Its own copy of a widget's bytes: they may begin at an odd place. @param {DataView} view @returns {ArrayBuffer} */
function copied(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer;
}

/** The figures of a page of the book: numbers in JSON, files beside it. */
function renderAll() {
  for (const root of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-living]"))) {
    const { numbers, folder, lessons } = JSON.parse(root.querySelector("script")?.textContent ?? "{}");
    const page = mount(root, {
      numbers,
      weights: async index => halvesOf(await bytes(`${folder}weights-${String(index).padStart(2, "0")}.bin`)),
      digits: async () => new Uint8Array(await bytes(`${folder}digits.bin`)),
      lessons,
    });
    Object.assign(root, { page });
  }
}

if (typeof document !== "undefined") renderAll();

export default { render };
