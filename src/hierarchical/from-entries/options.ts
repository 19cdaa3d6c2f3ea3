/**
 * Options of a compression, named as the field names them.
 */
import { describe } from '../../core/kind.js';
import {
  requirePrecision,
  requireMemoryLimit,
  requireSeed,
  requireShare,
  requireTolerance,
  requireWhole,
} from '../../core/checks.js';
import { OptionError } from '../../core/errors.js';
import type { KeysOf, Resolved } from '../../core/known-options.js';
import type { Precision } from '../../core/floats.js';
import { mostInLeaf, type ClusterTree } from '../../tree/cluster-tree.js';
import type { DistanceName } from '../../tree/distances/table.js';
import { OBJECTIVES, type CompressionObjective } from '../matrix/chosen-options.js';
import { FORMAT_TABLE, FORMATS, type HierarchicalFormat } from '../matrix/format.js';

/** The highest rank limit. */
export const MOST_RANK = 16_384;

/** Options of {@link compress}. */
export interface CompressOptions {
  /** Default 'hss'; 'fmm' where a budget is given. */
  readonly format?: HierarchicalFormat | undefined;
  /** Largest number of indices in a leaf, m. Default: chosen, 64 to 2048 (choose-options.ts). */
  readonly leafSize?: number | undefined;
  /** Largest number of skeletons of a node, s. Default: what the tolerance needs, as far as memory allows. */
  readonly maxRank?: number | undefined;
  /**
   * What the leaf size is chosen for: least memory (default; the fastest products of those that need little more),
   * fastest products, or the cheapest factorization.
   */
  readonly objective?: CompressionObjective | undefined;
  /** Asked relative error ‖K − K̃‖_F/‖K‖_F; what maxRank allows of it is measured. Default 1e-5. */
  readonly tolerance?: number | undefined;
  /** Nearest neighbors per index, κ. Default 32. */
  readonly neighbors?: number | undefined;
  /** Share of each row that near blocks may hold (`fmm` only), 0 … 1. Default 0.03 for `fmm`, else 0. */
  readonly budget?: number | undefined;
  /** What the tree is built by. Default: as {@link compress} chooses. */
  readonly distance?: DistanceName | undefined;
  /**
   * A tree of the caller's instead of one built by distance; `leafSize` is then what its leaves hold. Neighbors are
   * still searched by `distance`, where it or a budget is given. Of a matrix on several ranks that is
   * `matrix.wholeTree()`.
   */
  readonly tree?: ClusterTree | undefined;
  /** Default 0. Seeds every random choice; the same seed gives the same bits with any team. */
  readonly seed?: number | undefined;
  /**
   * 'positive-definite' (format 'hss'): K̃ ≽ 0 by construction, whatever the tolerance, so that K̃ + λI factors for
   * every λ above rounding (definite-interpolation.ts).
   */
  readonly preserve?: 'positive-definite' | undefined;
  /** Precision of the stored blocks and of products; skeletons are found in float64, where there is. Default 'f64'. */
  readonly dtype?: Precision | undefined;
  /**
   * Bytes the compression may use; default: what the system says is free. More is refused before anything is allocated.
   */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link CompressOptions}. */
export const COMPRESS_KEYS: KeysOf<CompressOptions> = {
  format: true,
  leafSize: 'number',
  maxRank: 'number',
  objective: true,
  tolerance: 'number',
  neighbors: 'number',
  budget: 'number',
  distance: true,
  tree: true,
  seed: 'number',
  preserve: true,
  dtype: true,
  memoryLimit: 'number',
};

/** Options of a compression, checked and with all defaults filled in but those that are chosen. */
export interface AskedOptions extends Resolved<
  Omit<CompressOptions, 'leafSize' | 'maxRank' | 'memoryLimit' | 'tree' | 'preserve'>
> {
  readonly leafSize: number | undefined;
  readonly maxRank: number | undefined;
  readonly preserve: boolean;
  readonly memoryLimit: number | undefined;
  readonly tree: ClusterTree | undefined;
}

/** The same with what was chosen. */
export interface ResolvedOptions extends AskedOptions {
  readonly leafSize: number;
  readonly maxRank: number;
}

/** The options with their defaults; throws OptionError for what is out of its domain. */
export function resolveOptions(options: CompressOptions): AskedOptions {
  const format = options.format ?? (options.budget !== undefined && options.budget > 0 ? 'fmm' : 'hss');
  if (!FORMATS.includes(format))
    throw new OptionError(`format must be one of ${FORMATS.join(', ')}, not ${describe(format)}.`, {
      option: 'format',
      value: format,
    });
  const { tree } = options;
  const given = tree === undefined ? options.leafSize : mostInLeaf(tree);
  const leafSize =
    given === undefined ? undefined : requireWhole(given, 'leafSize', tree === undefined ? 2 : 1, 16_384);
  const maxRank = options.maxRank === undefined ? undefined : requireWhole(options.maxRank, 'maxRank', 1, MOST_RANK);
  const { objective = 'memory' } = options;
  if (!OBJECTIVES.includes(objective))
    throw new OptionError(`objective must be one of ${OBJECTIVES.join(', ')}, not ${describe(objective)}.`, {
      option: 'objective',
      value: objective,
    });
  const tolerance = requireTolerance(options.tolerance ?? 1e-5);
  const budget = requireShare(options.budget ?? (FORMAT_TABLE[format].nearBlocks ? 0.03 : 0), 'budget');
  if (budget > 0 && !FORMAT_TABLE[format].nearBlocks)
    throw new OptionError(`A budget (${budget}) needs format 'fmm': '${format}' has no near blocks off the diagonal.`, {
      option: 'budget',
      value: budget,
      format,
    });
  const dtype = requirePrecision(options.dtype ?? 'f64', 'dtype');
  const seed = requireSeed(options.seed ?? 0);
  if (options.memoryLimit !== undefined) requireMemoryLimit(options.memoryLimit);
  const { preserve } = options;
  if (preserve !== undefined && preserve !== 'positive-definite')
    throw new OptionError(`preserve must be 'positive-definite', not ${describe(preserve)}.`, {
      option: 'preserve',
      value: preserve,
    });
  if (preserve !== undefined && format !== 'hss')
    throw new OptionError(
      `preserve needs format 'hss', not '${format}': the construction is nested, and near blocks off the ` +
        'diagonal are not part of it.',
      { option: 'preserve', format },
    );
  return {
    preserve: preserve !== undefined,
    format,
    leafSize,
    maxRank,
    objective,
    tolerance,
    budget,
    dtype,
    seed,
    tree,
    neighbors:
      tree !== undefined && options.distance === undefined && budget === 0
        ? 0
        : requireWhole(options.neighbors ?? 32, 'neighbors', 1, 4096),
    distance: options.distance ?? 'auto',
    memoryLimit: options.memoryLimit,
  };
}
