/**
 * A factorized hierarchical matrix on a device: its factors stay there, vectors come and go.
 */
import { DeviceError, NonFiniteError } from '../../../core/errors.js';
import { firstNonFinite, ROUNDOFF, type FloatArray, type Precision } from '../../../core/floats.js';
import { RandomStream } from '../../../core/random.js';
import { squaredNorm, view, type FlatVector, type Matrix, type Vectors } from '../../../dense/matrix.js';
import type { Device, DeviceBuffer, PreparedWork } from '../../../device/device.js';
import type { ResidentOperator, VectorLayout } from '../../../device/resident-operator.js';
import { isolatedOf } from '../../../tree/cluster-tree.js';
import { DeviceVectors } from '../../device/device-vectors.js';
import type { PlannedLaunch } from '../../device/launches.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { requireProduct } from '../../matrix/product-operands.js';
import { placesOf } from '../../matrix/transposed-vectors.js';
import type { ResidentFactors } from './resident-factors.js';

/** Bytes of a factorization on a device. */
export interface DeviceFactorizationMemory {
  /** The factors, without what the matrix has there. */
  readonly factors: number;
  /** What the launches read of the structure. */
  readonly lists: number;
  /** Vectors of the widest solve so far. */
  readonly vectors: number;
  readonly bytes: number;
}

const RESIDUAL_STREAM = 0xd31ce;

