/**
 * A factored hierarchical matrix as a preconditioner.
 */
import { NotPositiveDefiniteError } from '../../core/errors.js';
import { lexicographicTree } from '../../approximation/methods/hierarchical.js';
import type { Subject } from '../../approximation/subject.js';
import { compressCurvature } from '../../curvature/trees/compress-hessian.js';
import type { GaussNewtonSource } from '../../curvature/entries/gauss-newton-source.js';
import { compressEntries } from '../../hierarchical/from-entries/compress.js';
import { compressProducts } from '../../hierarchical/from-products/compress.js';
import { factor } from '../../hierarchical/factor/factor.js';
import type { Factorization } from '../../hierarchical/factor/factorization.js';
import type { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { mostInLeaf } from '../../tree/cluster-tree.js';
import type { Invertible, PreconditionerKind, PreconditionerOptions } from './kind.js';
import { makingByShift, type WithTolerance } from './error-by-shift.js';
import { LEAF_SIZE, leastCostOfHss, predictHss } from './predict-hierarchical.js';
import { principalPart } from './principal-part.js';

/** A tolerance that was too loose becomes so many times smaller, so many times, */
const TIGHTER = 0.1;
const MOST_TIGHTER = 3;
/** where the factorization needs a shift so many times λ. */
const MUCH = 2;

/** As `hss`, in format 'hodlr'; not in the Kronecker eigenbasis. */
export const hodlr: PreconditionerKind = {
  tableOptions: { leafSize: 64, maxRank: 64, tolerance: 1e-3 },
  make: (subject, shift, options, control) => factored(subject, 'hodlr', shift, options, control),
};

/**
 * M = (K̃ + λI)⁻¹ with K̃ ≈ A: the operator itself, where it is one of that format; of a network's Gauss–Newton matrix
 * in the Kronecker eigenbasis (unless a tree or a rank is given, or λ = 0) or by `compressHessian`; else from entries,
 * or from products on the tree given (that of the operator, where it is a hierarchical matrix; else the order of the
 * indices). Where K̃ + λI is not positive definite it is factored at the smallest shift that works, and `note` says so.
 * Throws what compression and factorization throw.
 */
export const hss: PreconditionerKind = {
  tableOptions: { share: 0.02 },
  make: (subject, shift, options, control) => {
    const { gaussNewton } = subject;
    return gaussNewton !== undefined && shift > 0 && options.tree === undefined && options.maxRank === undefined
      ? principalPart(gaussNewton, options, control)
      : factored(subject, 'hss', shift, options, control);
  },
  predict: predictHss,
  floor: leastCostOfHss,
};

/**
 * K̃ of the format, factored for each λ. Where nobody asked for a tolerance it goes by the first λ
 * (preconditioners/error-by-shift.ts), and is tightened where the factorization would need a much larger one.
 */
async function factored(
  subject: Subject,
  format: 'hss' | 'hodlr',
  shift: number,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Invertible> {
  const { compressed: own } = subject;
  const { tolerance, memoryLimit } = options;
  if (own?.data.format === format) return factorable({ matrix: own, from: 'itself' }, memoryLimit, control);
  if (tolerance !== undefined)
    return factorable(await compressed(subject, format, { ...options, tolerance }, control), memoryLimit, control);
  let wanted = await makingByShift(subject, shift, options, control);
  return factorable(await compressed(subject, format, wanted, control), memoryLimit, control, () => {
    wanted = { ...wanted, tolerance: TIGHTER * wanted.tolerance };
    return compressed(subject, format, wanted, control);
  });
}

/** K̃, and what it was made from. */
interface Compressed {
  readonly matrix: HierarchicalMatrix;
  readonly from: string;
}

/** `first`, factored for each λ; with `tighten`, what that compresses where the factorization needs a much larger λ. */
function factorable(
  first: Compressed,
  memoryLimit: number | undefined,
  control: TeamControl,
  tighten?: () => Promise<Compressed>,
): Invertible {
  let made = first;
  const factorAt = async (λ: number): Promise<Factorization | number> => {
    try {
      return await factor(made.matrix, { shift: λ, memoryLimit }, control);
    } catch (error) {
      const suggested = error instanceof NotPositiveDefiniteError ? error.data['suggestedShift'] : undefined;
      if (typeof suggested !== 'number') throw error;
      return suggested;
    }
  };
  return {
    get details() {
      const { report } = made.matrix;
      return {
        leafSize: report.leafSize,
        tolerance: report.tolerance,
        rank: Math.max(0, ...made.matrix.ranks().map(({ max }) => max)),
        from: made.from,
      };
    },
    invert: async (λ) => {
      let found = await factorAt(λ);
      for (let tries = 0; tighten && tries < MOST_TIGHTER && typeof found === 'number' && found > MUCH * λ; tries++) {
        // The matrix before is not released: factorizations for other shifts multiply with it (conditionEstimate).
        made = await tighten();
        found = await factorAt(λ);
      }
      let note: string | undefined;
      if (typeof found === 'number') {
        note =
          `the compressed matrix plus λ = ${λ} is not positive definite; it is factored at ` +
          `${found.toPrecision(3)} instead`;
        found = await factor(made.matrix, { shift: found, memoryLimit }, control);
      }
      const used = found;
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
  };
}

/** K̃ ≈ A of the format. Throws what compression throws. */
async function compressed(
  subject: Subject,
  format: 'hss' | 'hodlr',
  { tolerance, seed = 0, leafSize, maxRank, tree, memoryLimit }: WithTolerance,
  control: TeamControl,
): Promise<Compressed> {
  const { operator, source, compressed: own, gaussNewton } = subject;
  const given = { format, tolerance, seed, leafSize, maxRank, tree, memoryLimit };
  if (gaussNewton !== undefined) {
    const entries = isHessianSource(source) ? source : undefined;
    const { matrix, from } = await compressCurvature(gaussNewton, { ...given, source: entries }, control);
    return { matrix, from };
  }
  if (source !== undefined)
    return { matrix: await compressEntries(source, given, control, subject.leftover), from: 'entries' };
  const known = tree ?? own?.wholeTree() ?? (await lexicographicTree(operator.rows, leafSize ?? LEAF_SIZE, control));
  return {
    matrix: await compressProducts(operator, known, { ...given, maxRank: maxRank ?? mostInLeaf(known) }, control),
    from: 'products',
  };
}

const isHessianSource = (source: EntrySource | undefined): source is GaussNewtonSource =>
  source !== undefined && 'form' in source;
