/**
 * Damped inverses of Kronecker-factored matrices.
 * Exact: (A ⊗ Γ + λI)⁻¹ V = U_A [(U_Aᵀ V U_Γ) ⊘ (s_A s_Γᵀ + λ)] U_Γᵀ. Factored Tikhonov (J. Martens, R. Grosse, arXiv
 * 1503.05671, §6.3): (A + πγI)⁻¹ V (Γ + (γ/π)I)⁻¹ by Cholesky factors.
 */
import { quoted } from '../../core/kind.js';
import { NotPositiveDefiniteError, OptionError } from '../../core/errors.js';
import { floats } from '../../core/floats.js';
import type { KeysOf } from '../../core/known-options.js';
import type { Blas } from '../../dense/blas.js';
import { block, copyInto, zeros, type FloatArray, type Matrix, type Precision } from '../../dense/matrix.js';
import { apply } from '../../operator/apply.js';
import { normalVectors, sampleOptions, type SampleOptions } from '../../operator/draws.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import {
  checkDamping,
  dampedReciprocals,
  eigenBlock,
  eigenDraws,
  eigenOperator,
  type EigenBlock,
  type KroneckerBasis,
} from './basis.js';
import type { KroneckerFactors, SymmetricFactor } from './factors.js';
import {
  bytesOfArrays,
  layerBlockOperator,
  scaleColumnsRight,
  type LayerBlock,
  type LayerMap,
} from './layer-blocks.js';

/** How much is added to a matrix before it is inverted, and how. */
export interface DampingOptions {
  /** λ ≥ 0. */
  readonly damping: number;
  /** Default 'exact'. */
  readonly kind?: 'exact' | 'factored-tikhonov' | undefined;
}
/** The keys of {@link DampingOptions}. */
export const DAMPING_KEYS: KeysOf<DampingOptions> = { damping: 'number', kind: true };

/** (K + λI)⁻¹, or its factored form, as an operator. */
export interface DampedInverse extends LinearOperator {
  /** λ. */
  readonly damping: number;
  /** log det(K + λI); of 'factored-tikhonov' that of the matrix whose inverse this is. */
  readonly logdet: number;
  /** Bytes of the arrays that a product reads. */
  readonly bytes: number;
  /**
   * Independent draws, N × count in float64, of N(0, K + λI) or of N(0, (K + λI)⁻¹) (where the damping is
   * 'factored-tikhonov', of that matrix and its inverse): products of a factor, in the operator's precision, with
   * standard normal vectors. Column j depends on seed and j alone, but for rounding. Cost: that of a product each.
   * Throws OptionError.
   */
  sample(this: void, options?: SampleOptions): Matrix<Float64Array>;
}

/** Eigenvalues s_A s_Γᵀ of a layer's block, width × outputs. */
function kroneckerEigenvalues({ input, output }: KroneckerBasis): Matrix {
  const eigenvalues = zeros(input.values.length, output.values.length);
  let i = 0;
  for (const s of output.values) for (const a of input.values) eigenvalues.data[i++] = a * s;
  return eigenvalues;
}

/**
 * The inverse of blockdiag(A ⊗ Γ) + λI. A layer without activity or without errors has a block of zero, inverted as λI.
 */
export function exactDampedInverse(
  layers: readonly LayerBlock[],
  bases: readonly KroneckerBasis[],
  { damping, kind = 'exact' }: DampingOptions,
  precision: Precision,
  blas: Blas,
): DampedInverse {
  if (kind !== 'exact')
    throw new OptionError(`Unknown damping ${quoted(kind)}: choose exact or factored-tikhonov.`, { kind });
  checkDamping(damping);
  const blocks = layers.map((layer, ℓ) =>
    eigenBlock(layer, bases[ℓ], dampedReciprocals(kroneckerEigenvalues(bases[ℓ]), damping, precision, ℓ), precision),
  );
  return eigenInverse(blocks, damping, precision, blas);
}

