/**
 * log det(A + λI) with a preconditioner that is made here: P ≈ A + λI whose determinant is known,
 *
 *   log det(A + λI) = log det P + tr log(F⁻¹(A + λI)F⁻ᵀ),   P = FFᵀ
 *
 * the trace by stochastic Lanczos quadrature (krylov/log-determinant.ts), whose variance falls with the distance of P
 * from A + λI (J. Gardner et al., *GPyTorch*, NeurIPS 2018; J. Wenger et al., *Preconditioning for scalable Gaussian
 * process hyperparameter optimization*, ICML 2022): few probes and few steps.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { subjectOf, type Subject } from '../approximation/subject.js';
import { copyInto, zeros, type Matrix } from '../dense/matrix.js';
import { PROBE_KEYS, type FactoredMatrix, type ProbeOptions } from '../krylov/lanczos-quadrature.js';
import {
  estimatedLogDeterminant,
  isWrittenOut,
  logDeterminant,
  type LogDeterminant,
} from '../krylov/log-determinant.js';
import { LowRankOperator } from '../lowrank/low-rank-operator.js';
import { sketchedNystrom } from '../lowrank/nystrom.js';
import { shifted } from '../operator/shifted.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { described } from '../tree/given.js';
import { openMatrix, type GivenMatrix } from '../approximation/given-matrix.js';
import { MAKING_KEYS, type GivenSolveOptions, type SolveOptions } from './options.js';
import { type PreconditionerOptions } from './preconditioners/kind.js';
import { preconditionerOf, requireShift } from './preconditioners/make.js';
import { rankOf } from './preconditioners/nystrom.js';
import type { Preconditioner } from './preconditioners/preconditioner.js';

/** What P may be: those of the preconditioners whose determinants are known. */
export const LOG_DETERMINANT_PRECONDITIONERS = ['hss', 'hodlr', 'nystrom'] as const;

/** Options of {@link preconditionedLogDeterminant}. */
export interface PreconditionedLogDeterminantOptions
  extends Omit<ProbeOptions, 'blas'>, Pick<GivenSolveOptions, 'source' | 'model' | 'making' | 'memoryLimit'> {
  /** λ ≥ 0; default 0. Above 0 for 'nystrom'. */
  readonly shift?: number | undefined;
  /** Default 'hss', an error of about λ unless `making.tolerance` says otherwise. */
  readonly preconditioner?: (typeof LOG_DETERMINANT_PRECONDITIONERS)[number] | undefined;
}
const KEYS: KeysOf<PreconditionedLogDeterminantOptions> = {
  seed: PROBE_KEYS.seed,
  probes: PROBE_KEYS.probes,
  degree: PROBE_KEYS.degree,
  blockSize: PROBE_KEYS.blockSize,
  source: true,
  model: true,
  making: true,
  memoryLimit: 'number',
  shift: 'number',
  preconditioner: true,
};

/** log det(A + λI), and the preconditioner that it was found with; none where A was written out. */
export type PreconditionedLogDeterminant = LogDeterminant & {
  readonly preconditioner?:
    | {
        readonly name: (typeof LOG_DETERMINANT_PRECONDITIONERS)[number];
        /** log det P. */
        readonly logdet: number;
        readonly details: Preconditioner['details'];
        readonly bytes: number;
      }
    | undefined;
};

/** Steps of the first attempt: so few often do. */
const FIRST_DEGREE = 12;
/** Probes that are multiplied together: entries are evaluated once for all of them. */
const MOST_TOGETHER = 32;

/**
 * log det(A + λI) of a symmetric A, given as `solve` takes it, A + λI being positive definite. Where 30 probes of 100
 * steps (unless given) reach N ≤ 4,096, A is written out, and the result `exact`; else estimated as above, with a 95 %
 * interval. Costs the preconditioner, and of each step a product with A and a solve with P for all probes. The same
 * seed gives the same bits on every team. Throws OptionError, ShapeError, NonFiniteError, NotPositiveDefiniteError,
 * MemoryError, AbortedError.
 */
export async function preconditionedLogDeterminant(
  matrix: GivenMatrix,
  options: PreconditionedLogDeterminantOptions = {},
  control: Control = {},
): Promise<PreconditionedLogDeterminant> {
  const of = 'preconditionedLogDeterminant';
  const { making, ...rest } = requireKnownOptions(options, KEYS, of);
  const { shift = 0, preconditioner: name = 'hss', seed = 0, memoryLimit } = rest;
  requireShift(shift);
  if (!LOG_DETERMINANT_PRECONDITIONERS.includes(name))
    throw new OptionError(
      `preconditioner must be one of ${LOG_DETERMINANT_PRECONDITIONERS.join(', ')}, whose determinants are known, ` +
        `not ${describe(name)}.`,
      { option: 'preconditioner', value: name },
    );
  const given = described<Pick<SolveOptions, 'source' | 'model'>>(rest, of);
  const made: PreconditionerOptions = {
    ...(making === undefined ? {} : described(requireKnownOptions(making, MAKING_KEYS, `${of} (making)`), of)),
    seed,
    memoryLimit,
  };
  const on = await onTeam(control, of);
  const { operator, source, release } = await openMatrix(matrix, { shift }, of, on);
  try {
    const { probes, degree, blockSize } = rest;
    const quadrature = { blas: on.team.blas, seed, probes, degree, blockSize };
    const system = shifted(operator, shift);
    const { signal, onProgress } = on;
    if (isWrittenOut(system, quadrature)) return await logDeterminant(system, quadrature, { signal, onProgress });
    const subject = subjectOf(operator, { ...given, source: given.source ?? source }, on);
    const { factorization, details, bytes, end } = await factoredOf(subject, name, shift, made, on);
    try {
      const found = await quadratureWith(system, factorization, { seed, probes, degree, blockSize }, on);
      return { ...found, preconditioner: { name, logdet: factorization.logdet, details, bytes } };
    } finally {
      end();
    }
  } finally {
    release();
  }
}

