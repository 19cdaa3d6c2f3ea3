/**
 * Cluster trees for Hessians of networks, and the choice among them.
 * C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, SIAM J. Matrix Anal. Appl. 42(1), 2021 (arXiv 1910.12184): the
 * order of the weights decides the accuracy. Here is every order by one name, and `auto`, which measures instead of
 * guessing.
 */
import { quoted } from '../../core/kind.js';
import { requireWhole } from '../../core/checks.js';
import { OptionError, ShapeError } from '../../core/errors.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { estimateTreeErrors } from '../../hierarchical/measure/tree-error.js';
import { checkModel, type Model, asModel, type GivenModel } from '../../network/model.js';
import type { Network } from '../../network/network.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { type EntrySource, requireSource } from '../../source/entry-source.js';
import { buildClusterTree, depthFor, isolateZeros } from '../../tree/build.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { entryDistances, type TableDistance } from '../../tree/distances/table.js';
import { halvedRanges } from '../../tree/split.js';
import { gaussNewton } from '../products/gauss-newton.js';
import { sketchEmbedding } from './sketch-embedding.js';
import { structuralTree } from './structural-tree.js';

/** Each isolates weights with a zero on the diagonal in front. */
export const HESSIAN_DISTANCES: readonly HessianDistance[] = [
  'auto',
  'structural',
  'sketch',
  ...(entryDistances() as readonly Exclude<TableDistance, 'geometric'>[]),
  'lexicographic',
  'column-major',
  'random',
];
/**
 *   structural     layer → output unit → inputs (structural-tree.ts)
 *   sketch         geometric, between the columns of a random sketch of the Jacobian (sketch-embedding.ts)
 *   gram, angle    and others of the table that read entries (tree/distances)
 *   lexicographic  the order of the parameters, halved: by layer and by output unit
 *   column-major   by layer and by input, all output units of an input together, halved: a control, which shows
 *                  what the order does
 *   random         a seeded shuffle, halved: a control
 */
export type HessianDistance = 'auto' | 'structural' | 'sketch' | 'column-major' | Exclude<TableDistance, 'geometric'>;

/** Options of {@link hessianTree}. */
export interface HessianTreeOptions {
  /** Default 'auto'. */
  readonly distance?: HessianDistance | undefined;
  /** Most indices a leaf may hold, at least 2. */
  readonly leafSize: number;
  /** Default 0. Seeds every random choice. */
  readonly seed?: number | undefined;
  /** Dimension of the sketched points. Default 32. */
  readonly sketchDimension?: number | undefined;
  /** Rank at which `auto` compares. Default half the leaf size. */
  readonly rank?: number | undefined;
}
/** The keys of {@link HessianTreeOptions}. */
const HESSIAN_TREE_KEYS: KeysOf<HessianTreeOptions> = {
  distance: true,
  leafSize: 'number',
  seed: 'number',
  sketchDimension: 'number',
  rank: 'number',
};

/** A distance that `auto` tried. */
export interface TreeCandidate {
  readonly distance: Exclude<HessianDistance, 'auto'>;
  /** Estimated relative error of an HSS matrix of the rank compared at (hierarchical/measure/tree-error.ts). */
  readonly error: number;
}

/** A tree over a network's weights, and how it was chosen. */
export interface HessianTree {
  readonly tree: ClusterTree;
  readonly chosen: Exclude<HessianDistance, 'auto'>;
  /** What `auto` compared, best first; empty where the caller chose. */
  readonly candidates: readonly TreeCandidate[];
}

/** Up to so many multiplications in entries, distances from entries are among what `auto` compares: seconds. */
const AFFORDABLE = 4e9;
/** Entries that such a tree takes for each index on each level. */
const ENTRIES_PER_INDEX = 2 * 64;
/** A candidate further down the list must be better by this factor: the estimates are not worth more. */
const CLEARLY_BETTER = 0.8;

/**
 * A cluster tree over the parameters of `model` for the Hessian whose entries `source` gives (its Gauss–Newton Hessian,
 * or any other of the same size). `auto` builds the trees by structure and by sketch and, where entries are affordable,
 * by Gram distance and angle, estimates for each the error of an HSS matrix at the given rank from sampled blocks
 * K(outside, node) on all levels, and takes the structural one unless another is clearly better. Cost of `auto`: two
 * passes over the data, 4·dimension·nN flops for the sketch, N log N distances a tree, and 8·levels blocks of at most
 * 8s × 4s entries a tree: seconds at N = 78,400, n = 1,000. The same tree for any team. Throws OptionError, ShapeError
 * (a source of another size), NonFiniteError, AbortedError.
 */
