/**
 * Optimizers on one network of layers, each from the same beginning: samples and seconds to a stated target.
 */
import { ekfacAdam } from '../../src/training/optimizers/ekfac-adam.js';
import { adam } from '../../src/training/optimizers/first-order.js';
import { kfacOptimizer } from '../../src/training/optimizers/kfac.js';
import type { KfacOptimizerOptions } from '../../src/training/optimizers/kfac-options.js';
import { gaussNewtonCg, newtonCg } from '../../src/training/optimizers/newton-cg.js';
import {
  digits,
  lastOf,
  percent,
  type Check,
  type EpochRow,
  type RunRow,
  type Table,
  type Trial,
} from './experiment.js';

/** What labels of Adam begin with; its rate is tuned. */
const ADAM = 'Adam';

/** What a field of racers is made of. */
export interface FieldOptions {
  /** Rates that Adam is tuned over, and that of ekfac-adam. */
  readonly adam: readonly number[];
  readonly ekfac: readonly number[];
  /** Settings of K-FAC. */
  readonly kfac?: KfacOptimizerOptions;
  readonly batchSize: number;
  /** Samples of a step of K-FAC and of the Newton methods. */
  readonly largeBatch: number;
  /** Iterations of conjugate gradients. */
  readonly iterations: number;
  /** Steps of the Newton methods, which are dear, and of K-FAC. */
  readonly newtonSteps: number;
  readonly kfacSteps: number;
}

/**
 * Adam by its rates, ekfac-adam (its rate rises over five steps: runs are short), K-FAC, and Newton's method by
 * conjugate gradients: with the Hessian, a damping that stays and Armijo's search (Newton-CG as published for networks
 * of layers), and with the Gauss–Newton matrix and a damping by the ratio.
 */
export function field(options: FieldOptions): Trial[] {
  const { adam: rates, ekfac, kfac = {}, batchSize, largeBatch, iterations, newtonSteps, kfacSteps } = options;
  const large = { batchSize: largeBatch };
  const newton = { ...large, steps: newtonSteps, evaluateEvery: 2 };
  return [
    ...rates.map((learningRate) => ({
      label: `${ADAM} ${learningRate}, batch ${batchSize}`,
      options: { optimizer: adam({ learningRate }), batchSize },
    })),
    ...ekfac.map((learningRate) => ({
      label: `ekfac-adam ${learningRate}, batch ${batchSize}`,
      options: { optimizer: ekfacAdam({ learningRate, warmUp: 5 }), batchSize },
    })),
    {
      label: `K-FAC, batch ${largeBatch}`,
      options: { ...large, optimizer: kfacOptimizer(kfac), steps: kfacSteps, evaluateEvery: 4 },
    },
    {
      label: `Newton-CG, λ = 1, batch ${largeBatch}`,
      options: { ...newton, optimizer: newtonCg({ iterations }) },
    },
    {
      label: `Gauss–Newton CG, λ by ratio, batch ${largeBatch}`,
      options: { ...newton, optimizer: gaussNewtonCg({ iterations }) },
    },
  ];
}

/** A target of the validation data. */
export type Target = { readonly accuracy: number } | { readonly loss: number };

const targetText = (target: Target): string =>
  'accuracy' in target ? `${100 * target.accuracy} %` : `loss ${target.loss}`;

/** The first evaluation that reached the target. */
export const reachedAt = ({ epochs }: RunRow, target: Target): EpochRow | undefined =>
  epochs.find(({ validationLoss, accuracy }) =>
    'accuracy' in target ? (accuracy ?? 0) >= target.accuracy : (validationLoss ?? Infinity) <= target.loss,
  );

/** Whether a run is Adam's. */
export const isAdam = ({ label }: { readonly label: string }): boolean => label.startsWith(ADAM);

/** The best Adam: that which reached the target with the fewest samples, else that of the least loss at its end. */
export function tunedAdam(rows: readonly RunRow[], target: Target): RunRow {
  const cost = (row: RunRow): number => reachedAt(row, target)?.samples ?? Infinity;
  const end = (row: RunRow): number => lastOf(row)?.validationLoss ?? Infinity;
  return rows.filter(isAdam).sort((a, b) => cost(a) - cost(b) || end(a) - end(b))[0];
}

/** Samples to the target, seconds as a share of tuned Adam's, and what came at the end; `more` adds columns. */
export function raceTable<R extends RunRow>(
  title: string,
  rows: readonly R[],
  target: Target,
  more: { readonly columns: readonly string[]; readonly of: (row: R) => readonly (string | number)[] },
): Table {
  const reference = reachedAt(tunedAdam(rows, target), target)?.seconds;
  return {
    title,
    columns: [
      '',
      `samples to ${targetText(target)}`,
      "seconds, of Adam's",
      'samples',
      'loss',
      'accuracy',
      ...more.columns,
    ],
    rows: rows.map((row) => {
      const at = reachedAt(row, target);
      const last = lastOf(row);
      return [
        row.label,
        at?.samples ?? 'not reached',
        at === undefined || reference === undefined ? '–' : digits(at.seconds / reference),
        last?.samples ?? 0,
        digits(last?.validationLoss),
        percent(last?.accuracy),
        ...more.of(row),
      ];
    }),
  };
}

/** That some method of the second order needs no more samples than tuned Adam. */
export function fewerSamples(rows: readonly RunRow[], target: Target): Check {
  const cost = (row: RunRow): number => reachedAt(row, target)?.samples ?? Infinity;
  const own = tunedAdam(rows, target);
  const best = rows.filter((row) => !isAdam(row)).sort((a, b) => cost(a) - cost(b))[0];
  const text = (row: RunRow): string => `${row.label} ${Number.isFinite(cost(row)) ? cost(row) : 'not reached'}`;
  return {
    expected: `a method of the second order takes fewer samples to ${targetText(target)} than tuned Adam`,
    met: cost(best) < cost(own),
    seen: `${text(best)}, ${text(own)}`,
  };
}
