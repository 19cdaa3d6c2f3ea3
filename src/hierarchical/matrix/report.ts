/**
 * What a compression did: as resolved, measured, and hit; by what the matrix was made from.
 */
import type { NeighborSearchPlace } from '../../tree/neighbors.js';
import type { ErrorEstimate } from '../measure/error-interval.js';
import type { ChosenOptions } from './chosen-options.js';
import type { ToleranceLimit } from './tolerance-limits.js';

/** What every compression says. */
export interface CommonReport {
  readonly size: number;
  readonly format: string;
  readonly leafSize: number;
  readonly maxRank: number;
  readonly tolerance: number;
  /** Share of the matrix that near blocks hold. */
  readonly budgetUsed: number;
  readonly dtype: string;
  readonly seed: number;
  readonly workers: number;
  readonly blas: string;
  /** Estimate of ‖K‖_F, by which the tolerance was scaled. */
  readonly norm: number;
  /**
   * Whether the asked tolerance was met, as far as the compression saw: the verified errors of all nodes together, and
   * some columns of K̃ compared with those of K (from-entries/compress.ts); from products, random vectors that nothing
   * was fitted to. Undefined in files that were written before it was recorded.
   */
  readonly met: boolean | undefined;
  /** The largest of these relative errors. An estimate; `estimateError` measures. NaN where `met` is undefined. */
  readonly seen: number;
  /** What kept K̃ from the tolerance; empty where it was met (tolerance-limits.ts). */
  readonly limits: readonly ToleranceLimit[];
}

/** Of a matrix made from entries (from-entries/compress.ts). */
export interface EntriesReport extends CommonReport {
  readonly origin: 'entries';
  readonly neighbors: number;
  /** Share of a row that near blocks might hold. */
  readonly budget: number;
  /** What the tree was built by: of 'auto' what it stood for; 'given' where the caller brought the tree. */
  readonly distance: string;
  /** Recall of the neighbors on a sample. */
  readonly recall: number;
  /** What was compared and chosen where leaf size or rank limit were left open (from-entries/choose-options.ts). */
  readonly chosen?: ChosenOptions | undefined;
  /**
   * `choose`: the pilot by which options were chosen. `compress` is all; the parts are those of the last round, of up
   * to four (from-entries/compress.ts).
   */
  readonly seconds: {
    readonly neighbors: number;
    readonly tree: number;
    readonly choose?: number | undefined;
    readonly skeletonization: number;
    readonly fill: number;
    readonly compress: number;
  };
  /** The card that skeletons were found on; undefined: the team's workers. */
  readonly device?: string | undefined;
  /** Whether neighbors were searched on that card, too ('device'), or why not. */
  readonly neighborsOn?: NeighborSearchPlace | undefined;
  /** Nodes that were resampled, and nodes whose fresh rows still missed their share of the tolerance. */
  readonly resampled: number;
  readonly missed: number;
  /** Present where K̃ is positive semidefinite by construction (definite-interpolation.ts). */
  readonly preserve?: 'positive-definite' | undefined;
  readonly products?: undefined;
}

/** Of a matrix made from products alone, on a tree that was given (from-products/compress.ts). */
export interface OperatorReport extends CommonReport {
  readonly origin: 'products';
  readonly seconds: { readonly compress: number };
  readonly products: ProductsReport;
}

/** Of the core of a matrix in the Kronecker eigenbasis, whose error is known (curvature/eigenbasis/compress.ts). */
export interface EigenbasisReport extends CommonReport {
  readonly origin: 'eigenbasis';
  readonly seconds: { readonly fill: number; readonly compress: number };
  readonly products?: undefined;
}

/** What a compression did, by what the matrix was made from. */
export type CompressionReport = EntriesReport | OperatorReport | EigenbasisReport;

/** The report of a compression from products. */
export interface ProductsReport {
  /** Vectors the operator was multiplied with, those of the final measurement included. */
  readonly products: number;
  /** Random vectors that the bases were found from: of the one sample (HSS), or of a level's (HODLR). */
  readonly samples: number;
  /** Every column of the operator was computed: the matrix was small enough that samples would have cost more. */
  readonly complete: boolean;
  /** Seconds inside the operator, and seconds of everything else. */
  readonly seconds: { readonly operator: number; readonly compression: number };
  /**
   * ‖A − K̃‖_F/‖A‖_F from fresh random vectors (or exactly, from all columns), and whether it met the asked tolerance.
   */
  readonly error: ErrorEstimate;
  readonly met: boolean;
  /**
   * What `maxRank` alone cut off, relative to ‖A‖_F, as the samples estimate it: above the tolerance, only a larger
   * maxRank helps.
   */
  readonly beyondRank: number;
  /**
   * Truncations of what the one sample gave (HSS) until this one: again, with another budget, where the measured error
   * missed what the ranks allow, or undercut the tolerance.
   */
  readonly attempts: number;
}
