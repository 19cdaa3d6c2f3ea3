/**
 * What a compression from products alone did and measured.
 */
import type { ErrorEstimate } from '../measure/error-interval.js';

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