/** The estimate with P, all probes of a step in one product; P is the caller's. Throws AbortedError. */
export function quadratureWith(
  system: Parameters<typeof estimatedLogDeterminant>[0],
  factorization: FactoredMatrix,
  { blockSize, ...options }: Omit<ProbeOptions, 'blas'>,
  { team, signal, onProgress }: TeamControl,
): Promise<LogDeterminant> {
  return estimatedLogDeterminant(
    system,
    { ...options, blas: team.blas, blockSize: blockSize ?? MOST_TOGETHER, firstDegree: FIRST_DEGREE, factorization },
    { signal, onProgress },
  );
}

/** P, and what is known of it. */
interface Made {
  readonly factorization: FactoredMatrix;
  readonly details: Preconditioner['details'];
  readonly bytes: number;
  end(): void;
}

async function factoredOf(
  subject: Subject,
  name: (typeof LOG_DETERMINANT_PRECONDITIONERS)[number],
  shift: number,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<Made> {
  if (name === 'nystrom') return nystromFactor(subject, shift, options, control);
  const { model, gaussNewton } = subject;
  // The principal part of a network's matrix in the Kronecker eigenbasis has factors of another kind.
  const tree = options.tree ?? (gaussNewton === undefined || model === undefined ? undefined : await treeOf());
  const used = await preconditionerOf(subject, name, shift, { ...options, tree }, control);
  const { factorization, details, bytes } = used;
  if (factorization === undefined) {
    used.release();
    throw new OptionError(`The preconditioner ${name} of this matrix has no factorization of known determinant.`, {
      option: 'preconditioner',
      name,
    });
  }
  return {
    factorization,
    details,
    bytes,
    end: () => {
      used.release();
    },
  };

  function treeOf(): ReturnType<Subject['tree']> {
    return subject.tree(subject.source!, { leafSize: options.leafSize ?? 128, seed: options.seed ?? 0 }, control);
  }
}

/**
 * P = U(Λ + λI)Uᵀ + λ(I − UUᵀ) of A ≈ UΛUᵀ: F = √λ(I + U(√(Λ/λ + 1) − 1)Uᵀ), symmetric.
 * Throws OptionError for λ = 0.
 */
async function nystromFactor(
  { operator }: Subject,
  shift: number,
  { rank, seed = 0, memoryLimit }: PreconditionerOptions,
  control: TeamControl,
): Promise<Made> {
  if (!(shift > 0))
    throw new OptionError("preconditioner 'nystrom' of a log determinant needs a shift above 0: P is λ elsewhere.", {
      option: 'shift',
      value: shift,
    });
  const { team } = control;
  const size = operator.rows;
  const sketch = { blas: team.blas, rank: rankOf(size, rank), seed, memoryLimit };
  const { vectors, values } = (await sketchedNystrom(operator, sketch, control)).operator;
  const roots = values.map((value) => Math.sqrt(Math.max(0, value) / shift + 1));
  const [up, down, twice] = [
    (root: number) => root - 1,
    (root: number) => 1 / root - 1,
    (root: number) => root ** -2 - 1,
  ].map((weight) => new LowRankOperator(vectors, roots.map(weight), team.blas, team));
  /** out ← scale·(x + L·x). */
  const added = (low: LowRankOperator, scale: number, x: Matrix, out: Matrix = zeros(x.rows, x.cols)): Matrix => {
    const copy = zeros(x.rows, x.cols);
    copyInto(copy, x);
    low.applyUnchecked(copy, x, scale, scale);
    copyInto(out, copy);
    return out;
  };
  return {
    factorization: {
      rows: size,
      cols: size,
      symmetric: true,
      logdet: size * Math.log(shift) + 2 * roots.reduce((sum, root) => sum + Math.log(root), 0),
      applyFactor: (z, out) => added(up, Math.sqrt(shift), z, out),
      applyInverseFactor: (z, out) => added(down, 1 / Math.sqrt(shift), z, out),
      applyUnchecked: (out, x, alpha, beta) => {
        const image = added(twice, alpha / shift, x);
        for (let j = 0; j < x.cols; j++)
          for (let i = 0; i < size; i++) {
            const p = out.offset + i + j * out.ld;
            out.data[p] = image.data[i + j * size] + (beta === 0 ? 0 : beta * out.data[p]);
          }
      },
    },
    details: { rank: values.length },
    bytes: up.bytes,
    end: () => undefined,
  };
}
