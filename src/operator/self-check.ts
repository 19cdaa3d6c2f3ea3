/**
 * A look at an operator that the caller wrote: does it keep the contract (linear-operator.ts)?
 * Two products with two random vectors, once for each operator; the library's own are taken on trust.
 *
 *   Y = A·X by (α, β) = (1, 0) in blocks of their own;   Z = 2·A·X − W by (2, −1) in views with offset and gaps;
 *   Z = 2Y − W?   x₁ᵀAx₂ = x₂ᵀAx₁?
 */
import { AsymmetryError, OptionError, ShapeError } from '../core/errors.js';
import { sharedFloats } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import { RandomStream } from '../core/random.js';
import { copyInto, view, type Matrix, type Precision } from '../dense/matrix.js';
import type { LinearOperator } from './linear-operator.js';

const VECTORS = 2;
const OFFSET = 3;
const GAP = 2;
/** Far above rounding in float32, far below what a forgotten α, β, offset or column leaves. */
const TOLERANCE = 1e-3;
/** ‖A − Aᵀ‖_F of this share of ‖A‖_F is no rounding and no inexact product. */
const ASYMMETRY = 1e-2;
const STREAM = 0x5e1fc;

const verified = new WeakSet<LinearOperator>();
const ownClasses = new WeakSet<object>();

/** Takes every operator of a class of the library on trust (not those of classes derived from it). */
export function trustClass(type: abstract new (...args: never[]) => LinearOperator): void {
  ownClasses.add(type);
}

const isTrusted = (operator: LinearOperator): boolean => verified.has(operator) || ownClasses.has(operator.constructor);

/** An operator that the library made of others: taken on trust where all of those are, and where it is made of none. */
export function derived<O extends LinearOperator>(operator: O, ...parts: readonly LinearOperator[]): O {
  if (parts.every(isTrusted)) verified.add(operator);
  return operator;
}

/**
 * Throws unless `operator` is a linear operator that computes out ← α·A·X + β·out, for views with offsets and gaps and
 * several vectors at a time, as far as two products with random vectors of `precision` show, and says of itself what it
 * may (flops, diagonal, precision, columnwise): OptionError, which names what it ignores; AsymmetryError where it says
 * that it is symmetric and is far from it; ShapeError for sizes that are no whole numbers. Products that are NaN or
 * infinite are for the method to tell. A second call for the same operator costs nothing. Operators over own rows
 * (own-rows.ts) are taken on trust by methods that take them (`ownRows`); for others OptionError.
 */
export function requireOperator(
  operator: LinearOperator,
  of: string,
  precision: Precision = 'f64',
  { ownRows = false }: { readonly ownRows?: boolean } = {},
): void {
  requireRole(operator, 'operator', of);
  if (!ownRows) requireAllRows(operator, of);
  // Operators over own rows are the library's, made of others that were looked at.
  if (operator.rowShare !== undefined) return;
  if (isTrusted(operator)) return;
  const { rows, cols, symmetric } = operator;
  const subject = `The operator given to ${of}`;
  if (!Number.isSafeInteger(rows) || !Number.isSafeInteger(cols) || rows < 0 || cols < 0) {
    const sizes = `rows ${String(rows)} and cols ${String(cols)}`;
    throw new ShapeError(`${subject} has ${sizes}: both must be whole numbers ≥ 0.`, { rows, cols });
  }
  if (typeof symmetric !== 'boolean') {
    throw new OptionError(
      `${subject} must say whether it is symmetric: symmetric is ${String(symmetric)}, not true or false.`,
      { of },
    );
  }
  if (rows === 0 || cols === 0) return;
  requireAbilities(operator, subject, of);
  const random = new RandomStream(0, STREAM);
  const x = tight(cols, precision);
  random.fillNormal(x.data);
  const y = tight(rows, precision);
  operator.applyUnchecked(y, x, 1, 0);
  const norm = normOf(y);
  if (!Number.isFinite(norm)) return;
  const w = tight(rows, precision);
  random.fillNormal(w.data);
  // Of the size of Y, so that neither hides what happens to the other.
  const scale = norm > 0 ? norm / normOf(w) : 1;
  for (let i = 0; i < w.data.length; i++) w.data[i] *= scale;
  const z = gapped(rows, precision);
  copyInto(z, w);
  const xs = gapped(cols, precision);
  copyInto(xs, x);
  operator.applyUnchecked(z, xs, 2, -1);
  if (misses(z, y, w, 2, -1)) {
    const what = explain(operator, { x, y, w, z }, precision);
    throw new OptionError(`${subject} does not compute out ← α·A·X + β·out: ${what}.`, { of, rows, cols });
  }
  if (symmetric && rows === cols) requireSymmetry(x, y, subject);
  verified.add(operator);
}

/** Throws OptionError for an operator over own rows (own-rows.ts). */
export function requireAllRows({ rowShare }: LinearOperator, of: string): void {
  if (rowShare !== undefined)
    throw new OptionError(
      `${of} takes operators over all rows, and this one is over own rows (ownRows): give the operator itself.`,
      { of },
    );
}

