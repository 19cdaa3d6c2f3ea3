/**
 * The Gauss–Newton Hessian of a model as a hierarchical matrix: source, tree and way of compression by one call.
 */
import { quoted } from '../../core/kind.js';
import { OptionError, ShapeError } from '../../core/errors.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { compressEntries } from '../../hierarchical/from-entries/compress.js';
import { compressProducts } from '../../hierarchical/from-products/compress.js';
import { compressionCost } from '../../hierarchical/from-products/cost.js';
import { entriesCost } from '../../hierarchical/from-entries/cost.js';
import type { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import type { CompressOptions } from '../../hierarchical/from-entries/options.js';
import { warnIfMissed } from '../../hierarchical/matrix/tolerance-advice.js';
import { asGraphModel, isGivenGraph, type GivenGraphModel } from '../../layers/graph-model.js';
import { checkModel, type Model, asModel, type GivenModel } from '../../network/model.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { described, type Given } from '../../tree/given.js';
import { gaussNewton } from '../products/gauss-newton.js';
import { gaussNewtonSource, type GaussNewtonSource } from '../entries/gauss-newton-source.js';
import { planGramVectors } from '../entries/unit-gram-plan.js';
import { compressGraph, type CompressedGraphHessian, type CompressGraphOptions } from './compress-graph.js';
import { hessianTree, type HessianDistance, type TreeCandidate } from './hessian-tree.js';

/** Ways to compress a Hessian. */
export const HESSIAN_WAYS = ['auto', 'entries', 'products'] as const;
/** One of {@link HESSIAN_WAYS}. */
export type HessianWay = (typeof HESSIAN_WAYS)[number];

/** As for `compress`; default leaf size 128. Neighbors are searched for 'fmm' alone, by angle. */
export interface CompressHessianOptions extends Omit<CompressOptions, 'distance' | 'objective'> {
  /** The tree's (hessian-tree.ts); not with `tree`. Default 'auto'. */
  readonly distance?: HessianDistance | undefined;
  /** Dimension of the sketched points that a tree is built by. Default 32. */
  readonly sketchDimension?: number | undefined;
  /** From entries or from products; 'auto', the default, takes what needs fewer flops. */
  readonly from?: HessianWay | undefined;
  /** Random vectors beyond the ranks, from products (hierarchical/from-products/cost.ts). */
  readonly oversampling?: number | undefined;
  /** The Hessian's entries, where the caller has them already. */
  readonly source?: GaussNewtonSource | undefined;
}
/** The keys of {@link CompressHessianOptions}. */
const COMPRESS_HESSIAN_KEYS: KeysOf<CompressHessianOptions> = {
  format: true,
  leafSize: 'number',
  maxRank: 'number',
  tolerance: 'number',
  neighbors: 'number',
  budget: 'number',
  tree: true,
  seed: 'number',
  preserve: true,
  dtype: true,
  memoryLimit: 'number',
  distance: true,
  sketchDimension: 'number',
  from: true,
  oversampling: 'number',
  source: true,
};

/** Flops that each way was predicted to need, every node at its maximal rank. */
export interface WayPrediction {
  /** Entries evaluated, and flops for these and for the skeletons. */
  readonly entries: { readonly count: number; readonly flops: number };
  /** Products with G, and flops for these and for the compression. Absent for 'fmm', which needs entries. */
  readonly products?: { readonly count: number; readonly flops: number } | undefined;
}

/** A compressed Hessian, and what was chosen for it. */
export interface CompressedHessian {
  readonly matrix: HierarchicalMatrix;
  readonly tree: ClusterTree;
  /** The tree's distance, or 'given', and what `auto` compared. */
  readonly distance: Exclude<HessianDistance, 'auto'> | 'given';
  readonly candidates: readonly TreeCandidate[];
  readonly from: Exclude<HessianWay, 'auto'>;
  readonly predicted: WayPrediction;
  /** One sentence for people. */
  readonly reason: string;
}

const LEAF_SIZE = 128;

/**
 * G ≈ K̃ in O(N log N) memory for the Gauss–Newton Hessian G of `model`, N × N, with ‖G − K̃‖_F ≤ tolerance·‖G‖_F as
 * far as maxRank allows. From entries (`compress`) it costs 2n flops an entry and some (3c + 256)·c entries a node of c
 * columns; from products (`compressOperator`) 8nN flops a product and about 3·maxRank products, and at the same
 * tolerance the matrix comes out smaller, its bases being singular vectors, not skeletons. What is in K̃'s error can be
 * measured with `matrix.estimateError(source)`; from products it has been, in `matrix.report.products`. The same seed
 * gives the same bits on a team of any size. Throws OptionError, ShapeError, NonFiniteError, MemoryError, AbortedError,
 * WorkerError.
 *
 * ```js
 * const { matrix, reason } = await compressHessian(model, { tolerance: 1e-3 });
 * ```
 */
export function compressHessian(
  model: GivenModel,
  options?: Given<CompressHessianOptions>,
  control?: Control,
): Promise<CompressedHessian>;
/**
 * As before, of a network of layers, over what is trained of θ (`gaussNewton`): from products, with the structural tree
 * unless one is given, in format 'hss' or 'hodlr'.
 */
export function compressHessian(
  model: GivenGraphModel,
  options?: Given<CompressGraphOptions>,
  control?: Control,
): Promise<CompressedGraphHessian>;
export async function compressHessian(
  model: GivenModel | GivenGraphModel,
  options: Given<CompressHessianOptions> = {},
  control: Control = {},
): Promise<CompressedHessian | CompressedGraphHessian> {
  if (isGivenGraph(model)) {
    const compressed = await compressGraph(asGraphModel(model, 'compressHessian'), options, control);
    warnIfMissed(compressed.matrix, control);
    return compressed;
  }
  const given = described<CompressHessianOptions>(
    requireKnownOptions(options, COMPRESS_HESSIAN_KEYS as KeysOf<typeof options>, 'compressHessian'),
    'compressHessian',
  );
  const on = await onTeam(control, 'compressHessian');
  const compressed = await compressCurvature(asModel(model, 'compressHessian'), given, on);
  warnIfMissed(compressed.matrix, control);
  return compressed;
}

/** `compressHessian` for callers inside, who read `report.met` themselves: options are known, and nobody is warned. */
export async function compressCurvature(
  model: Model,
  options: CompressHessianOptions,
  control: TeamControl,
): Promise<CompressedHessian> {
  checkModel(model);
  const { distance, sketchDimension, from = 'auto', oversampling, source: given, tree: givenTree, ...rest } = options;
  if (!HESSIAN_WAYS.includes(from))
    throw new OptionError(`Unknown from ${quoted(from)}: choose one of ${HESSIAN_WAYS.join(', ')}.`, {
      option: 'from',
      from,
    });
  if (givenTree !== undefined && distance !== undefined)
    throw new OptionError(`Give a tree or a distance ('${distance}') that one is built by, not both.`, {
      option: 'tree',
      distance,
    });
  const format = rest.format ?? (rest.budget !== undefined && rest.budget > 0 ? 'fmm' : 'hss');
  if (format === 'fmm' && from === 'products')
    throw new OptionError(
      "Format 'fmm' stores near blocks, which come from entries: choose from 'entries' or 'auto', or format " +
        "'hss' or 'hodlr'.",
      { option: 'from', format },
    );
  const { parameters } = model.network;
  if (given !== undefined && given.size !== parameters)
    throw new ShapeError(`The source has ${given.size} rows, the network ${parameters} parameters.`, {
      source: given.size,
      parameters,
    });

  const { team } = control;
  const source = given ?? gaussNewtonSource(model, { blas: team.blas });
  const leafSize = rest.leafSize ?? Math.min(LEAF_SIZE, Math.max(2, parameters));
  const maxRank = rest.maxRank ?? leafSize;
  const seed = rest.seed ?? 0;
  const chosen =
    givenTree !== undefined
      ? { tree: givenTree, chosen: 'given' as const, candidates: [] }
      : await hessianTree(
          model,
          source,
          {
            leafSize,
            seed,
            distance,
            sketchDimension,
          },
          control,
        );
  const { tree } = chosen;
  const predicted = predict(model, source, tree, {
    format,
    maxRank,
    oversampling,
  });
  const way =
    from !== 'auto'
      ? from
      : predicted.products === undefined || predicted.entries.flops <= predicted.products.flops
        ? 'entries'
        : 'products';
  const matrix =
    way === 'entries' ? await compressEntries(source, { ...rest, tree, format, maxRank }, control) : await byProducts();
  return {
    matrix,
    tree,
    distance: chosen.chosen,
    candidates: chosen.candidates,
    from: way,
    predicted,
    reason: reasonFor(way, from, predicted),
  };

  async function byProducts(): Promise<HierarchicalMatrix> {
    const { tolerance = 1e-5, dtype, memoryLimit } = rest;
    const operator = gaussNewton(model, { blas: team.blas, team });
    try {
      return await compressProducts(
        operator,
        tree,
        {
          format: format as 'hss' | 'hodlr',
          maxRank,
          tolerance,
          seed,
          oversampling,
          dtype,
          memoryLimit,
        },
        control,
      );
    } finally {
      operator.release();
    }
  }
}

/**
 * Flops of an entry: 2n for each term of the closest closed form; where nothing is stored each block costs a pass over
 * the data.
 */
function predict(
  { network, loss, data }: Model,
  { form }: GaussNewtonSource,
  tree: ClusterTree,
  options: { format: string; maxRank: number; oversampling?: number | undefined },
): WayPrediction {
  const n = data.samples;
  const { parameters, layers } = network;
  const { entries, blocks, flops } = entriesCost(tree, options.maxRank);
  const factored = planGramVectors(network, loss, true).pairs.map((pair) =>
    pair.kind === 'factored' ? layers[pair.through].outputs : 1,
  );
  const terms = form === 'stored' || form === 'sampled' ? 1 : Math.max(...factored);
  const passes = form === 'recomputed' ? 2 * n * parameters * blocks : 0;
  const ofEntries = { count: Math.round(entries), flops: 2 * n * terms * entries + passes + flops };
  if (options.format === 'fmm') return { entries: ofEntries };
  const cost = compressionCost(tree, { ...options, format: options.format as 'hss' | 'hodlr' });
  return {
    entries: ofEntries,
    products: { count: cost.products, flops: 8 * n * parameters * cost.products + cost.flops },
  };
}

function reasonFor(way: 'entries' | 'products', asked: HessianWay, { entries, products }: WayPrediction): string {
  if (products === undefined) return "From entries: format 'fmm' stores near blocks.";
  const predicted =
    `${(entries.flops / 1e9).toPrecision(3)} Gflop for ${entries.count} entries and skeletons, ` +
    `${(products.flops / 1e9).toPrecision(3)} Gflop for ${products.count} products and bases`;
  return `From ${way}${asked === 'auto' ? '' : ', as asked'}: predicted ${predicted}.`;
}
