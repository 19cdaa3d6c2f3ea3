/**
 * What a table of preconditioners compares, where nothing else is asked for.
 */
import { OptionError } from '../core/errors.js';
import type { ActivationName } from '../network/activations/table.js';
import type { LossName } from '../network/losses/table.js';
import { PRECONDITIONERS, type PreconditionerName } from '../solve/preconditioners/table.js';
import type { PreconditionerOptions } from '../solve/preconditioners/kind.js';

/** The published table, and what stands for its COV. */
export const PRINTED_MATRICES: readonly string[] = ['COV', 'K02', 'K13', 'K15'];
/** Test matrices of the sweep. */
export const SWEPT_MATRICES: readonly string[] = ['K02', 'K13', 'K15', 'COV', 'EXP', 'MATERN'];

/** λ/‖K‖₂ of the sweep, and λ/λ_max of the networks. */
export const SHIFTS: readonly number[] = [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
/** λ/‖A‖₂ of the networks' solves. */
export const NETWORK_SHIFTS: readonly number[] = [1e-2, 1e-3, 1e-4, 1e-5];
/** Relative residual asked in the sweep. */
export const SWEEP_TOLERANCE = 1e-8;
/** Relative residual asked of the networks' solves. */
export const NETWORK_TOLERANCE = 1e-4;

/** Published table: λ on ‖K‖₂ = 1, the bound on ‖r‖/‖x₀‖, and the share of near blocks. */
export const PRINTED = { shift: 1, tolerance: 1e-3, budget: 0.01 } as const;

/** A network whose Gauss–Newton matrix is solved with. */
export interface NetworkCase {
  readonly widths: readonly number[];
  readonly activation: ActivationName | readonly ActivationName[];
  readonly loss: LossName;
  readonly samples: number;
  readonly bias?: boolean | undefined;
}

/** An autoencoder of images averaged to 14 × 14 and a classifier. */
export const NETWORKS: readonly NetworkCase[] = [
  { widths: [196, 32, 8, 32, 196], activation: 'tanh', loss: 'mse', samples: 250 },
  { widths: [784, 20, 20, 10], activation: 'relu', loss: 'cross-entropy', samples: 1000 },
];

/** Preconditioners of the networks, as their labels name them. */
export const DEFAULT_PRECONDITIONERS: readonly string[] = [
  'none',
  'jacobi',
  'kfac',
  'nystrom-64',
  'nystrom-256',
  'hodlr',
  'hss',
];
/** What messages and help offer. */
export const PRECONDITIONER_CHOICES: readonly string[] = PRECONDITIONERS.map((name) =>
  name === 'nystrom' ? 'nystrom-RANK' : name,
);

/** A preconditioner by its label ("nystrom-256"), and how it is made. */
export interface PlannedPreconditioner {
  readonly label: string;
  readonly name: PreconditionerName;
  readonly options: PreconditionerOptions;
}

/** Hierarchical matrices of networks: two to four per cent of the dense memory. */
const NETWORK_OPTIONS: Readonly<Partial<Record<PreconditionerName, PreconditionerOptions>>> = {
  hodlr: { leafSize: 64, maxRank: 64, tolerance: 1e-3 },
  hss: { share: 0.02 },
  'kronecker-sum': { share: 0.02 },
};

/** The preconditioners of these names, `nystrom-64` being that of rank 64. Throws OptionError. */
export function planPreconditioners(names: readonly string[]): PlannedPreconditioner[] {
  if (names.length === 0)
    throw new OptionError(`No preconditioners are named: choose of ${PRECONDITIONER_CHOICES.join(', ')}.`, {
      option: 'methods',
    });
  return [...new Set(names)].map((label) => {
    const [, rank] = /^nystrom-([1-9]\d{0,5})$/.exec(label) ?? [];
    const name = PRECONDITIONERS.find((one) => one === (rank === undefined ? label : 'nystrom'));
    if (name === undefined)
      throw new OptionError(`There is no preconditioner "${label}"; there are ${PRECONDITIONER_CHOICES.join(', ')}.`, {
        option: 'methods',
        method: label,
      });
    return { label, name, options: rank === undefined ? (NETWORK_OPTIONS[name] ?? {}) : { rank: Number(rank) } };
  });
}

/** The HSS matrix of a sweep: one for all shifts, and so as accurate as the smallest one asks for. */
const SWEEP_OPTIONS: Readonly<Record<string, PreconditionerOptions>> = {
  K02: { leafSize: 128, maxRank: 80, tolerance: 3e-6 },
  K13: { leafSize: 128, maxRank: 128, tolerance: 1e-7 },
  K15: { leafSize: 256, maxRank: 512, tolerance: 1e-5 },
  COV: { leafSize: 256, maxRank: 512, tolerance: 1e-6 },
};

/** How HSS is made for a test matrix of the sweep. */
export const sweepOptions = (matrix: string): PreconditionerOptions =>
  SWEEP_OPTIONS[matrix] ?? { leafSize: 256, maxRank: 256, tolerance: 1e-6 };

/** Leaves of the published table's matrices: so small that a row's share of near blocks holds at least one. */
export function printedLeafSize(size: number): number {
  const most = Math.min(256, Math.max(16, PRINTED.budget * size));
  return 2 ** Math.floor(Math.log2(most));
}
