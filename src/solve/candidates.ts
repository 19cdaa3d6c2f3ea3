/**
 * Which preconditioner takes the fewest flops, as far as a few products tell.
 * Measured: the spectrum (spectrum.ts), ranks of a sampled block (predict.ts), and the time of products whose flops
 * nobody knows, counted at the rate of gemm. Assumed: the error of K-FAC, which only K-FAC itself would tell.
 */
import { dualFits } from './preconditioners/dual.js';
import type { TeamControl } from '../parallel/team-control.js';
import { nystromRank } from './preconditioners/nystrom.js';
import { gemmRate, knownProductFlops, predictHierarchical } from './preconditioners/predict-hierarchical.js';
import type { PreconditionerName, PreconditionerOptions, Subject } from './preconditioners/preconditioner.js';
import {
  countAbove,
  eigenvalueAt,
  measureSpectrum,
  predictedSteps,
  SPECTRUM_PRODUCTS,
  stepsAtCondition,
  type Spectrum,
} from './spectrum.js';

/** A preconditioner and what a solve with it is predicted to cost. */
export interface Candidate {
  readonly name: PreconditionerName;
  /** Flops of making it and of all iterations. */
  readonly flops: number;
  readonly iterations: number;
  /** What it was predicted with. */
  readonly details: string;
  readonly making?: PreconditionerOptions | undefined;
}

/** The chosen preconditioner, and why. */
export interface Choice {
  readonly name: PreconditionerName;
  /** One sentence with the predicted numbers of every candidate. */
  readonly reason: string;
  /** The cheapest first. */
  readonly candidates: readonly Candidate[];
  /** Options that the choice was made with. */
  readonly making: PreconditionerOptions;
}

/** The solve that a preconditioner is chosen for. */
export interface ChoiceOptions {
  readonly shift: number;
  /** Right-hand sides. */
  readonly vectors: number;
  readonly tolerance: number;
  readonly seed: number;
  /** Whether the operator is the Gauss–Newton matrix of the network. */
  readonly dual: boolean;
  readonly making?: PreconditionerOptions | undefined;
  readonly memoryLimit?: number | undefined;
}

/** ‖G − K-FAC‖/‖G‖ as measured on autoencoders and classifiers of digits (docs/benchmarks.md). */
const KFAC_ERROR = 0.1;
const NYSTROM_RANKS = [16, 32, 64, 128, 256] as const;
/** Eigenvalues and vectors of a symmetric matrix of order d: about so many d³ flops. */
const EIGEN = 9;

/** What the predictions stand on. */
interface Measured {
  readonly size: number;
  readonly product: number;
  readonly spectrum: Spectrum;
  readonly steps: (removed?: number) => number;
}

/**
 * Chooses among no preconditioner, Nyström, HSS (where there are entries), and of networks K-FAC and the dual solve.
 * Costs 32 products, a tree and a block of 256 × 256 entries. The same seed gives the same choice where the flops of
 * products are known; else it depends on times. Throws NonFiniteError, AbortedError, and what the source throws.
 */
export async function choosePreconditioner(
  subject: Subject,
  options: ChoiceOptions,
  control: TeamControl,
): Promise<Choice> {
  const { shift, vectors, tolerance, seed } = options;
  const { operator } = subject;
  const { blas, workers } = control.team;
  const size = operator.rows;
  const asked = Math.max(tolerance, Number.EPSILON);
  const rate = gemmRate(blas);
  const began = performance.now();
  const spectrum = await measureSpectrum(operator, seed, blas, control);
  const timed = (((performance.now() - began) / 1000) * rate * workers) / Math.min(SPECTRUM_PRODUCTS, 2 * size);
  const known = knownProductFlops(operator);
  const measured: Measured = {
    size,
    product: known ?? timed,
    spectrum,
    steps: (removed = 0) => predictedSteps(spectrum, shift, asked, size, removed),
  };
  const making = { ...options.making, seed };
  const hss = await predictHierarchical(subject, spectrum.largest, rate, making, control);
  const candidates = [
    plain(measured, vectors),
    nystrom(measured, shift, vectors, asked, making.rank),
    ...ofNetwork(subject, measured, options, asked),
  ];
  if (hss !== undefined) {
    const iterations = Math.min(
      measured.steps(),
      Math.ceil(
        stepsAtCondition(1 + hss.error / Math.max(shift + spectrum.smallest, Number.EPSILON * spectrum.largest), asked),
      ),
    );
    candidates.push({
      name: 'hss',
      iterations,
      details: `rank ${hss.rank}`,
      flops: hss.compress + hss.factor + vectors * iterations * (measured.product + hss.apply),
    });
  }
  candidates.sort((a, b) => a.flops - b.flops);
  const [best] = candidates;
  return {
    name: best.name,
    candidates,
    making: best.making ?? {},
    reason: reasonFor(candidates, measured, options, known === undefined),
  };
}