/** The operator of blocks whose eigenvalues are those of (K + λI)⁻¹. */
export function eigenInverse(
  blocks: readonly EigenBlock[],
  damping: number,
  precision: Precision,
  blas: Blas,
): DampedInverse {
  let logdet = 0;
  for (const { eigenvalues } of blocks) for (const value of eigenvalues.data) logdet -= Math.log(value);
  return { ...eigenOperator(blocks, precision, blas), damping, logdet, sample: eigenDraws(blocks, precision, blas) };
}

/** Lower Cholesky factor of A + πγI, and of Γ + (γ/π)I or its reciprocals where it is diagonal. */
interface DampedBlock extends LayerBlock {
  readonly input: Matrix;
  readonly output: SymmetricFactor;
}

/**
 * (A + πγI)⁻¹ ⊗ (Γ + (γ/π)I)⁻¹ for each layer. Where A or Γ is zero, π has no value; the layer's block A ⊗ Γ is zero
 * and is inverted as λI. Throws NotPositiveDefiniteError where a damped factor is singular to working precision.
 */
export function factoredDampedInverse(
  layers: readonly (LayerBlock & KroneckerFactors)[],
  { damping }: DampingOptions,
  precision: Precision,
  blas: Blas,
): DampedInverse {
  checkDamping(damping);
  const γ = Math.sqrt(damping);
  const blocks = layers.map(({ offset, width, outputs, input, output }, ℓ): DampedBlock => {
    const inputMean = trace({ kind: 'dense', matrix: input }) / width;
    const outputMean = trace(output) / outputs;
    const active = inputMean > 0 && outputMean > 0;
    const π = active ? Math.sqrt(inputMean) / Math.sqrt(outputMean) : 1;
    const zero = (order: number): SymmetricFactor => ({ kind: 'diagonal', values: new Float64Array(order) });
    const damped = active
      ? dampedCholesky(input, { shift: π * γ, precision, layer: ℓ, name: 'A' }, blas)
      : diagonalMatrix(width, Math.sqrt(γ), precision);
    return {
      offset,
      width,
      outputs,
      input: damped,
      output: dampedFactor(active ? output : zero(outputs), { shift: γ / π, precision, layer: ℓ, name: 'Γ' }, blas),
    };
  });
  const operator = layerBlockOperator(blocks, precision, ({ input, output, outputs }, v) => {
    blas.trsm('L', 'L', 'N', 'N', 1, input, v);
    blas.trsm('L', 'L', 'T', 'N', 1, input, v);
    if (output.kind === 'diagonal') {
      scaleColumnsRight(v, output.values);
      return v;
    }
    for (let j = 0; j < v.cols; j += outputs) {
      const part = block(v, 0, j, v.rows, outputs);
      blas.trsm('R', 'L', 'T', 'N', 1, output.matrix, part);
      blas.trsm('R', 'L', 'N', 'N', 1, output.matrix, part);
    }
    return v;
  });
  return {
    ...operator,
    damping,
    logdet: blocks.reduce(
      (sum, { input, output, width, outputs }) =>
        sum + outputs * factorLogdet({ kind: 'dense', matrix: input }) + width * factorLogdet(output),
      0,
    ),
    sample: (options = {}) => {
      const asked = sampleOptions(options);
      const factor = layerBlockOperator(blocks, precision, factorMap(asked.of, blas));
      return apply({ ...factor, symmetric: false }, normalVectors(operator.rows, asked));
    },
    bytes: bytesOfArrays(
      blocks.flatMap(({ input, output }) => [input.data, output.kind === 'dense' ? output.matrix.data : output.values]),
    ),
  };
}

