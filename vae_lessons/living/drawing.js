// Draw a digit as the data set was made: ink on 32 × 32 cells, counted in blocks of 4 × 4, so 0 to 16 for each pixel.

import { WORDS } from "./words.js";

/** @typedef {{ x: number, y: number }} Point from 0 to 1 across the pad */

export const CELLS = 32, BLOCK = 4, SIDE = CELLS / BLOCK;
const PEN = 2.4;  // cells from the middle of a stroke to its edge: ten plainly drawn digits then have as much ink as those of the data

/**
 * The image that the strokes make, (64,) from 0 to 1: centred, and as large as the page, as the digits of the data are.
 * @param {Point[][]} strokes @returns {Float64Array}
 */
export function digitOf(strokes) {
  const ink = inkOf(fitted(strokes)), x = new Float64Array(SIDE * SIDE);
  for (let row = 0; row < CELLS; row += 1) {
    for (let column = 0; column < CELLS; column += 1) {
      x[Math.floor(row / BLOCK) * SIDE + Math.floor(column / BLOCK)] += ink[row * CELLS + column] / BLOCK ** 2;
    }
  }
  return x;
}

/** The strokes in cells, moved and stretched so that they fill the page one way. @param {Point[][]} strokes @returns {Point[][]} */
function fitted(strokes) {
  const points = strokes.flat();
  if (points.length === 0) return [];
  const [left, right] = ends(points.map(point => point.x)), [top, bottom] = ends(points.map(point => point.y));
  const room = CELLS - 2 * PEN, longer = Math.max(right - left, bottom - top);
  const scale = longer > 0.1 ? room / longer : room;  // a dot stays a dot
  const place = (/** @type {Point} */ point) => ({
    x: CELLS / 2 + scale * (point.x - (left + right) / 2),
    y: CELLS / 2 + scale * (point.y - (top + bottom) / 2),
  });
  return strokes.map(stroke => stroke.map(place));
}

/** @param {number[]} values @returns {[number, number]} */
function ends(values) {
  return [values.reduce((one, other) => Math.min(one, other)), values.reduce((one, other) => Math.max(one, other))];
}

/** Which cells have their middle within the pen's reach of a stroke. @param {Point[][]} strokes @returns {Uint8Array} */
function inkOf(strokes) {
  const ink = new Uint8Array(CELLS * CELLS);
  for (const stroke of strokes) {
    stroke.forEach((to, number) => {
      const from = stroke[Math.max(number - 1, 0)];
      const [left, right] = ends([from.x, to.x]), [top, bottom] = ends([from.y, to.y]);
      for (let row = Math.max(0, Math.floor(top - PEN)); row < Math.min(CELLS, bottom + PEN); row += 1) {
        for (let column = Math.max(0, Math.floor(left - PEN)); column < Math.min(CELLS, right + PEN); column += 1) {
          if (distance({ x: column + 0.5, y: row + 0.5 }, from, to) <= PEN) ink[row * CELLS + column] = 1;
        }
      }
    });
  }
  return ink;
}

/** From a point to a piece of a stroke. @param {Point} point @param {Point} from @param {Point} to @returns {number} */
function distance(point, from, to) {
  const dx = to.x - from.x, dy = to.y - from.y, length2 = dx * dx + dy * dy;
  const along = length2 > 0 ? ((point.x - from.x) * dx + (point.y - from.y) * dy) / length2 : 0;
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(point.x - from.x - share * dx, point.y - from.y - share * dy);
}

/** A page to draw on: mouse, finger, or keys. The arrows move the pen, the space bar puts it down or lifts it. */
export class Pad {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} changed called when there is more ink, or none
   */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    /** @type {Point[][]} */
    this.strokes = [];
    this.pen = { x: 0.5, y: 0.5 };
    this.isDown = false;  // the pen that the keys move
    this.hand = -1;  // the pointer that draws, none below 0
    canvas.addEventListener("pointerdown", event => this.begin(event));
    canvas.addEventListener("pointermove", event => this.follow(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
      canvas.addEventListener(name, event => event.pointerId === this.hand && this.lift());
    }
    canvas.addEventListener("keydown", event => this.key(event));
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.draw());
  }

  clear() {
    this.strokes = [];
    this.lift();
    this.draw();
    this.changed();
  }

  lift() {
    this.isDown = false;
    this.hand = -1;
  }

  /** @param {PointerEvent} event */
  begin(event) {
    if (this.hand >= 0 || event.button !== 0) return;  // one hand draws
    this.canvas.setPointerCapture(event.pointerId);
    this.lift();
    this.hand = event.pointerId;
    this.strokes.push([]);
    this.add(this.placeOf(event));
  }

  /** @param {PointerEvent} event */
  follow(event) {
    if (event.pointerId !== this.hand) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.add(this.placeOf(each));
  }

  /** A hand that leaves the page draws along its edge: what is seen is what the model gets. @param {PointerEvent} event @returns {Point} */
  placeOf(event) {
    const box = this.canvas.getBoundingClientRect(), inside = (/** @type {number} */ share) => Math.min(1, Math.max(0, share));
    return { x: inside((event.clientX - box.left) / box.width), y: inside((event.clientY - box.top) / box.height) };
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === " ") this.isDown ? this.lift() : ((this.isDown = true), this.strokes.push([]), this.add(this.pen));
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else if (move) {
      const inside = (/** @type {number} */ value) => Math.min(0.95, Math.max(0.05, value));
      this.pen = { x: inside(this.pen.x + move[0] / 16), y: inside(this.pen.y + move[1] / 16) };
      if (this.isDown) this.add(this.pen);
    } else return;
    event.preventDefault();
    this.draw();
  }

  /** @param {Point} point */
  add(point) {
    const stroke = this.strokes[this.strokes.length - 1];
    const last = stroke[stroke.length - 1];
    if (last && Math.hypot(point.x - last.x, point.y - last.y) < 0.004) return;  // a hand that rests draws nothing new
    stroke.push(point);
    this.draw();
    this.changed();
  }

  /** The strokes as they were made, and the pen while the keys move it. */
  draw() {
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d")), side = this.canvas.width;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    if (this.strokes.length === 0) {
      context.fillStyle = "#6e6e6e";
      context.font = "24px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText(WORDS.drawHere, side / 2, side / 2);
    }
    context.strokeStyle = "#000";
    context.lineWidth = (2 * PEN * side) / CELLS;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      context.beginPath();
      for (const point of stroke) context.lineTo(point.x * side, point.y * side);
      if (stroke.length === 1) context.lineTo(stroke[0].x * side + 0.01, stroke[0].y * side);
      context.stroke();
    }
    if (document.activeElement !== this.canvas || !this.canvas.matches(":focus-visible")) return;
    context.strokeStyle = "#b3261e";
    context.lineWidth = 3;
    context.beginPath();
    context.arc(this.pen.x * side, this.pen.y * side, this.isDown ? 5 : 10, 0, 7);
    context.stroke();
  }
}
