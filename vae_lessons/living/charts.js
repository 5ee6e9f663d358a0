// The charts: the spectrum under water, the KL of each latent, one Gaussian over the prior.

/** @typedef {Record<string, string | number>} Attributes */

const DIRECTIONS = 16;  // of the spectrum that are shown
const MARGIN = { left: 34, right: 8, top: 8, bottom: 20 };
const REACH = 22;  // pixels from the surface in which a finger takes hold of the water

/** A new SVG element inside another. @param {Element} parent @param {string} name @param {Attributes} attributes @param {string} [text] @returns {SVGElement} */
function svg(parent, name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(element, attributes);
  element.textContent = text;
  parent.append(element);
  return element;
}

/** @param {Element} element @param {Attributes} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, typeof value === "number" ? String(Math.round(value * 100) / 100) : value);
  }
}

/** Columns over a y axis, as wide as their place. */
class Chart {
  /** @param {HTMLElement} place @param {number} height @param {number} top the value at the upper edge @param {number[]} ticks @param {number} columns */
  constructor(place, height, top, ticks, columns) {
    Object.assign(place.style, { height: `${height}px` });
    this.place = place;
    this.height = height;
    this.top = top;
    this.ticks = ticks;
    this.columns = columns;
    this.width = 0;
    this.root = svg(place, "svg", { role: "img", height, width: "100%" });
    /** @type {SVGElement[]} */
    this.bars = [];
  }

  /** Build anew if the place has another width: letters keep their size. @returns {boolean} whether it had */
  resize() {
    const width = Math.max(240, this.place.clientWidth);
    if (width === this.width) return false;
    this.width = width;
    set(this.root, { viewBox: `0 0 ${width} ${this.height}` });
    this.build();
    return true;
  }

  build() {
    this.root.replaceChildren();
    for (const tick of this.ticks) {
      const y = this.y(tick);
      svg(this.root, "line", { class: "rule", x1: MARGIN.left, x2: this.right, y1: y, y2: y });
      svg(this.root, "text", { class: "tick", x: MARGIN.left - 5, y: y + 4, "text-anchor": "end" }, String(tick));
    }
    const width = 0.7 * this.step;
    this.bars = Array.from({ length: this.columns }, (_, i) => {
      svg(this.root, "text", { class: "tick", x: this.middle(i), y: this.height - 5, "text-anchor": "middle" }, String(i + 1));
      return svg(this.root, "rect", { class: "column", x: this.middle(i) - width / 2, width });
    });
  }

  /** Another y axis. @param {number} top @param {number[]} ticks */
  rescale(top, ticks) {
    this.top = top;
    this.ticks = ticks;
    this.build();
  }

  get right() {
    return this.width - MARGIN.right;
  }

  get step() {
    return (this.right - MARGIN.left) / this.columns;
  }

  /** @param {number} i which column @returns {number} */
  middle(i) {
    return MARGIN.left + (i + 0.5) * this.step;
  }

  /** @param {number} value @returns {number} */
  y(value) {
    const bottom = this.height - MARGIN.bottom;
    return Math.max(MARGIN.top, bottom - (value / this.top) * (bottom - MARGIN.top));
  }

  /** @param {number} i @param {number} value @param {string} state */
  raise(i, value, state) {
    set(this.bars[i], { y: this.y(value), height: this.y(0) - this.y(value), "data-state": state });
  }
}

/** The spectrum of the data under the water level βσ_x²; the water can be dragged. */
export class WaterChart extends Chart {
  /** @param {HTMLElement} place @param {number[]} eigenvalues @param {number} nLatents @param {(level: number) => void} dragged */
  constructor(place, eigenvalues, nLatents, dragged) {
    super(place, 190, 1.12 * eigenvalues[0], [0, 0.2, 0.4, 0.6], DIRECTIONS);
    this.eigenvalues = eigenvalues;
    this.nLatents = nLatents;
    this.dragged = dragged;
    // A mouse takes hold of it anywhere; a finger only at the surface, for elsewhere it scrolls the page.
    this.root.addEventListener("pointerdown", event => event.pointerType === "mouse" && event.button === 0 && this.hold(event));
    /** @type {Record<string, SVGElement>} */
    this.moving = {};
  }

  build() {
    super.build();
    const across = { x: MARGIN.left, width: this.right - MARGIN.left };
    const band = svg(this.root, "rect", { class: "band", ...across, height: 2 * REACH });
    this.moving = {
      water: svg(this.root, "rect", { class: "sea", ...across }),
      line: svg(this.root, "line", { class: "surface", x1: MARGIN.left, x2: this.right }),
      label: svg(this.root, "text", { class: "level", x: this.right - 30, "text-anchor": "end" }),
      grip: svg(this.root, "circle", { class: "grip", cx: this.right - 12, r: 9 }),
      band,
    };
    this.root.append(band);  // above all others, to be taken hold of
    // A finger on the water moves it and not the page: touch-action does nothing for a part of a picture.
    band.addEventListener("touchstart", event => event.preventDefault(), { passive: false });
    band.addEventListener("pointerdown", event => band.setPointerCapture(event.pointerId));
    band.addEventListener("pointermove", event => band.hasPointerCapture(event.pointerId) && this.drag(event));
  }