/** V ← L_A·V·L_Γᵀ, a factor of A ⊗ Γ, or of its inverse L_A⁻ᵀ·V·L_Γ⁻¹. */
const factorMap =
  (of: 'matrix' | 'inverse', blas: Blas): LayerMap<DampedBlock> =>
  ({ input, output, outputs }, v) => {
    if (of === 'matrix') blas.trmm('L', 'L', 'N', 'N', 1, input, v);
    else blas.trsm('L', 'L', 'T', 'N', 1, input, v);
    if (output.kind === 'diagonal') {
      // These are the reciprocals.
      const power = of === 'matrix' ? -0.5 : 0.5;
      scaleColumnsRight(
        v,
        output.values.map((value) => value ** power),
      );
      return v;
    }
    for (let j = 0; j < v.cols; j += outputs) {
      const part = block(v, 0, j, v.rows, outputs);
      if (of === 'matrix') blas.trmm('R', 'L', 'T', 'N', 1, output.matrix, part);
      else blas.trsm('R', 'L', 'N', 'N', 1, output.matrix, part);
    }
    return v;
  };

/** log det of what has this Cholesky factor, or these reciprocals on its diagonal. */
function factorLogdet(factor: SymmetricFactor): number {
  let sum = 0;
  if (factor.kind === 'diagonal') for (const value of factor.values) sum -= Math.log(value);
  else
    for (let k = 0; k < factor.matrix.rows; k++) sum += 2 * Math.log(factor.matrix.data[k * (factor.matrix.rows + 1)]);
  return sum;
}

function trace(factor: SymmetricFactor): number {
  let sum = 0;
  if (factor.kind === 'diagonal') for (const value of factor.values) sum += value;
  else
    for (let k = 0; k < factor.matrix.rows; k++)
      sum += factor.matrix.data[factor.matrix.offset + k * (factor.matrix.ld + 1)];
  return sum;
}

/** value·I. */
function diagonalMatrix(order: number, value: number, precision: Precision): Matrix {
  const a = zeros(order, order, precision);
  for (let k = 0; k < order; k++) a.data[k * (order + 1)] = value;
  return a;
}

/** What is added to a factor, and which factor it is, for messages. */
interface FactorDamping {
  readonly shift: number;
  /** Precision of the result. */
  readonly precision: Precision;
  /** From 0. */
  readonly layer: number;
  readonly name: 'A' | 'Γ';
}

/** Factored in double precision, so that a damping far below the factor's largest eigenvalue is not lost. */
function dampedCholesky(factor: Matrix, { shift, precision, layer, name }: FactorDamping, blas: Blas): Matrix {
  const { rows } = factor;
  const lower = zeros(rows, rows);
  copyInto(lower, factor);
  for (let k = 0; k < rows; k++) lower.data[k * (rows + 1)] += shift;
  const diagonal = Float64Array.from({ length: rows }, (_, k) => lower.data[k * (rows + 1)]);
  const info = blas.potrf('L', lower);
  if (info !== 0) singular(name, layer, shift, info - 1);
  // A pivot within the backward error of its diagonal entry is rounding.
  for (let k = 0; k < rows; k++)
    if (lower.data[k * (rows + 1)] ** 2 <= rows * Number.EPSILON * diagonal[k]) singular(name, layer, shift, k);
  if (precision === 'f64') return lower;
  const rounded = zeros(rows, rows, precision);
  copyInto(rounded, lower);
  return rounded;
}

function dampedFactor(factor: SymmetricFactor, damping: FactorDamping, blas: Blas): SymmetricFactor {
  if (factor.kind === 'dense') return { kind: 'dense', matrix: dampedCholesky(factor.matrix, damping, blas) };
  const { shift, precision, layer, name } = damping;
  const reciprocals: FloatArray = floats(factor.values.length, precision);
  factor.values.forEach((value, k) => {
    reciprocals[k] = 1 / (value + shift);
    if (!Number.isFinite(reciprocals[k])) singular(name, layer, shift, k);
  });
  return { kind: 'diagonal', values: reciprocals };
}

function singular(name: string, layer: number, shift: number, pivot: number): never {
  throw new NotPositiveDefiniteError(
    `The factor ${name} of layer ${layer + 1}, damped by ${shift}, is singular to working precision (pivot ` +
      `${pivot}): use a larger λ.`,
    { layer, factor: name, shift, pivot },
  );
}