function plain({ product, steps }: Measured, vectors: number): Candidate {
  const iterations = steps();
  return { name: 'none', iterations, details: '', flops: vectors * iterations * product };
}

/** The best of some ranks, or the rank asked for. */
function nystrom(
  { size, product, spectrum, steps }: Measured,
  shift: number,
  vectors: number,
  tolerance: number,
  asked?: number,
): Candidate {
  const ranks = [...new Set((asked === undefined ? NYSTROM_RANKS : [asked]).map((rank) => nystromRank(size, rank)))];
  return ranks
    .map((rank): Candidate => {
      const least = Math.max(shift + spectrum.smallest, Number.EPSILON * spectrum.largest);
      const iterations = Math.min(
        steps(rank),
        Math.ceil(stepsAtCondition((eigenvalueAt(spectrum, rank) + shift) / least, tolerance)),
      );
      const columns = rank + 10;
      return {
        name: 'nystrom',
        iterations,
        details: `rank ${rank}`,
        making: { rank },
        flops: columns * product + 14 * size * columns ** 2 + vectors * iterations * (product + 4 * size * rank),
      };
    })
    .reduce((best, one) => (one.flops < best.flops ? one : best));
}

/** K-FAC, and where n·r is small and the operator the network's own the dual solve. */
function ofNetwork(
  { model }: Subject,
  { size, product, spectrum, steps }: Measured,
  { shift, vectors, dual, memoryLimit }: ChoiceOptions,
  tolerance: number,
): Candidate[] {
  if (model === undefined || !(shift > 0)) return [];
  const { network, data } = model;
  const { layers } = network;
  const n = data.samples;
  const sum = (of: (width: number, outputs: number) => number): number =>
    layers.reduce((total, { width, outputs }) => total + of(width, outputs), 0);
  const iterations = Math.min(
    steps(),
    Math.ceil(stepsAtCondition(1 + (KFAC_ERROR * spectrum.largest) / (shift + spectrum.smallest), tolerance)),
  );
  const found: Candidate[] = [
    {
      name: 'kfac',
      iterations,
      details: `assuming an error of ${100 * KFAC_ERROR} %`,
      flops:
        sum((width, outputs) => n * width ** 2 + 2 * n * outputs ** 2 + EIGEN * (width ** 3 + outputs ** 3)) +
        vectors * iterations * (product + sum((width, outputs) => 4 * width * outputs * (width + outputs))),
    },
  ];
  if (dual && dualFits(model, memoryLimit)) {
    const order = n * network.outputs;
    const solves = 2 * order ** 2 + 4 * n * size + 4 * order * sum((_, outputs) => outputs);
    found.push({
      name: 'dual',
      iterations: 1,
      details: `n·r = ${order}`,
      flops:
        order ** 2 * sum((_, outputs) => outputs) +
        n * n * sum((width) => width) +
        2 * layers.length * order ** 2 +
        order ** 3 / 3 +
        vectors * (product + solves),
    });
  }
  return found;
}

function reasonFor(
  candidates: readonly Candidate[],
  { spectrum }: Measured,
  { shift }: ChoiceOptions,
  timed: boolean,
): string {
  const gigaflops = (flops: number): string => `${(flops / 1e9).toPrecision(3)} Gflop`;
  const told = candidates.map(
    ({ name, flops, iterations, details }) =>
      `${name} ${gigaflops(flops)} ` +
      `(${[...(details === '' ? [] : [details]), `${iterations} iteration${iterations === 1 ? '' : 's'}`].join(', ')})`,
  );
  const relative = spectrum.largest > 0 ? (shift / spectrum.largest).toExponential(1) : '∞';
  return (
    `Chosen ${candidates[0].name} by predicted cost: ${told.join(', ')}; λ/‖A‖ ≈ ${relative}, about ` +
    `${Math.round(countAbove(spectrum, shift))} eigenvalues above λ${timed ? '; products were timed' : ''}.`
  );
}