  /** @param {PointerEvent} event */
  hold(event) {
    this.moving.band.setPointerCapture(event.pointerId);
    this.drag(event);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const box = this.root.getBoundingClientRect(), bottom = this.height - MARGIN.bottom;
    const share = (bottom - (event.clientY - box.top)) / (bottom - MARGIN.top);
    this.dragged(this.top * Math.min(1, Math.max(0.002, share)));
  }

  /** @param {number} level @param {string} text @param {string} alt */
  draw(level, text, alt) {
    const y = this.y(level), { water, line, label, grip, band } = this.moving;
    for (let i = 0; i < this.columns; i += 1) {
      this.raise(i, this.eigenvalues[i], i >= this.nLatents ? "without" : this.eigenvalues[i] > level ? "alive" : "drowned");
    }
    set(water, { y, height: this.y(0) - y });
    set(line, { y1: y, y2: y });
    set(grip, { cy: y });
    set(band, { y: y - REACH });
    set(label, { y: y < 24 ? y + 17 : y - 6 });
    label.textContent = level > this.top ? `${text}, far above ↑` : text;
    this.root.setAttribute("aria-label", alt);
  }
}

/** KL of each latent: the linear theory as bars, the trained network as dots, the model in training as diamonds. */
export class KlChart extends Chart {
  /** @param {HTMLElement} place @param {number} nLatents */
  constructor(place, nLatents) {
    super(place, 150, 2.4, [0, 0.5, 1, 1.5, 2], nLatents);
    /** @type {SVGElement[]} */
    this.dots = [];
    /** @type {SVGElement[]} */
    this.diamonds = [];
  }

  build() {
    super.build();
    this.dots = this.bars.map(() => svg(this.root, "circle", { class: "dot", r: 4.5 }));
    this.diamonds = this.bars.map(() => svg(this.root, "path", { class: "diamond", d: "M0-6.5 6.5 0 0 6.5-6.5 0Z" }));
  }

  /** Room for KLs above 2.4 nats, which only very low water brings. @param {number} largest */
  makeRoom(largest) {
    const pages = Math.max(1, Math.ceil(largest / 2.4)), top = 2.4 * pages;
    if (top !== this.top) this.rescale(top, [0, 0.5, 1, 1.5, 2].map(tick => tick * pages));
  }

  /** @param {number[]} theory @param {number[] | null} trained @param {Float64Array | null} lab @param {string} alt */
  draw(theory, trained, lab, alt) {
    const sorted = lab && Array.from(lab).sort((one, other) => other - one);
    this.makeRoom(Math.max(theory[0], trained?.[0] ?? 0, sorted?.[0] ?? 0));
    this.bars.forEach((_, k) => {
      this.raise(k, theory[k], "alive");
      this.put(this.dots[k], k, trained);
      this.put(this.diamonds[k], k, sorted);
    });
    this.root.setAttribute("aria-label", alt);
  }

  /** A mark at its height, or none. @param {SVGElement} mark @param {number} k @param {ArrayLike<number> | null} kl */
  put(mark, k, kl) {
    set(mark, { visibility: kl ? "visible" : "hidden", transform: `translate(${this.middle(k)} ${this.y(kl?.[k] ?? 0)})` });
  }
}

/** One small Gaussian q(z|x) over the prior, and where z stands. Widths are true; heights are squeezed. */
export class GaussianChart {
  /** @param {HTMLElement} place @param {number} reach z goes from −reach to reach */
  constructor(place, reach) {
    this.reach = reach;
    const root = svg(place, "svg", { viewBox: "0 0 100 44", "aria-hidden": "true", preserveAspectRatio: "none" });
    svg(root, "path", { class: "prior", d: this.bell(0, 1) });
    this.posterior = svg(root, "path", { class: "posterior" });
    this.mark = svg(root, "line", { class: "mark", y1: 2, y2: 44 });
  }

  /** @param {number} z @returns {number} */
  x(z) {
    return 50 * (1 + Math.min(1, Math.max(-1, z / this.reach)));
  }

  /** The bell curve of N(mu, sigma²). @param {number} mu @param {number} sigma @returns {string} */
  bell(mu, sigma) {
    const height = Math.min(40, 14 / Math.sqrt(sigma)), width = 0.16 * sigma;  // 50 steps from −4σ to 4σ
    let path = "M0 43";
    for (let i = -25; i <= 25; i += 1) path += `L${this.x(mu + i * width).toFixed(1)} ${(43 - height * Math.exp(-0.0128 * i * i)).toFixed(1)}`;
    return `${path}L100 43`;
  }

  /** @param {number} mu @param {number} sigma @param {number} z */
  draw(mu, sigma, z) {
    set(this.posterior, { d: this.bell(mu, sigma) });
    set(this.mark, { x1: this.x(z), x2: this.x(z) });
  }
}
