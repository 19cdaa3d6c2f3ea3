/**
 * The vectors that the Newton methods work on: of one length, here (arrays of one linear memory) or on a device, where
 * the arrays stand for what lies there. Dot products are in double precision; on a device their last sums are.
 */
import type { FloatArray } from '../../core/floats.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import { stepLength, type LengthRule, type StepLength } from './step-length.js';
import { ready, type Steps } from './steps.js';

/** Numbers of a vector: from `first` on `length`. */
export interface Part {
  readonly first: number;
  readonly length: number;
}

/** The numbers of a layer. */
export const partOf = ({ offset, width, outputs }: LayerBlock): Part => ({ first: offset, length: width * outputs });

/** Two vectors. */
export type Pair = readonly [FloatArray, FloatArray];

/** A step of conjugate gradients along p: x ← x + along·p, r ← r − across·q with q = Ap (step-length.ts). */
export interface CgStep {
  readonly x: FloatArray;
  readonly r: FloatArray;
  readonly p: FloatArray;
  readonly q: FloatArray;
  readonly rule: LengthRule;
}

/** How far it went, and what it told: the products of `pairsOf` before it, and those asked for behind it. */
export interface Advanced {
  readonly length: StepLength;
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** The pairs whose products tell a step's length: p and q, p and p, within a radius x and p, x and x. */
export const pairsOf = ({ x, p, q, rule }: CgStep): readonly Pair[] => [
  [p, q],
  [p, p],
  ...(rule.radius === undefined
    ? []
    : ([
        [x, p],
        [x, x],
      ] as const)),
];

/** Arithmetic on vectors of one length, wherever they lie. */
export abstract class Space {
  readonly length: number;

  constructor(length: number) {
    this.length = length;
  }

  /** y ← αx + βy, where β = 0 y is not read; of a part alone where one is given. */
  abstract combine(alpha: number, x: FloatArray, beta: number, y: FloatArray, part?: Part): void;

  /** x ← 0, or a part of it. */
  abstract clear(x: FloatArray, part?: Part): void;

  /** x ← keep·x in a layer's weights, with `biases` in all of it. */
  abstract shrink(x: FloatArray, layer: LayerBlock, keep: number, biases: boolean): void;

  /** xᵀy of each pair: on a device all of them come at once. */
  abstract dots(...pairs: readonly Pair[]): Steps<readonly number[]>;

  /** The step, then what `between` asks for, then the products of `after`: on a device all of it comes at once. */
  abstract advance(step: CgStep, between: () => void, after: readonly Pair[]): Steps<Advanced>;

  /** w ← (I − VVᵀ)w, one vector after the other, the last one first, all of it twice. */
  abstract orthogonalize(w: FloatArray, vectors: readonly FloatArray[]): void;

  /** Whether all numbers are finite. */
  abstract isFinite(x: FloatArray): Steps<boolean>;

  /** y ← x */
  copy(x: FloatArray, y: FloatArray): void {
    this.combine(1, x, 0, y);
  }

  /** y ← αx + y */
  add(alpha: number, x: FloatArray, y: FloatArray): void {
    this.combine(alpha, x, 1, y);
  }

  /** x ← αx */
  scale(alpha: number, x: FloatArray, part?: Part): void {
    this.combine(alpha, x, 0, x, part);
  }
}

/** Vectors here: what they come to is known at once. */
export class Vectors extends Space {
  readonly kernels: VectorKernels;

  constructor(length: number, kernels: VectorKernels) {
    super(length);
    this.kernels = kernels;
  }

  combine(alpha: number, x: FloatArray, beta: number, y: FloatArray, part?: Part): void {
    if (part === undefined) {
      this.kernels.combine(this.length, alpha, x, beta, y);
      return;
    }
    const own = (vector: FloatArray): FloatArray => vector.subarray(part.first, part.first + part.length);
    this.kernels.combine(part.length, alpha, own(x), beta, own(y));
  }

  clear(x: FloatArray, { first, length }: Part = { first: 0, length: this.length }): void {
    x.fill(0, first, first + length);
  }

  shrink(x: FloatArray, { offset, width, inputs, outputs }: LayerBlock, keep: number, biases: boolean): void {
    for (let p = 0; p < outputs; p++) {
      const unit = x.subarray(offset + p * width, offset + p * width + (biases ? width : inputs));
      for (let k = 0; k < unit.length; k++) unit[k] *= keep;
    }
  }

  dots(...pairs: readonly Pair[]): Steps<readonly number[]> {
    return ready(this.#dots(pairs));
  }

  advance(step: CgStep, between: () => void, after: readonly Pair[]): Steps<Advanced> {
    const before = this.#dots(pairsOf(step));
    const length = stepLength(step.rule, before);
    if (length.along !== 0) this.add(length.along, step.p, step.x);
    if (length.across !== 0) this.add(-length.across, step.q, step.r);
    between();
    return ready({ length, before, after: this.#dots(after) });
  }

  orthogonalize(w: FloatArray, vectors: readonly FloatArray[]): void {
    for (let turn = 0; turn < 2; turn++)
      for (let j = vectors.length - 1; j >= 0; j--) this.add(-this.dot(vectors[j], w), vectors[j], w);
  }

  isFinite(x: FloatArray): Steps<boolean> {
    return ready(this.finite(x));
  }

  /** xᵀy */
  dot(x: FloatArray, y: FloatArray): number {
    return this.kernels.dot(this.length, x, y);
  }

  norm(x: FloatArray): number {
    return Math.sqrt(this.dot(x, x));
  }

  finite(x: FloatArray): boolean {
    return this.kernels.finite(this.length, x);
  }

  #dots(pairs: readonly Pair[]): number[] {
    return pairs.map(([x, y]) => this.dot(x, y));
  }
}

/** out ← A·v of a symmetric matrix A. */
export type Product = (v: FloatArray, out: FloatArray) => Steps<void>;
