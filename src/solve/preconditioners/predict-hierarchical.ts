/**
 * What an HSS matrix as a preconditioner would take at several tolerances, from a tree and a sample of its entries.
 */
import type { Subject } from '../../approximation/subject.js';
import { entriesCost } from '../../hierarchical/from-entries/cost.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { mostInLeaf } from '../../tree/cluster-tree.js';
import { costOfEntry, ofStored } from '../cost-model.js';
import { MOST_STEPS, type Measured } from '../measured.js';
import { evenly } from '../steps.js';
import type { Prediction, PreconditionerOptions } from './kind.js';
import { SAMPLE, SampledRanks } from './sampled-ranks.js';

/** Up to so many indices a quarter of a sample's entries tells enough: others take long beside a solve. */
const SMALL = 4096;
const SMALL_SAMPLE = SAMPLE / 2;
/** Indices of a leaf at most, where nobody says. */
export const LEAF_SIZE = 256;
/** ‖A − K̃‖_F in units of λ + λ_min. */
const ERRORS = [10, 1, 0.1, 0.01] as const;
/** ‖A − K̃‖₂ of the asked ‖A − K̃‖_F, about: errors are spread over many blocks, and most ranks keep less. */
export const SPREAD = 1 / 64;
/** A factorization that is positive definite leaves of an eigenvalue of A + λI at least so much. */
const DEFINITE = 1 / 10;
/** Of the tolerance of a network's matrix in the Kronecker eigenbasis, which goes by share. */
const OF_NETWORKS = 1e-2;
/** The asked error ‖A − K̃‖_F/‖A‖_F at most and at least. */
const LOOSEST = 0.1;
const TIGHTEST = 1e-13;

/** An error as the tolerance of a compression, ‖A‖_F being `norm`. */
export const toleranceFor = (error: number, norm: number): number =>
  Math.min(LOOSEST, Math.max(TIGHTEST, error / norm));

/** Skeletons that keep an error are so many times as many as the singular values that do. */
const OF_SKELETONS = 1.7;
/** Pivoted and triangular work takes so many times as long as gemm of as many flops. */
const PIVOTED = 4;
/** Samples, and what is done with them, are so many times those of nodes that are sampled once. */
const RESAMPLED = 3;
/** Neighbors, lists and calls of a compression, in flops: at all, and for an index. */
const COMPRESSION = 2e9;
const COMPRESSION_INDEX = 7.5e5;

/** A tree and blocks of samples, from which its ranks are predicted. */
const PREDICTING = 5e8;
const PREDICTING_INDEX = 1e5;

const leastCost = (size: number): number => COMPRESSION + COMPRESSION_INDEX * size;

/** The Kronecker eigenbasis of an index of a network, and what is kept of it. */
const OF_NETWORK_INDEX = 5e6;

/** What predicting and compressing of so many indices take at least. */
export const leastCostOfHss = ({ gaussNewton }: Subject, { size }: Measured): number =>
  PREDICTING + PREDICTING_INDEX * size + leastCost(size) + (gaussNewton === undefined ? 0 : OF_NETWORK_INDEX * size);

/** The rank limit where a sample's largest block has so many singular values that matter. */
export const rankLimit = (rank: number, leaf: number): number =>
  Math.max(leaf, 32 + Math.ceil(2 * OF_SKELETONS * rank));

/** Leaves for skeletons of so small a rank at most, where nobody says and there are many indices. */
const SMALL_RANKS = [
  [5, 64],
  [24, 128],
] as const;
const MANY = 2048;

/** Empty without entries. Throws what the source and `Subject.tree` throw. */
export async function predictHss(
  subject: Subject,
  measured: Measured,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<readonly Prediction[]> {
  const { source } = subject;
  if (source === undefined) return [];
  const { shift, vectors, product, steps, least, norm: frobenius } = measured;
  const { leafSize = subject.model === undefined ? LEAF_SIZE : LEAF_SIZE / 2, seed = 0, maxRank } = options;
  const { blas } = control.team;
  const leaf = Math.max(2, Math.min(leafSize, source.size));
  const tree = options.tree ?? (await subject.tree(source, { leafSize: leaf, seed }, control));
  const m = mostInLeaf(tree);
  const leaves = 2 ** tree.depth;
  const entry = costOfEntry(subject, source, measured.rates);
  const norm = frobenius || 1;
  const network = subject.gaussNewton !== undefined && shift > 0;
  const asked = options.tolerance ?? (network ? OF_NETWORKS : undefined);
  const tolerances =
    asked === undefined ? [...new Set(ERRORS.map((error) => toleranceFor(error * least, norm)))] : [asked];
  const sampled =
    tree.depth === 0
      ? undefined
      : new SampledRanks(source, tree, seed, blas, source.size <= SMALL ? SMALL_SAMPLE : SAMPLE);
  const leafFor = (rank: number): number =>
    options.leafSize !== undefined || options.tree !== undefined || source.size < MANY
      ? leaf
      : (SMALL_RANKS.find(([most]) => rank <= most)?.[1] ?? leaf);
  return tolerances.map((wanted) => {
    const { ranks, told } = sampled?.at(wanted * norm) ?? { ranks: [], told: true };
    const limited = ranks.map(({ rank, nodes }) => ({
      rank: Math.min(Math.ceil(OF_SKELETONS * rank), maxRank ?? Infinity),
      nodes,
    }));
    const most = limited.reduce((rank, one) => Math.max(rank, one.rank), 0);
    const mean = (power: number): number => {
      const nodes = limited.reduce((sum, one) => sum + one.nodes, 0);
      const total = limited.reduce((sum, one) => sum + one.nodes * one.rank ** power, 0);
      return nodes === 0 ? 0 : (total / nodes) ** (1 / power);
    };
    // What a node costs goes by the cube of its rank where it is factored, by its square where it is read.
    const [cubed, squared] = [mean(3), mean(2)];
    const { entries, flops } = entriesCost(tree, Math.max(1, Math.ceil(squared)));
    const factor = leaves * (m ** 3 + 2 * m * m * squared) + (leaves * 4 * (2 * cubed) ** 3) / 3;
    const apply = leaves * (2 * m * m + 4 * m * squared + 16 * squared * squared);
    const error = SPREAD * wanted * norm;
    return {
      iterations: steps(
        (value, _, level) => 1 / Math.max(DEFINITE * value, value + error * (2 * evenly(level) - 1)),
        MOST_STEPS,
      ),
      atLeast: !told,
      details: `rank ${most} at ${wanted.toExponential(0)}`,
      making: network
        ? {}
        : { tolerance: wanted, leafSize: leafFor(most), maxRank: maxRank ?? rankLimit(most / OF_SKELETONS, leaf) },
      setup: leastCost(source.size) + RESAMPLED * (entries * entry + PIVOTED * flops) + PIVOTED * factor,
      step: product(vectors) + ofStored(apply, vectors, measured.rates),
    };
  });
}
