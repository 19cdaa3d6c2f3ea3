/**
 * Eigenbases of Kronecker factors and the operators that are diagonal in them.
 * A = U_A diag(s_A) U_Aᵀ, Γ = U_Γ diag(s_Γ) U_Γᵀ; a block with eigenvalues D (width × outputs) maps V to U_A [(U_Aᵀ V
 * U_Γ) ∘ D] U_Γᵀ.
 */
import { FactorizationError, NotPositiveDefiniteError, OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import type { Blas } from '../../dense/blas.js';
import { copyInto, zeros, type FloatArray, type Matrix, type Precision } from '../../dense/matrix.js';
import { apply } from '../../operator/apply.js';
import { normalVectors, sampleOptions, type SampleOptions } from '../../operator/draws.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import type { KroneckerFactors, SymmetricFactor } from './factors.js';
import { bytesOfArrays, inPrecision, layerBlockOperator, multiplyRight, type LayerBlock } from './layer-blocks.js';

/** Eigenvectors in columns (null: the identity) and eigenvalues, none below zero; double precision. */
export interface Eigenbasis {
  readonly vectors: Matrix | null;
  readonly values: Float64Array;
}

/** The eigenbases of a layer's two factors. */
export interface KroneckerBasis {
  readonly input: Eigenbasis;
  readonly output: Eigenbasis;
}

/** The eigenbases of a layer's factors. Throws FactorizationError. */
export function kroneckerBasis({ input, output }: KroneckerFactors, blas: Blas): KroneckerBasis {
  return { input: eigenbasis({ kind: 'dense', matrix: input }, blas), output: eigenbasis(output, blas) };
}

function eigenbasis(factor: SymmetricFactor, blas: Blas): Eigenbasis {
  if (factor.kind === 'diagonal') return { vectors: null, values: Float64Array.from(factor.values) };
  const { rows } = factor.matrix;
  const vectors = zeros(rows, rows);
  copyInto(vectors, factor.matrix);
  const values = new Float64Array(rows);
  const info = blas.syevd(true, 'L', vectors, values);
  if (info !== 0)
    throw new FactorizationError(
      `The eigenvalues of a Kronecker factor of order ${rows} were not found (syevd: info ${info}).`,
      { routine: 'syevd', info, order: rows },
    );
  // The factors are Gram matrices: eigenvalues within the backward error of zero, or below it, are rounding.
  const noise = rows * Number.EPSILON * Math.max(0, values[rows - 1]);
  for (let k = 0; k < rows; k++) if (values[k] <= noise) values[k] = 0;
  return { vectors, values };
}

/** A layer's block in its eigenbasis. */
export interface EigenBlock extends LayerBlock {
  /** U_A, width × width. */
  readonly inputVectors: Matrix;
  /** U_Γ, outputs × outputs; null for the identity. */
  readonly outputVectors: Matrix | null;
  /** D, width × outputs. */
  readonly eigenvalues: Matrix;
}

/** The block of `layer` in the given precision, its eigenvalues rounded from double precision. */
export function eigenBlock(
  { offset, width, outputs }: LayerBlock,
  { input, output }: KroneckerBasis,
  eigenvalues: Matrix,
  precision: Precision,
): EigenBlock {
  return {
    offset,
    width,
    outputs,
    inputVectors: inPrecision(input.vectors!, precision),
    outputVectors: output.vectors && inPrecision(output.vectors, precision),
    eigenvalues: inPrecision(eigenvalues, precision),
  };
}

/** A matrix that is diagonal in the Kronecker eigenbasis, as an operator. */
export interface EigenOperator extends LinearOperator {
  readonly layers: readonly EigenBlock[];
  /** Bytes of the arrays of `layers`. */
  readonly bytes: number;
}

/** 4(width + outputs) flops a parameter and vector; half the second term where U_Γ is the identity. */
export function eigenOperator(layers: readonly EigenBlock[], precision: Precision, blas: Blas): EigenOperator {
  const operator = layerBlockOperator(
    layers,
    precision,
    ({ inputVectors, outputVectors, eigenvalues }, v, spare) => {
      blas.gemm('T', 'N', 1, inputVectors, v, 0, spare);
      if (outputVectors === null) {
        multiplyElementwise(spare, eigenvalues.data);
      } else {
        multiplyRight(spare, 'N', outputVectors, v, blas);
        multiplyElementwise(v, eigenvalues.data);
        multiplyRight(v, 'T', outputVectors, spare, blas);
      }
      blas.gemm('N', 'N', 1, inputVectors, spare, 0, v);
      return v;
    },
    2,
  );
  const arrays = layers.flatMap(({ inputVectors, outputVectors, eigenvalues }) => [
    inputVectors.data,
    eigenvalues.data,
    ...(outputVectors === null ? [] : [outputVectors.data]),
  ]);
  return { ...operator, layers, bytes: bytesOfArrays(arrays) };
}

/**
 * Draws through the eigenbasis of an inverse, `inverse` its blocks: of N(0, A + λI) or N(0, (A + λI)⁻¹), the symmetric
 * square root of that times standard normal vectors.
 */
export function eigenDraws(
  inverse: readonly EigenBlock[],
  precision: Precision,
  blas: Blas,
): (options?: SampleOptions) => Matrix<Float64Array> {
  return (options = {}) => {
    const asked = sampleOptions(options);
    const power = asked.of === 'matrix' ? -0.5 : 0.5;
    const roots = inverse.map((layer): EigenBlock => {
      const { eigenvalues } = layer;
      return { ...layer, eigenvalues: { ...eigenvalues, data: eigenvalues.data.map((value) => value ** power) } };
    });
    return apply(eigenOperator(roots, precision, blas), normalVectors(eigenSize(inverse), asked));
  };
}

const eigenSize = (layers: readonly EigenBlock[]): number =>
  layers.reduce((sum, { width, outputs }) => sum + width * outputs, 0);

/** Each of the matrices side by side in v, entry by entry, times those of `factors`. */
function multiplyElementwise(v: Matrix, factors: FloatArray): void {
  const { data, offset } = v;
  const total = v.rows * v.cols;
  const each = factors.length;
  for (let at = offset; at < offset + total; at += each) for (let i = 0; i < each; i++) data[at + i] *= factors[i];
}

/** Throws OptionError unless the damping is a finite number of at least 0. */
export function checkDamping(damping: number): void {
  if (!Number.isFinite(damping) || damping < 0)
    throw new OptionError(
      `The option damping of solver, λ, must be a finite number of at least 0, not ${describe(damping)}: ` +
        'solver({ damping: 1e-3 }).',
      { damping },
    );
}

/**
 * 1 ⊘ (D + λ). Throws NotPositiveDefiniteError where an eigenvalue plus λ is zero to working precision, or has no
 * finite inverse in `precision`.
 */
export function dampedReciprocals(eigenvalues: Matrix, damping: number, precision: Precision, layer: number): Matrix {
  const inverse = zeros(eigenvalues.rows, eigenvalues.cols, precision);
  const d = eigenvalues.data;
  let largest = 0;
  for (let i = 0; i < inverse.data.length; i++) largest = Math.max(largest, d[i]);
  for (let i = 0; i < inverse.data.length; i++) {
    inverse.data[i] = 1 / (d[i] + damping);
    if (d[i] + damping <= Number.EPSILON * largest || !Number.isFinite(inverse.data[i])) {
      throw new NotPositiveDefiniteError(
        `The block of layer ${layer + 1} has eigenvalues from ${d[i]} to ${largest}: with a damping of ` +
          `${damping} it has no inverse to working precision; use a larger λ.`,
        { layer, smallest: d[i], largest, damping },
      );
    }
  }
  return inverse;
}