/** Throws OptionError unless what the operator says of itself has the form that it should have. */
function requireAbilities(operator: LinearOperator, subject: string, of: string): void {
  const { rows, cols, flops, diagonal, precision, columnwise } = operator;
  const refuse = (what: string): never => {
    throw new OptionError(`${subject} ${what}`, { of });
  };
  if (precision !== undefined && precision !== 'f64' && precision !== 'f32')
    refuse(`has precision ${String(precision)}: it must be 'f64', 'f32' or absent.`);
  if (columnwise !== undefined && typeof columnwise !== 'boolean')
    refuse(`has columnwise ${String(columnwise)}: it must be true, false or absent.`);
  for (const [name, member, what] of [
    ['flops', flops, 'a function of the number of vectors'],
    ['diagonal', diagonal, 'a function that writes the diagonal into the array given'],
  ] as const) {
    if (member !== undefined && typeof member !== 'function')
      refuse(`has ${name} that is no function: it must be ${what}, or absent.`);
  }
  const count = operator.flops?.(1) ?? 0;
  if (!(count >= 0 && Number.isFinite(count))) refuse(`takes ${count} flops a vector: flops(1) must be a number ≥ 0.`);
  if (diagonal === undefined) return;
  if (rows !== cols) refuse(`has a diagonal and is ${rows} × ${cols}: only square operators have one.`);
  const values = new Float64Array(rows).fill(Number.NaN);
  operator.diagonal!(values);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    refuse(`does not write its diagonal: entry ${wrong} of the array given to diagonal(out) is ${values[wrong]}.`);
}

const tight = (rows: number, precision: Precision): Matrix =>
  view(sharedFloats(VECTORS * rows, precision), 0, rows, VECTORS);

/** A view with an offset and a gap between its columns, over numbers that are none. */
function gapped(rows: number, precision: Precision): Matrix {
  const data = sharedFloats(OFFSET + VECTORS * (rows + GAP), precision).fill(Number.NaN);
  return view(data, OFFSET, rows, VECTORS, rows + GAP);
}

/** ‖Y‖_F of a block without gaps; NaN or infinite where an entry is. */
function normOf({ data }: Matrix): number {
  let largest = 0;
  for (const value of data) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return largest;
  let sum = 0;
  for (const value of data) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/** Whether z is far from α·y + β·w. */
function misses(z: Matrix, y: Matrix, w: Matrix, alpha: number, beta: number): boolean {
  let worst = 0;
  let largest = 0;
  for (let j = 0; j < VECTORS; j++) {
    for (let i = 0; i < z.rows; i++) {
      const a = alpha * y.data[i + j * y.rows];
      const b = beta * w.data[i + j * w.rows];
      const difference = Math.abs(z.data[z.offset + i + j * z.ld] - (a + b));
      if (Number.isNaN(difference)) return true;
      worst = Math.max(worst, difference);
      largest = Math.max(largest, Math.abs(a), Math.abs(b));
    }
  }
  return worst > TOLERANCE * largest;
}

/** X, Y = A·X, W, and Z, which should be 2Y − W. */
interface Products {
  readonly x: Matrix;
  readonly y: Matrix;
  readonly w: Matrix;
  readonly z: Matrix;
}

/** What the operator seems to do instead. */
function explain(operator: LinearOperator, { x, y, w, z }: Products, precision: Precision): string {
  if (!misses(z, y, w, 1, 0)) return 'it ignores α and β (out ← A·X)';
  if (!misses(z, y, w, 2, 0)) return 'it ignores β, by which what out held is to be multiplied and kept';
  if (!misses(z, y, w, 1, -1)) return 'it ignores α, by which the product is to be multiplied';
  if (!misses(z, y, w, 2, 1)) return 'it adds to out without multiplying what was there by β';
  const again = tight(w.rows, precision);
  copyInto(again, w);
  operator.applyUnchecked(again, x, 2, -1);
  if (!misses(again, y, w, 2, -1))
    return 'it ignores offset or ld of a view, whose entry (i, j) is data[offset + i + j·ld]';
  return 'with (α, β) = (2, −1) the result is not 2·A·X − out for the A·X that it gives with (1, 0)';
}

function requireSymmetry(x: Matrix, y: Matrix, subject: string): void {
  const n = x.rows;
  let first = 0;
  let second = 0;
  for (let i = 0; i < n; i++) {
    first += x.data[i] * y.data[i + n];
    second += x.data[i + n] * y.data[i];
  }
  const norm = normOf(y);
  if (Math.abs(first - second) > ASYMMETRY * norm) {
    const sides = `xᵀ(A·y) = ${first} and yᵀ(A·x) = ${second} for two random vectors`;
    const size = `where ‖A‖_F is about ${(norm / Math.sqrt(VECTORS)).toPrecision(3)}`;
    throw new AsymmetryError(`${subject} says that it is symmetric and is not: ${sides}, ${size}.`, {
      value: first,
      transposed: second,
    });
  }
}