export async function hessianTree(
  given: GivenModel,
  source: EntrySource,
  options: HessianTreeOptions,
  givenControl: Control = {},
): Promise<HessianTree> {
  requireSource(source, 'hessianTree');
  const model = asModel(given, 'hessianTree');
  requireKnownOptions(options, HESSIAN_TREE_KEYS, 'hessianTree');
  const control = await onTeam(givenControl, 'hessianTree');
  checkModel(model);
  const { distance = 'auto', leafSize, seed = 0, rank = Math.max(1, leafSize >> 1) } = options;
  if (!HESSIAN_DISTANCES.includes(distance))
    throw new OptionError(`Unknown distance ${quoted(distance)}: choose one of ${HESSIAN_DISTANCES.join(', ')}.`, {
      option: 'distance',
      distance,
    });
  requireWhole(leafSize, 'leafSize', 2);
  const { parameters } = model.network;
  if (source.size !== parameters)
    throw new ShapeError(`The source has ${source.size} rows, the network ${parameters} parameters.`, {
      source: source.size,
      parameters,
    });
  if (distance !== 'auto')
    return { tree: await treeBy(distance, model, source, options, control), chosen: distance, candidates: [] };

  const names: Exclude<HessianDistance, 'auto'>[] = ['structural', 'sketch'];
  if (parameters * ENTRIES_PER_INDEX * depthFor(parameters, leafSize) * model.data.samples <= AFFORDABLE)
    names.push('gram', 'angle');
  const trees: ClusterTree[] = [];
  for (const name of names) trees.push(await treeBy(name, model, source, options, control));
  const operator = gaussNewton(model, { blas: control.team.blas, team: control.team });
  let errors: number[];
  try {
    errors = await estimateTreeErrors(source, operator, trees, { rank, seed }, control);
  } finally {
    operator.release();
  }
  let best = 0;
  for (let k = 1; k < names.length; k++) if (errors[k] < (best === 0 ? CLEARLY_BETTER : 1) * errors[best]) best = k;
  const candidates = names.map((name, k) => ({ distance: name, error: errors[k] })).sort((a, b) => a.error - b.error);
  return { tree: trees[best], chosen: names[best], candidates };
}

async function treeBy(
  distance: Exclude<HessianDistance, 'auto'>,
  model: Model,
  source: EntrySource,
  { leafSize, seed = 0, sketchDimension }: HessianTreeOptions,
  control: TeamControl,
): Promise<ClusterTree> {
  const { team, signal } = control;
  switch (distance) {
    case 'structural':
      return structuralTree(model, source, { leafSize, seed }, control);
    case 'column-major':
      return columnMajorTree(model.network, source, leafSize);
    case 'sketch': {
      const points = sketchEmbedding(model, {
        blas: team.blas,
        seed,
        signal,
        dimension: sketchDimension,
      });
      const embedded: EntrySource = {
        size: source.size,
        points,
        entries: (rows, cols, out) => {
          source.entries(rows, cols, out);
        },
        diagonal: (out) => {
          source.diagonal(out);
        },
        ...(source.diagonalAt === undefined ? {} : { diagonalAt: source.diagonalAt.bind(source) }),
      };
      return buildClusterTree(embedded, 'geometric', { leafSize, seed }, control);
    }
    default:
      return buildClusterTree(source, distance, { leafSize, seed }, control);
  }
}

/** Layer by layer, in a layer input by input, in an input output unit by output unit: halved. */
function columnMajorTree({ layers, parameters }: Network, source: EntrySource, leafSize: number): ClusterTree {
  const order = sharedInt32(parameters);
  let next = 0;
  for (const { offset, width, outputs } of layers) {
    for (let q = 0; q < width; q++) for (let p = 0; p < outputs; p++) order[next++] = offset + p * width + q;
  }
  const isolated = isolateZeros(order, source);
  return {
    size: parameters,
    order,
    ...halvedRanges(parameters - isolated, depthFor(parameters - isolated, leafSize), isolated),
  };
}
