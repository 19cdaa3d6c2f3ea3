/**
 * What a picture shows, without how it is drawn: plain data, from which the figure, its table and its alternative text
 * are made.
 */
import type { BlockStructure } from '../../hierarchical/matrix/block-structure.js';

/** An axis: what it measures, with its unit, and how. */
export interface Axis {
  readonly label: string;
  readonly scale?: 'linear' | 'log' | undefined;
  /** Values from zero on, whatever the least one is. */
  readonly fromZero?: boolean | undefined;
  /** How its values are written; default: up to three digits. */
  readonly write?: ((value: number) => string) | undefined;
  /** Values are whole numbers: no tick stands between them. */
  readonly whole?: boolean | undefined;
}

/** A point of a curve, with its interval where it has one. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  /** Said beside it where one points at it; default: name, x and y. */
  readonly note?: string | undefined;
}

/** One series. */
export interface Curve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  /** Default both: a line through marks (through the line alone, of many points). */
  readonly shape?: 'both' | 'line' | 'marks' | undefined;
  /** Drawn like the curve of this name, but with open marks: what is compared with it. */
  readonly beside?: string | undefined;
}

/** A value that is marked on an axis. */
export interface Rule {
  readonly along: 'x' | 'y';
  readonly value: number;
  readonly label: string;
}

/** A stretch of a row, from `start` to `end`, or a point between them. */
export interface Span {
  readonly row: string;
  readonly start: number;
  readonly end: number;
  readonly point?: number | undefined;
  /** Written behind it. */
  readonly label: string;
  /** What is told apart by colour; default: nothing is. */
  readonly group?: string | undefined;
  /** Said beside it where one points at it; default: row and label. */
  readonly note?: string | undefined;
}

/** What every chart says. */
interface Common {
  /** Names it on a page and in `--figure`: lower-case words with hyphens. */
  readonly id: string;
  readonly title: string;
  /** What one sees, in a sentence or two, for those who do not see it. */
  readonly alt: string;
  /** What is to be known beside, beneath the picture. */
  readonly caption?: string | undefined;
}

/** Series over two axes. */
export interface CurveChart extends Common {
  readonly kind: 'curves';
  readonly x: Axis;
  readonly y: Axis;
  readonly curves: readonly Curve[];
  readonly rules?: readonly Rule[] | undefined;
}

/** Stretches of an axis, row by row: amounts, times, intervals. */
export interface SpanChart extends Common {
  readonly kind: 'spans';
  readonly x: Axis;
  readonly spans: readonly Span[];
  readonly rules?: readonly Rule[] | undefined;
}

/** The partition of a matrix. */
export interface BlockChart extends Common {
  readonly kind: 'blocks';
  readonly structure: BlockStructure;
}

/** What can be drawn. */
export type Chart = CurveChart | SpanChart | BlockChart;

/** A chart's numbers. */
export interface ChartTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A value as the axis writes it; one that is no number (JSON has null for it) is a dash. */
export function written({ write, scale }: Axis, value: number): string {
  if (!Number.isFinite(value)) return '–';
  return write?.(value) ?? (scale === 'log' ? plainPower(value) : plainNumber(value));
}

/** Up to three significant digits, with commas between thousands. */
export function plainNumber(value: number): string {
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return plainPower(rounded);
  return rounded.toLocaleString('en-US', { maximumFractionDigits: 6 });
}

/** As plainNumber from a thousandth to 10,000, and else in powers of ten, 1.5e-8. */
export function plainPower(value: number): string {
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  if (size === 0 || (size >= 1e-3 && size < 1e5)) return rounded.toLocaleString('en-US', { maximumFractionDigits: 6 });
  return rounded.toExponential().replace('e+', 'e');
}
