/**
 * Options of a compression that were chosen, and by what (from-entries/choose-options.ts).
 */
import { inUnits } from '../../core/memory.js';

/** What is least, of hierarchical matrices that keep the tolerance. */
export type CompressionObjective = 'memory' | 'product' | 'solve';
/** All values of {@link CompressionObjective}. */
export const OBJECTIVES: readonly CompressionObjective[] = ['memory', 'product', 'solve'];

/** The mean rank of some nodes of a level that were tried. */
export interface MeasuredRank {
  readonly level: number;
  /** Indices of a node. */
  readonly size: number;
  readonly rank: number;
}

/** Predicted costs of one leaf size. */
export interface LeafCosts {
  readonly leafSize: number;
  /** Levels below the root. */
  readonly depth: number;
  /** The largest rank of a level. */
  readonly rank: number;
  /** Bytes of the blocks. */
  readonly bytes: number;
  /** A product with one vector, in bytes that are read meanwhile. */
  readonly product: number;
  /** Flops of its factorization, and of a solve with one vector. */
  readonly factor: number;
  /** Flops of skeletonization, evaluations of entries left out. */
  readonly skeletonization: number;
}

/** What may limit ranks: those that the tolerance needs would … */
const LIMITED_BY = {
  memory: 'not fit in memory',
  time: 'take too long',
  device: 'be more than the device interpolates',
} as const;

/** What was compared, and chosen. */
export interface ChosenOptions {
  readonly leafSize: number;
  readonly maxRank: number;
  readonly objective: CompressionObjective;
  /** The smallest nodes first. */
  readonly measured: readonly MeasuredRank[];
  /** By leaf size, ranks free but for a limit that was asked for. */
  readonly tried: readonly LeafCosts[];
  /** Whether no hierarchical matrix of the asked tolerance is much smaller than the dense one. */
  readonly incompressible: boolean;
  /** What limits the ranks where they are not free. */
  readonly limitedBy?: keyof typeof LIMITED_BY | undefined;
  /** A matrix of low rank that would keep the tolerance in less memory, about. */
  readonly lowRank?: { readonly rank: number; readonly bytes: number } | undefined;
}

/** What is to be said of a choice beside its numbers: a sentence each. */
export function chosenSentences({ maxRank, measured, incompressible, limitedBy, lowRank }: ChosenOptions): string[] {
  const sentences: string[] = [];
  const ranks = measured.map(({ size, rank }) => `${Math.round(rank)} of ${Math.round(size)}`).join(', ');
  if (incompressible)
    sentences.push(
      'No hierarchical matrix that keeps the tolerance is much smaller than the dense one' +
        `${ranks === '' ? '' : `: nodes have ranks ${ranks}`}.`,
    );
  if (limitedBy !== undefined)
    sentences.push(
      `Ranks are limited to ${maxRank}: those that the tolerance needs would ` + `${LIMITED_BY[limitedBy]}.`,
    );
  if (lowRank !== undefined)
    sentences.push(`A matrix of low rank, about ${lowRank.rank}, would take ${inUnits(lowRank.bytes)}.`);
  return sentences;
}
