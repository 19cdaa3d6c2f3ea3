/**
 * The launches of conjugate gradients on a device: x, r and p lie there as rows in the order of the operator, scalars
 * of each column do, too, and none of them leaves it but for a few of these.
 */
import { OptionError } from '../core/errors.js';
import { floats, type FloatArray } from '../core/floats.js';
import type { DeviceBuffer, PreparedWork } from '../device/device.js';
import type { ResidentOperator } from '../device/resident-operator.js';
import type { Coefficient, Combination, InnerProducts } from '../device/work/vectors.js';

/**
 * Rows of scalars: rᵀz of the step before; and of this one rᵀz, pᵀq, pᵀp, rᵀr, xᵀx, which are told; of columns whose x
 * is kept one and zero, of the others zero and one.
 */
const SCALARS = { before: 0, rz: 1, pq: 2, pp: 3, rr: 4, xx: 5, kept: 6, passed: 7 } as const;
const TOLD_ROWS = 6;
const SCALAR_ROWS = 8;

/** What a step tells of each column. */
export interface StepScalars {
  readonly rz: FloatArray;
  readonly pq: FloatArray;
  readonly pp: FloatArray;
  readonly rr: FloatArray;
  readonly xx: FloatArray;
}

/** A x = b as a device has it: A + λI, and M. */
export interface DeviceSystem {
  readonly operator: ResidentOperator;
  /** λ. */
  readonly shift: number;
  /** M ≈ (A + λI)⁻¹, or its diagonal in the order of the operator's rows. */
  readonly preconditioner?: ResidentOperator | FloatArray | undefined;
}

const ONE: Coefficient = { constant: 1 };
const ZERO: Coefficient = { constant: 0 };
const along = (constant: number): Coefficient => ({
  constant,
  numerator: SCALARS.rz,
  denominator: SCALARS.pq,
  positive: true,
});

const isOperator = (m: DeviceSystem['preconditioner']): m is ResidentOperator => m !== undefined && 'launch' in m;

/** Throws OptionError unless M stands on the operator's device, in its precision and with its rows in one order. */
export function requireOneOrder(operator: ResidentOperator, preconditioner: ResidentOperator): void {
  if (preconditioner.device !== operator.device || preconditioner.precision !== operator.precision)
    throw new OptionError(
      `The preconditioner is on ${preconditioner.device.name} in ${preconditioner.precision}, the operator on ` +
        `${operator.device.name} in ${operator.precision}: both must lie on one device, in one precision.`,
    );
  const [a, b] = [operator.layout.place, preconditioner.layout.place];
  if (a.length !== b.length || a.some((row, i) => row !== b[i]))
    throw new OptionError(
      'The preconditioner has its rows in another order than the operator: factor this matrix, or one over its tree.',
    );
}

/** The launches, and the memory that they work on. */
export class DeviceIterates {
  readonly #system: DeviceSystem;
  readonly #combinations = new Map<string, PreparedWork<'combination'>>();
  readonly #products = new Map<string, PreparedWork<'innerProducts'>>();
  readonly #width: number;
  readonly #size: number;
  #state!: DeviceBuffer;
  #scalars!: DeviceBuffer;
  #diagonal: DeviceBuffer | undefined;
  #a!: DeviceBuffer;
  #m: DeviceBuffer | undefined;
  #told: FloatArray;
  /** First rows of x, r, p, b, the x that is kept, and z. */
  readonly #rows: Readonly<Record<'x' | 'r' | 'p' | 'b' | 'best' | 'z', number>>;

