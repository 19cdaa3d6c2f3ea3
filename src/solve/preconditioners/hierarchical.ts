/**
 * A factored hierarchical matrix as a preconditioner.
 */
import { NotPositiveDefiniteError } from '../../core/errors.js';
import { isGaussNewton } from '../../approximation/subject.js';
import { lexicographicTree } from '../../approximation/hierarchical.js';
import { compressCurvature } from '../../curvature/trees/compress-hessian.js';
import { factorKronecker } from '../../curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '../../curvature/eigenbasis/compress.js';
import type { GaussNewtonSource } from '../../curvature/entries/gauss-newton-source.js';
import { compressEntries } from '../../hierarchical/from-entries/compress.js';
import { compressProducts } from '../../hierarchical/from-products/compress.js';
import { factor } from '../../hierarchical/factor/factor.js';
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import type { Model } from '../../network/model.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { mostInLeaf } from '../../tree/cluster-tree.js';
import type { Preconditioner, PreconditionerOptions, Subject } from './preconditioner.js';
import { preconditionerAt } from './kind.js';

const LEAF_SIZE = 256;
const TOLERANCE = 1e-2;

/**
 * M = (G̃ + λI)⁻¹ of a network's Gauss–Newton matrix by its principal part in the Kronecker eigenbasis
 * (curvature/eigenbasis/principal-choice.ts), which is positive definite by construction. Needs λ > 0. Throws what
 * `kroneckerHierarchical` and `factorKronecker` throw.
 */
async function kroneckerPreconditioner(
  model: Model,
  shift: number,
  { share, leafSize, memoryLimit }: PreconditionerOptions,
  control: TeamControl,
): Promise<Preconditioner> {
  const began = performance.now();
  const limit = memoryLimit === undefined ? {} : { memoryLimit };
  const shape = { share, leafSize };
  const matrix = await kroneckerHierarchical(model, { preserve: 'positive-definite', ...shape, ...limit }, control);
  const compress = (performance.now() - began) / 1000;
  return preconditionerAt(
    {
      name: 'hss',
      details: {
        basis: 'Kronecker',
        principal: matrix.report.principal?.size ?? 0,
        share: Number(matrix.share.toPrecision(3)),
      },
      compress,
      invert: async (λ) => {
        const factorization = await factorKronecker(matrix, { shift: λ, ...limit }, control);
        return {
          operator: factorization,
          bytes: factorization.bytes,
          release: () => {
            factorization.release();
          },
        };
      },
    },
    shift,
  );
}

/**
 * M = (K̃ + λI)⁻¹ with K̃ ≈ A of format `name`: the operator itself, where it is one of that format; of a network's
 * Gauss–Newton matrix in the Kronecker eigenbasis (hss, unless a tree or a rank is given) or by `compressHessian`; else
 * from entries, or from products on the tree given (that of the operator, where it is a hierarchical matrix; else the
 * order of the indices). Where K̃ + λI is not positive definite it is factored at the smallest shift that works, and
 * `note` says so. Throws what compression and factorization throw.
 */
export async function hierarchicalPreconditioner(
  subject: Subject,
  name: 'hss' | 'hodlr',
  shift: number,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Preconditioner> {
  if (
    name === 'hss' &&
    isGaussNewton(subject) &&
    shift > 0 &&
    options.tree === undefined &&
    options.maxRank === undefined
  )
    return kroneckerPreconditioner(subject.model, shift, options, control);
  const began = performance.now();
  const { matrix, from } = await compressed(subject, name, options, control);
  const compress = (performance.now() - began) / 1000;
  const { report } = matrix;
  const { memoryLimit } = options;
  const factorAt = (λ: number): Promise<Factorization> => factor(matrix, { shift: λ, memoryLimit }, control);
  return preconditionerAt(
    {
      name,
      details: {
        leafSize: report.leafSize,
        tolerance: report.tolerance,
        rank: Math.max(0, ...matrix.ranks().map(({ max }) => max)),
        from,
      },
      compress,
      invert: async (λ) => {
        let note: string | undefined;
        let factorization: Factorization;
        try {
          factorization = await factorAt(λ);
        } catch (error) {
          const suggested = error instanceof NotPositiveDefiniteError ? error.data['suggestedShift'] : undefined;
          if (typeof suggested !== 'number') throw error;
          note =
            `the compressed matrix plus λ = ${λ} is not positive definite; it is factored at ` +
            `${suggested.toPrecision(3)} instead`;
          factorization = await factorAt(suggested);
        }
        const used = factorization;
        return {
          operator: used,
          factorization: used,
          bytes: used.bytes,
          note,
          release: () => {
            used.release();
          },
        };
      },
    },
    shift,
  );
}

async function compressed(
  subject: Subject,
  format: 'hss' | 'hodlr',
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<{ matrix: HierarchicalMatrix; from: string }> {
  const { operator, source } = subject;
  if (operator instanceof HierarchicalMatrix && operator.data.format === format)
    return { matrix: operator, from: 'itself' };
  const { tolerance = TOLERANCE, seed = 0, leafSize, maxRank, tree, memoryLimit } = options;
  const given = {
    format,
    tolerance,
    seed,
    leafSize,
    maxRank,
    tree,
    memoryLimit,
  };
  if (isGaussNewton(subject)) {
    const { matrix, from } = await compressCurvature(
      subject.model,
      { ...given, ...(isHessianSource(source) ? { source } : {}) },
      control,
    );
    return { matrix, from };
  }
  if (source !== undefined) return { matrix: await compressEntries(source, given, control), from: 'entries' };
  const known =
    tree ??
    (operator instanceof HierarchicalMatrix
      ? operator.data.tree
      : await lexicographicTree(operator.rows, leafSize ?? LEAF_SIZE, control));
  return {
    matrix: await compressProducts(operator, known, { ...given, maxRank: maxRank ?? mostInLeaf(known) }, control),
    from: 'products',
  };
}

const isHessianSource = (source: EntrySource | undefined): source is GaussNewtonSource =>
  source !== undefined && 'form' in source;
