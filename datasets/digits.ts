/**
 * Images like the handwritten digits of MNIST, made from nothing but a seed: 28 × 28 grey values. Data sets.
 * Stands in for MNIST where it cannot be had: as there, a digit fills a box of 20 × 20 pixels about its centre of mass,
 * ink is 1, ground 0, edges are smooth, values are whole multiples of 1/255. A digit is one of its pen-stroke forms
 * (digit-glyphs.ts), its points moved a little, bent by a random quadratic map, slanted, turned, squeezed, drawn as
 * Catmull–Rom curves (E. Catmull, R. Rom, 1974) by a round pen whose width varies along the stroke. Image i depends on
 * (seed, i) only, so fewer images are the first of more.
 */
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { Points } from '../src/source/entry-source.js';
import { requireCount } from './count.js';
import { glyphs, type Glyph } from './digit-glyphs.js';

export const digitSide = 28;
const pixels = digitSide * digitSide;
/** The longer side of the box that a digit fills, in pixels, pen included. */
const boxSide = 20;
const spanSteps = 5;
const purpose = 0x64696769;

/** Grey images of digits, and which digits they are. */
export interface DigitImages {
  /** One image a point, 784 coordinates in [0, 1], row by row from the top. */
  readonly images: Points;
  /** labels[i] is the digit in image i. */
  readonly labels: Int32Array;
}

/** Room for one digit's geometry: nothing is allocated per image. */
class Pen {
  /** The glyph's points after jitter and bending. */
  readonly #x = new Float64Array(32);
  readonly #y = new Float64Array(32);
  /** Polylines: vertices with their pen radius; `ends[v]` is 1 where a stroke ends. */
  readonly #px = new Float64Array(512);
  readonly #py = new Float64Array(512);
  readonly #radius = new Float64Array(512);
  readonly #ends = new Uint8Array(512);
  #vertices = 0;
  /** max over strokes of (pen radius − distance to the pen's path), in pixels. */
  readonly #depth = new Float64Array(pixels);

  /** Draws `form` as `random` says into out[at … at + 784). */
  draw(form: Glyph, random: RandomStream, out: Float64Array, at: number): void {
    this.#place(form, random);
    this.#trace(form, random);
    this.#fit();
    this.#ink(out, at, 1.5 + 0.15 * random.normal());
  }

