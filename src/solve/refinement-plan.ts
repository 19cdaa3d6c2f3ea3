/**
 * Whether a system whose exact products are dear, N² entries evaluated anew in each, is better solved by corrections
 * with a tight hierarchical matrix of the same entries (refinement.ts): decided beforehand by predicted costs.
 *
 *   compress + factor + corrections·(exact product + solve)   against   the candidates of the race (candidates.ts)
 */
import type { Subject } from '../approximation/subject.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Choice } from './candidates.js';
import { dearProducts, type Dear } from './cost-model.js';
import type { MachineRates } from './machine-rates.js';
import type { Measured } from './measured.js';
import { expectedOf, type Prediction, type PreconditionerOptions } from './preconditioners/kind.js';
import { predictHss, SPREAD, toleranceFor } from './preconditioners/predict-hierarchical.js';
import { stepsAtCondition } from './spectrum.js';

/** ‖A − K̃‖_F in units of λ + λ_min: tighter than what conjugate gradients ask of a preconditioner. */
const ERRORS = [0.1, 1e-2, 1e-3, 1e-4, 1e-5] as const;
/** A correction is not expected to do more than this: what was foreseen of an error holds to some digits. */
const BEST_RATE = 1e-6;
/** A tolerance of the hierarchical matrix, and what solving with it is expected to take. */
export interface Refiner {
  /** Of compressing and factoring, and of a correction: an exact product and a solve with the factors. */
  readonly prediction: Prediction;
  /** What a correction leaves of the residual. */
  readonly rate: number;
  readonly corrections: number;
  /** Flops in all. */
  readonly total: number;
}

/** Refiners, the least tight first; `first` is expected to be the cheapest. */
export interface RefinementPlan extends Dear {
  readonly refiners: readonly Refiner[];
  readonly first: number;
  /** What the cheapest candidate of the race would take. */
  readonly otherwise: number;
  /** One sentence, with the numbers. */
  readonly reason: string;
  readonly rates: MachineRates;
}

/** Corrections to the tolerance from this residual, at what one leaves of it. */
export function correctionsTo(tolerance: number, residual: number, rate: number): number {
  if (residual <= tolerance) return 0;
  const wanted = tolerance / residual;
  const plain = rate < 1 ? Math.log(wanted) / Math.log(rate) : Infinity;
  return Math.max(1, Math.ceil(Math.min(plain, stepsAtCondition(1 + 2 * rate, wanted))));
}

/**
 * The plan where it is expected to be cheaper than what races otherwise; undefined where products are not dear, nothing
 * was measured or predicted, or something else is cheaper. Costs a block of 256 × 256 entries a level for each of five
 * tolerances. Throws what the source throws, AbortedError.
 */
export async function planRefinement(
  subject: Subject,
  { candidates, measured }: Choice,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<RefinementPlan | undefined> {
  const dear = dearProducts(subject);
  if (dear === undefined || measured === undefined) return undefined;
  const { vectors, product } = measured;
  const others = candidates.flatMap(({ prediction: one }) => (one === undefined ? [] : [expectedOf(one)]));
  const otherwise = Math.min(...others);
  const refiners = await refinersOf(subject, measured, options, control);
  if (refiners.length === 0) return undefined;
  const costs = refiners.map(({ total, prediction }) => expectedOf({ ...prediction, setup: total, step: 0 }));
  const first = costs.indexOf(Math.min(...costs));
  if (!(costs[first] <= otherwise)) return undefined;
  const { corrections, total, prediction } = refiners[first];
  const steps = `${corrections} correction${corrections === 1 ? '' : 's'}`;
  const bound = prediction.atLeast ? '≥ ' : '';
  const reason =
    `A product with all ${subject.operator.rows}² entries takes ${inGflop(product(vectors))}: few are made. ` +
    `Predicted: ${steps} by a factored hss (${prediction.details}), ${bound}${inGflop(total)}, each verified by an ` +
    'exact product.';
  return { ...dear, refiners, first, otherwise, reason, rates: measured.rates };
}

const inGflop = (flops: number): string => `${(flops / 1e9).toPrecision(3)} Gflop`;

async function refinersOf(
  subject: Subject,
  measured: Measured,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Refiner[]> {
  const { tolerance, least } = measured;
  const norm = measured.norm || 1;
  const wanted =
    options.tolerance === undefined
      ? [...new Set(ERRORS.map((error) => toleranceFor(error * least, norm)))]
      : [options.tolerance];
  const refiners: Refiner[] = [];
  for (const one of wanted) {
    const rate = Math.max(BEST_RATE, (SPREAD * one * norm) / least);
    if (!(rate < 1)) continue;
    const corrections = correctionsTo(tolerance, 1, rate);
    for (const prediction of await predictHss(subject, measured, { ...options, tolerance: one }, control))
      refiners.push({ prediction, rate, corrections, total: prediction.setup + corrections * prediction.step });
  }
  return refiners;
}
