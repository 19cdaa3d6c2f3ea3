/**
 * The ten shapes of shapes.ts as functions of the plane. Data sets.
 * Each gives about the distance to the shape's edge, negative inside, for shapes about the origin that reach out to
 * about 1.
 */

/** One class of shapes. */
export interface ShapeForm {
  readonly name: string;
  /** Most degrees by which it is turned either way: stripes are told by their direction. */
  readonly turn: number;
  readonly distance: (x: number, y: number) => number;
}

const box = (x: number, y: number, half: number): number => Math.max(Math.abs(x), Math.abs(y)) - half;

/** Corner of a star between two points, as seen from its middle: at 36 degrees, this far away. */
const STAR_INNER = 0.42;
const STAR_STEP = (2 * Math.PI) / 5;
/** The normal of the edge from the point (1, 0) to the inner corner. */
const starNormal = ((): readonly [number, number] => {
  const dx = STAR_INNER * Math.cos(STAR_STEP / 2) - 1;
  const dy = STAR_INNER * Math.sin(STAR_STEP / 2);
  const length = Math.hypot(dx, dy);
  return [dy / length, -dx / length];
})();

function star(x: number, y: number): number {
  const angle = Math.atan2(y, x);
  const folded = Math.abs(angle - STAR_STEP * Math.round(angle / STAR_STEP));
  const r = Math.hypot(x, y);
  return starNormal[0] * (r * Math.cos(folded) - 1) + starNormal[1] * r * Math.sin(folded);
}

const half = Math.sqrt(3) / 2;
const triangle = (x: number, y: number): number => Math.max(-y, half * x + y / 2, -half * x + y / 2) - 0.5;

/** Distance to the nearest edge of bands of width 0.3, negative in every second one. */
const PERIOD = 0.6;
const bands = (t: number): number => PERIOD * (Math.abs(t / PERIOD - Math.round(t / PERIOD)) - 0.25);
const FIELD = 0.9;

function checker(x: number, y: number): number {
  const a = bands(x);
  const b = bands(y);
  return Math.max(box(x, y, FIELD), Math.sign(a * b) * Math.min(Math.abs(a), Math.abs(b)));
}

/** By class, in the order of the labels. */
export const shapeForms: readonly ShapeForm[] = [
  { name: 'disc', turn: 0, distance: (x, y) => Math.hypot(x, y) - 0.9 },
  { name: 'ring', turn: 0, distance: (x, y) => Math.abs(Math.hypot(x, y) - 0.72) - 0.2 },
  { name: 'square', turn: 180, distance: (x, y) => box(x, y, 0.8) },
  { name: 'frame', turn: 180, distance: (x, y) => Math.abs(box(x, y, 0.64)) - 0.18 },
  { name: 'triangle', turn: 180, distance: triangle },
  {
    name: 'cross',
    turn: 180,
    distance: (x, y) =>
      Math.min(Math.max(Math.abs(x) - 1, Math.abs(y) - 0.27), Math.max(Math.abs(x) - 0.27, Math.abs(y) - 1)),
  },
  { name: 'horizontal stripes', turn: 15, distance: (x, y) => Math.max(box(x, y, FIELD), bands(y)) },
  { name: 'vertical stripes', turn: 15, distance: (x, y) => Math.max(box(x, y, FIELD), bands(x)) },
  { name: 'checker', turn: 15, distance: checker },
  { name: 'star', turn: 180, distance: star },
];