/** (K̃ + λI)⁻¹ on a device: `DeviceMatrix.factor` makes it there, `Factorization.to` puts the team's there. */
export class DeviceFactorization implements ResidentOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly device: Device;
  readonly #data: HierarchicalData;
  readonly #factors: ResidentFactors;
  readonly #vectors: DeviceVectors;
  /** Y ← K̃·X by the matrix that was factored. */
  readonly #multiply: (x: Matrix<Float64Array>) => Promise<Matrix>;
  /** Scales the rows of isolated indices, for the λ it was made with. */
  #isolated: { readonly shift: number; readonly works: readonly PreparedWork<'combination'>[] } | undefined;
  #live = true;
  #valid = true;
  #residual = Number.NaN;

  private constructor(
    data: HierarchicalData,
    device: Device,
    factors: ResidentFactors,
    multiply: (x: Matrix<Float64Array>) => Promise<Matrix>,
  ) {
    this.rows = data.tree.size;
    this.cols = data.tree.size;
    this.device = device;
    this.#data = data;
    this.#factors = factors;
    this.#multiply = multiply;
    const layout = { place: placesOf(data.tree.order), result: 0, rows: factors.rows };
    this.#vectors = new DeviceVectors(device, factors.precision, layout, () => {
      this.#requireUsable();
    });
  }

  /** Of `DeviceMatrix.factor` and `Factorization.to`; where it fails, the factors are freed. */
  static async make(
    data: HierarchicalData,
    device: Device,
    factors: ResidentFactors,
    multiply: (x: Matrix<Float64Array>) => Promise<Matrix>,
  ): Promise<DeviceFactorization> {
    const made = new DeviceFactorization(data, device, factors, multiply);
    try {
      await made.#settle();
      return made;
    } catch (error) {
      made.release();
      throw error;
    }
  }

  get size(): number {
    return this.rows;
  }
  /** What it is computed in. */
  get precision(): Precision {
    return this.#factors.precision;
  }
  /** λ. */
  get shift(): number {
    return this.#factors.shift;
  }
  /** log |det(K̃ + λI)|, summed in float64 over pivots of the device's precision. */
  get logdet(): number {
    this.#requireUsable();
    return this.#factors.logdet;
  }
  /**
   * ‖b − (K̃ + λI)·x‖₂/‖b‖₂ of a solve with a seeded vector b: what rounding, times the condition number, leaves of the
   * device's digits. Measured when it was factored.
   */
  get residual(): number {
    this.#requireUsable();
    return this.#residual;
  }
  /** How vectors stand on the device. */
  get layout(): VectorLayout {
    return this.#vectors.layout;
  }

  /**
   * X = (K̃ + λI)⁻¹·B for B of size N × p, or an array of N numbers, computed on the device; resolves to `out` or a new
   * matrix of B's precision. Vectors go there and back in the order of calls, and must not change until then; the
   * factors lie there already. Rejects with ShapeError, NonFiniteError where B is beyond the device's precision,
   * MemoryError, DeviceError, DeviceLostError.
   */
  solve(b: FlatVector | Matrix<Float64Array>, out?: undefined): Promise<Matrix<Float64Array>>;
  /** As before, into `out`. */
  solve<A extends FloatArray>(b: Vectors, out: Matrix<A>): Promise<Matrix<A>>;
  /** As before, for vectors of either precision. */
  solve(b: Vectors, out?: Matrix): Promise<Matrix>;
  async solve(b: Vectors, out?: Matrix): Promise<Matrix> {
    const { x, y } = requireProduct(this.rows, b, out);
    requireHeld(x, this.precision);
    await this.#vectors.run(this, x, y);
    return y;
  }

  /** Memory for `width` vectors on the device. Throws MemoryError. */
  reserve(width: number): Promise<DeviceBuffer> {
    return this.#vectors.reserve(width);
  }

  /** Does `what` after the solves before. */
  inTurn<T>(what: () => Promise<T>): Promise<T> {
    return this.#vectors.inTurn(what);
  }

  /** The launches of a solve over vectors that lie there; what `solve` does between sending and fetching. */
  launch(vectors: DeviceBuffer, width: number): void {
    this.#requireUsable();
    const { launches, values } = this.#factors;
    launches.run(values, vectors, width);
    for (const work of this.#isolated?.works ?? []) this.device.launch(work, { x: vectors, y: vectors }, width);
  }

  /** The launches of a solve with p vectors at a time, in order, and what each costs. */
  launches(p: number): PlannedLaunch[] {
    this.#requireUsable();
    return this.#factors.launches.cost(p);
  }

  /**
   * Factors again for another λ, on the device and in place. Rejects with NotPositiveDefiniteError, and is then
   * unusable until it succeeds; OptionError where the team factored it.
   */
  async refactor(shift: number): Promise<this> {
    this.#requireLive();
    await this.#vectors.inTurn(async () => {
      this.#valid = false;
      await this.#factors.refactor(shift);
      this.#valid = true;
    });
    await this.#settle();
    return this;
  }

  /** What lies on the device. */
  memory(): DeviceFactorizationMemory {
    this.#requireLive();
    const { bytes: factors, launches, lists: more } = this.#factors;
    const lists = launches.bytes + more + (this.#isolated?.works.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0);
    const vectors = this.#vectors.bytes;
    return { factors, lists, vectors, bytes: factors + lists + vectors };
  }

  /** Frees what lies on the device; nothing can be solved any more. */
  release(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#vectors.release();
    this.#factors.release();
    for (const work of this.#isolated?.works ?? []) work.destroy();
    this.#isolated = undefined;
  }

  /** What depends on λ besides the factors, and the residual of a solve. */
  async #settle(): Promise<void> {
    const { shift } = this.#factors;
    const isolated = isolatedOf(this.#data.tree);
    if (isolated > 0 && this.#isolated?.shift !== shift) {
      const rows = { kind: 'combination', count: isolated, beta: { constant: 0 } } as const;
      const [first, last] = [0, this.rows];
      for (const work of this.#isolated?.works ?? []) work.destroy();
      this.#isolated = undefined;
      // The rows after the first N have no other use for isolated indices.
      const scaled = await this.device.plan({ ...rows, x: first, y: last, alpha: { constant: 1 / shift } });
      const back = await this.device.plan({ ...rows, x: last, y: first, alpha: { constant: 1 } });
      this.#isolated = { shift, works: [scaled, back] };
    }
    const b = view(new Float64Array(this.rows), 0, this.rows, 1);
    new RandomStream(0, RESIDUAL_STREAM).fillNormal(b.data);
    const x = await this.solve(b);
    const product = await this.#multiply(x);
    const rest = view(Float64Array.from(b.data), 0, this.rows, 1);
    for (let i = 0; i < this.rows; i++) rest.data[i] -= product.data[product.offset + i] + shift * x.data[x.offset + i];
    this.#residual = Math.sqrt(squaredNorm(rest) / squaredNorm(b));
  }

  #requireLive(): void {
    if (!this.#live)
      throw new DeviceError('The factorization on the device was released: factor the matrix there again.', {
        device: this.device.name,
      });
  }

  #requireUsable(): void {
    this.#requireLive();
    if (!this.#valid)
      throw new DeviceError('The factorization on the device failed: refactor it with another shift.', {
        device: this.device.name,
        shift: this.#factors.shift,
      });
  }
}

/** Throws NonFiniteError for numbers that the precision cannot hold. */
function requireHeld(x: Matrix, precision: Precision): void {
  for (let j = 0; j < x.cols; j++) {
    const column = x.data.subarray(x.offset + j * x.ld, x.offset + j * x.ld + x.rows);
    const held = precision === 'f32' && column instanceof Float64Array ? Float32Array.from(column) : column;
    const row = firstNonFinite(held);
    if (row >= 0)
      throw new NonFiniteError(`b holds ${column[row]} in row ${row}, column ${j}, which ${precision} cannot hold.`, {
        row,
        column: j,
        value: column[row],
      });
  }
}

/** What a residual says of the device's digits, or nothing where fewer than three of them are lost. */
export function lostDigits({ residual, precision, shift }: DeviceFactorization): string | undefined {
  const lost = Math.round(Math.log10(residual / ROUNDOFF[precision]));
  if (precision === 'f64' || lost < 3) return undefined;
  return (
    `Factored on the device in float32 with λ = ${shift}, solves have a relative residual of about ` +
    `${residual.toExponential(0)}: the condition number costs about ${Math.min(7, lost)} of 7 digits. Refine its ` +
    'solutions, precondition with it, or take a larger shift.'
  );
}