  /** Jitter, bend, slant, turn, squeeze; coordinates about 0, height about 1. */
  #place({ points }: Glyph, random: RandomStream): void {
    const squeeze = Math.exp(0.2 * random.normal() - 0.08);
    const slant = 0.16 + 0.24 * random.normal();
    const turn = 0.07 * random.normal();
    const cos = Math.cos(turn);
    const sin = Math.sin(turn);
    const [a, b, c, d, e, f] = Array.from({ length: 6 }, () => 0.2 * random.normal());
    for (let k = 0; k < points.length / 2; k++) {
      const x = points[2 * k] - 0.5 + 0.036 * random.normal();
      const y = points[2 * k + 1] - 0.5 + 0.036 * random.normal();
      const u = squeeze * (x + a * x * x + b * x * y + c * y * y) - slant * y;
      const v = y + d * x * x + e * x * y + f * y * y;
      this.#x[k] = cos * u - sin * v;
      this.#y[k] = sin * u + cos * v;
    }
  }

  /** Catmull–Rom curves through the points of each stroke, as polylines. */
  #trace({ strokes }: Glyph, random: RandomStream): void {
    const base = Math.max(0.75, 1.22 + 0.3 * random.normal());
    let n = 0;
    for (const stroke of strokes) {
      const first = base * (1 + 0.12 * random.normal());
      const last = base * (1 + 0.12 * random.normal());
      const spans = stroke.length - 1;
      for (let s = 0; s < spans; s++) {
        const i1 = stroke[s];
        const i2 = stroke[s + 1];
        const i0 = s > 0 ? stroke[s - 1] : i1;
        const i3 = s + 1 < spans ? stroke[s + 2] : i2;
        const steps = s + 1 < spans ? spanSteps : spanSteps + 1;
        for (let k = 0; k < steps; k++) {
          const t = k / spanSteps;
          const t2 = t * t;
          const t3 = t2 * t;
          const w0 = 0.5 * (-t3 + 2 * t2 - t);
          const w1 = 0.5 * (3 * t3 - 5 * t2 + 2);
          const w2 = 0.5 * (-3 * t3 + 4 * t2 + t);
          const w3 = 0.5 * (t3 - t2);
          this.#px[n] = w0 * this.#x[i0] + w1 * this.#x[i1] + w2 * this.#x[i2] + w3 * this.#x[i3];
          this.#py[n] = w0 * this.#y[i0] + w1 * this.#y[i1] + w2 * this.#y[i2] + w3 * this.#y[i3];
          this.#radius[n] = first + ((last - first) * (s + t)) / spans;
          this.#ends[n] = 0;
          n++;
        }
      }
      this.#ends[n - 1] = 1;
    }
    this.#vertices = n;
  }

  /**
   * Scales the strokes into the box and moves their centre of mass to the image's centre (as far as the border lets
   * it).
   */
  #fit(): void {
    const n = this.#vertices;
    let left = Infinity;
    let right = -Infinity;
    let top = Infinity;
    let bottom = -Infinity;
    let mass = 0;
    let mx = 0;
    let my = 0;
    for (let v = 0; v < n; v++) {
      const x = this.#px[v];
      const y = this.#py[v];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      if (this.#ends[v] === 0) {
        const length = Math.hypot(this.#px[v + 1] - x, this.#py[v + 1] - y);
        mass += length;
        mx += (length * (x + this.#px[v + 1])) / 2;
        my += (length * (y + this.#py[v + 1])) / 2;
      }
    }
    const scale = (boxSide - 2.5) / Math.max(right - left, bottom - top);
    const centre = (digitSide - 1) / 2;
    const margin = 1.5;
    const shift = (m: number, low: number, high: number): number =>
      Math.min(Math.max(centre - scale * m, margin - scale * low), digitSide - 1 - margin - scale * high);
    const dx = shift(mx / mass, left, right);
    const dy = shift(my / mass, top, bottom);
    for (let v = 0; v < n; v++) {
      this.#px[v] = scale * this.#px[v] + dx;
      this.#py[v] = scale * this.#py[v] + dy;
    }
  }

  /**
   * Distance to the strokes, pixel by pixel within the pen's reach, turned into grey by a smooth ramp of width `blur`.
   */
  #ink(out: Float64Array, at: number, blur: number): void {
    const depth = this.#depth;
    depth.fill(-Infinity);
    for (let v = 0; v + 1 < this.#vertices; v++) {
      if (this.#ends[v] === 1) continue;
      const x0 = this.#px[v];
      const y0 = this.#py[v];
      const ex = this.#px[v + 1] - x0;
      const ey = this.#py[v + 1] - y0;
      const r = this.#radius[v];
      const reach = r + blur / 2;
      const inverse = 1 / Math.max(1e-12, ex * ex + ey * ey);
      const i0 = Math.max(0, Math.ceil(Math.min(y0, y0 + ey) - reach));
      const i1 = Math.min(digitSide - 1, Math.floor(Math.max(y0, y0 + ey) + reach));
      const j0 = Math.max(0, Math.ceil(Math.min(x0, x0 + ex) - reach));
      const j1 = Math.min(digitSide - 1, Math.floor(Math.max(x0, x0 + ex) + reach));
      for (let i = i0; i <= i1; i++) {
        for (let j = j0; j <= j1; j++) {
          const t = Math.min(1, Math.max(0, ((j - x0) * ex + (i - y0) * ey) * inverse));
          const dx = j - x0 - t * ex;
          const dy = i - y0 - t * ey;
          const inside = r - Math.sqrt(dx * dx + dy * dy);
          if (inside > depth[digitSide * i + j]) depth[digitSide * i + j] = inside;
        }
      }
    }
    for (let p = 0; p < pixels; p++) {
      const t = Math.min(1, Math.max(0, depth[p] / blur + 0.5));
      out[at + p] = Math.round(255 * t * t * (3 - 2 * t)) / 255;
    }
  }
}

/** One of the forms of a digit, by weight. */
function pickForm(forms: readonly Glyph[], random: RandomStream): Glyph {
  let left = random.uniform() * forms.reduce((sum, form) => sum + form.weight, 0);
  for (const form of forms) {
    left -= form.weight;
    if (left < 0) return form;
  }
  return forms[0];
}

/**
 * `count` images of digits drawn at random, and which digits they are; the images over shared memory. Equal seeds give
 * equal images.
 */
export function digitImages(count: number, seed: number): DigitImages {
  requireCount(count, 'digitImages');
  const coordinates = sharedFloat64(count * pixels);
  const labels = new Int32Array(count);
  const pen = new Pen();
  for (let i = 0; i < count; i++) {
    const random = new RandomStream(seed, purpose, i);
    labels[i] = random.integer(10);
    pen.draw(pickForm(glyphs[labels[i]], random), random, coordinates, i * pixels);
  }
  return { images: { dimension: pixels, count, coordinates }, labels };
}