  private constructor(system: DeviceSystem, width: number, keeps: boolean) {
    const { precision, layout } = system.operator;
    this.#system = system;
    this.#width = width;
    const size = (this.#size = layout.place.length);
    this.#rows = { x: 0, r: size, p: 2 * size, b: 3 * size, best: 4 * size, z: (keeps ? 5 : 4) * size };
    this.#told = floats(TOLD_ROWS * width, precision);
  }

  /** For `width` columns; `keeps`: with room for an x besides. Throws MemoryError, and then nothing is left there. */
  static async make(system: DeviceSystem, width: number, keeps: boolean): Promise<DeviceIterates> {
    const made = new DeviceIterates(system, width, keeps);
    try {
      await made.#prepare(keeps);
      return made;
    } catch (error) {
      made.release();
      throw error;
    }
  }

  /** x and b of as many columns, in rows; x's are zero without numbers. */
  load(b: FloatArray, x?: FloatArray): void {
    const { device, precision } = this.#system.operator;
    device.write(this.#state, b, this.#rows.b * this.#width);
    device.write(this.#state, x ?? floats(b.length, precision), this.#rows.x * this.#width);
  }

  /** x ← these numbers. */
  setX(x: FloatArray): void {
    this.#system.operator.device.write(this.#state, x, this.#rows.x * this.#width);
  }

  /** The x that is kept ← x, in those columns. */
  keep(columns: readonly boolean[]): void {
    const { device, precision } = this.#system.operator;
    const chosen = floats(2 * this.#width, precision);
    columns.forEach((isKept, q) => (chosen[(isKept ? 0 : this.#width) + q] = 1));
    device.write(this.#scalars, chosen, SCALARS.kept * this.#width);
    this.#combine('best ← x');
  }

  /** x ← those rows, in those columns. */
  async putBack(columns: readonly number[], rows: FloatArray): Promise<void> {
    if (columns.length === 0) return;
    const x = await this.fetch('x');
    for (const q of columns) for (let at = q; at < x.length; at += this.#width) x[at] = rows[at];
    this.setX(x);
  }

  /** The rows of x, of p, or of the x that is kept. */
  async fetch(which: 'x' | 'p' | 'best'): Promise<FloatArray> {
    const { device, precision } = this.#system.operator;
    const numbers = floats(this.#size * this.#width, precision);
    await device.read(this.#state, numbers, this.#rows[which] * this.#width);
    return numbers;
  }

  /** r ← b − (A + λI)·x; its scalars, of which rᵀr and xᵀx are new. */
  async residual(): Promise<StepScalars> {
    this.#multiply('x');
    this.#combine('r ← b');
    this.#combine('r ← r − A·x', { x: this.#a });
    this.#combine('r ← r − λ·x');
    return this.#tell();
  }

  /** A step; `first`: along z itself. Where rᵀz or pᵀq is not positive, x and r stay as they are. */
  async step(first: boolean): Promise<StepScalars> {
    const z = this.#precondition();
    this.#sum('rᵀz', { y: z });
    this.#combine(first ? 'p ← z' : 'p ← z + β·p', { x: z });
    this.#combine('keep rᵀz', { x: this.#scalars, y: this.#scalars });
    this.#multiply('p');
    this.#combine('q ← q + λ·p', { y: this.#a });
    this.#sum('pᵀq', { y: this.#a });
    this.#sum('pᵀp', {});
    this.#combine('x ← x + α·p');
    this.#combine('r ← r − α·q', { x: this.#a });
    return this.#tell();
  }

  /** Takes the last step back. */
  undo(): void {
    this.#combine('x ← x − α·p');
  }

  /** Frees all that is not the operators'. */
  release(): void {
    for (const work of [...this.#combinations.values(), ...this.#products.values()]) work.destroy();
    for (const buffer of [this.#state, this.#scalars, this.#diagonal] as (DeviceBuffer | undefined)[])
      buffer?.destroy();
  }

  /** q ← A·x or A·p. */
  #multiply(which: 'x' | 'p'): void {
    this.#combine(which === 'x' ? 'A’s vectors ← x' : 'A’s vectors ← p', { y: this.#a });
    this.#system.operator.launch(this.#a, this.#width);
  }

  /** z ← M·r; returns the buffer that it lies in. */
  #precondition(): DeviceBuffer {
    const { preconditioner } = this.#system;
    if (preconditioner === undefined) return this.#state;
    if (!isOperator(preconditioner)) {
      this.#combine('z ← D·r');
      return this.#state;
    }
    this.#combine('M’s vectors ← r', { y: this.#m! });
    preconditioner.launch(this.#m!, this.#width);
    return this.#m!;
  }

  async #tell(): Promise<StepScalars> {
    this.#sum('rᵀr, xᵀx', {});
    const { device } = this.#system.operator;
    await device.read(this.#scalars, this.#told);
    const row = (of: number): FloatArray => this.#told.slice(of * this.#width, (of + 1) * this.#width);
    return {
      rz: row(SCALARS.rz),
      pq: row(SCALARS.pq),
      pp: row(SCALARS.pp),
      rr: row(SCALARS.rr),
      xx: row(SCALARS.xx),
    };
  }

  async #prepare(keeps: boolean): Promise<void> {
    const { operator, shift, preconditioner } = this.#system;
    const { device, precision, layout } = operator;
    const width = this.#width;
    const diagonal = preconditioner !== undefined && !isOperator(preconditioner) ? preconditioner : undefined;
    const vectors = 4 + Number(keeps) + Number(diagonal !== undefined);
    this.#state = await device.allocate(vectors * this.#size * width, precision);
    this.#scalars = await device.allocate(SCALAR_ROWS * width, precision);
    this.#a = await operator.reserve(width);
    if (diagonal !== undefined) this.#diagonal = await device.upload(diagonal);
    if (isOperator(preconditioner)) this.#m = await preconditioner.reserve(width);
    const { x, r, p, b, best, z: own } = this.#rows;
    const q = layout.result;
    const z = isOperator(preconditioner) ? preconditioner.layout.result : diagonal === undefined ? r : own;
    const beta: Coefficient = { constant: 1, numerator: SCALARS.rz, denominator: SCALARS.before, positive: true };
    const add = async (name: string, of: Omit<Combination, 'kind' | 'count'>, count = this.#size): Promise<void> => {
      this.#combinations.set(name, await device.plan({ kind: 'combination', count, ...of }));
    };
    const sum = async (name: string, products: InnerProducts['products']): Promise<void> => {
      this.#products.set(name, await device.plan({ kind: 'innerProducts', products }));
    };
    await add('A’s vectors ← x', { x, y: 0, alpha: ONE, beta: ZERO });
    await add('A’s vectors ← p', { x: p, y: 0, alpha: ONE, beta: ZERO });
    await add('r ← b', { x: b, y: r, alpha: ONE, beta: ZERO });
    await add('r ← r − A·x', { x: q, y: r, alpha: { constant: -1 }, beta: ONE });
    if (shift !== 0) {
      await add('r ← r − λ·x', { x, y: r, alpha: { constant: -shift }, beta: ONE });
      await add('q ← q + λ·p', { x: p, y: q, alpha: { constant: shift }, beta: ONE });
    }
    if (diagonal !== undefined) await add('z ← D·r', { x: r, y: own, alpha: ONE, beta: ZERO, diagonal: true });
    if (isOperator(preconditioner)) await add('M’s vectors ← r', { x: r, y: 0, alpha: ONE, beta: ZERO });
    await add('p ← z', { x: z, y: p, alpha: ONE, beta: ZERO });
    await add('p ← z + β·p', { x: z, y: p, alpha: ONE, beta });
    await add('keep rᵀz', { x: SCALARS.rz, y: SCALARS.before, alpha: ONE, beta: ZERO }, 1);
    await add('x ← x + α·p', { x: p, y: x, alpha: along(1), beta: ONE });
    await add('x ← x − α·p', { x: p, y: x, alpha: along(-1), beta: ONE });
    await add('r ← r − α·q', { x: q, y: r, alpha: along(-1), beta: ONE });
    if (keeps) {
      const chosen = (numerator: number): Coefficient => ({ constant: 1, numerator });
      await add('best ← x', { x, y: best, alpha: chosen(SCALARS.kept), beta: chosen(SCALARS.passed) });
    }
    const count = this.#size;
    await sum('rᵀz', [{ x: r, y: z, count, to: SCALARS.rz }]);
    await sum('pᵀq', [{ x: p, y: q, count, to: SCALARS.pq }]);
    await sum('pᵀp', [{ x: p, y: p, count, to: SCALARS.pp }]);
    await sum('rᵀr, xᵀx', [
      { x: r, y: r, count, to: SCALARS.rr },
      { x, y: x, count, to: SCALARS.xx },
    ]);
  }

  /** Runs a combination; its operands are the state but for those that are named. Without λ there is none of it. */
  #combine(name: string, operands: Readonly<Partial<Record<'x' | 'y', DeviceBuffer>>> = {}): void {
    const work = this.#combinations.get(name);
    if (work === undefined) return;
    const { device } = this.#system.operator;
    const own = { x: this.#state, y: this.#state, scalars: this.#scalars, diagonal: this.#diagonal };
    device.launch(work, { ...own, ...operands }, this.#width);
  }

  #sum(name: string, operands: Readonly<Partial<Record<'x' | 'y', DeviceBuffer>>>): void {
    const { device } = this.#system.operator;
    const out = this.#scalars;
    device.launch(this.#products.get(name)!, { x: this.#state, y: this.#state, out, ...operands }, this.#width);
  }
}
