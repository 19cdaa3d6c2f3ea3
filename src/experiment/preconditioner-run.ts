/**
 * The table of preconditioners: the published one as it is printed, an honest sweep over shifts (true residuals, random
 * right-hand sides), and Gauss–Newton matrices of networks.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { gaussNewton } from '../curvature/products/gauss-newton.js';
import { gaussNewtonSource } from '../curvature/entries/gauss-newton-source.js';
import { peakMemory } from '../io/machine.js';
import { extremeEigenvalues } from '../krylov/lanczos.js';
import type { TeamControl } from '../parallel/team-control.js';
import { Subject } from '../approximation/subject.js';
import type { EntrySource } from '../source/entry-source.js';
import { randomVectors } from './compression-run.js';
import { measureDgemm } from './dgemm-rate.js';
import { named } from './named-progress.js';
import type { NetworkSamples } from './network-data.js';
import { measureSolves, productSeconds, type ShiftedSystems } from './preconditioned-solves.js';
import {
  NETWORK_SHIFTS,
  NETWORK_TOLERANCE,
  planPreconditioners,
  PRINTED,
  SHIFTS,
  SWEEP_TOLERANCE,
  sweepOptions,
  type NetworkCase,
  type PlannedPreconditioner,
} from './preconditioner-plan.js';
import type { MatrixSweep, NetworkSweep, PreconditionerRecord, PrintedRow, SolveRow } from './preconditioner-record.js';
import { printedRows, type ExactMatrix } from './printed-preconditioners.js';
import { circumstances } from './record.js';
import { trainedModel } from './table-run.js';

/** A test matrix with ‖K‖₂ = 1. */
export interface MatrixCase {
  readonly name: string;
  readonly size: number;
}

/** A network, its data, and how it is trained. */
export interface NetworkSetup extends NetworkCase {
  readonly data: NetworkSamples & { readonly name: string };
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
}

/** What the table compares. */
export interface PreconditionerSetup {
  /** Opens a test matrix, with exact products; each is released before the next. */
  readonly open: (matrix: MatrixCase) => EntrySource;
  /** Matrices of the published table, and of the sweep. */
  readonly printed: readonly MatrixCase[];
  readonly swept: readonly MatrixCase[];
  readonly networks: readonly NetworkSetup[];
  /** Preconditioners of the networks (preconditioner-plan.ts); the sweep has none and HSS. */
  readonly methods: readonly string[];
  readonly shifts?: readonly number[] | undefined;
  readonly networkShifts?: readonly number[] | undefined;
  readonly maxIterations?: number | undefined;
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
}

const MOST_ITERATIONS = 5000;
const LANCZOS = { maxIterations: 100, tolerance: 1e-4 } as const;
/** Apart from the vectors that products are timed with. */
const RIGHT_HAND_SIDE_SEED = 2;

/**
 * Runs the whole table. Deterministic but for the times. Throws OptionError, ShapeError, MemoryError, AbortedError, and
 * what sources, training and compression throw.
 */
export async function runPreconditioners(
  setup: PreconditionerSetup,
  control: TeamControl,
): Promise<PreconditionerRecord> {
  const began = performance.now();
  const { printed, swept, seed } = setup;
  const { team } = control;
  const methods = planPreconditioners(setup.methods);
  const rows: PrintedRow[] = [];
  const sweep: MatrixSweep[] = [];
  for (const one of distinct([...printed, ...swept])) {
    throwIfAborted(control.signal);
    const matrix = open(one, setup);
    const known = named(one.name, control);
    if (has(printed, one)) rows.push(...(await printedRows(one.name, matrix, seed, known)));
    if (has(swept, one)) sweep.push(await sweepMatrix(one, new Subject(matrix.operator, matrix), setup, known));
  }
  const networks: NetworkSweep[] = [];
  for (const network of setup.networks)
    networks.push(await sweepNetwork(network, methods, setup, named(network.widths.join('-'), control)));
  return {
    record: 'preconditioners',
    seed,
    printed: { shift: PRINTED.shift, tolerance: PRINTED.tolerance, rows },
    sweep,
    networks,
    gflops: { dgemm: await measureDgemm(team, control) },
    seconds: { total: (performance.now() - began) / 1000 },
    memory: { peakBytes: peakMemory() },
    workers: team.workers,
    blas: team.blas.description,
    ...circumstances(),
  };
}

const same = (a: MatrixCase, b: MatrixCase): boolean => a.name === b.name && a.size === b.size;
const has = (some: readonly MatrixCase[], one: MatrixCase): boolean => some.some((other) => same(other, one));
const distinct = (all: readonly MatrixCase[]): MatrixCase[] =>
  all.filter((one, k) => all.findIndex((other) => same(other, one)) === k);

/** Exact products and entries. */
function open(one: MatrixCase, setup: PreconditionerSetup): ExactMatrix {
  const source = setup.open(one);
  if (source.operator === undefined)
    throw new OptionError(`${one.name} brings no exact products, and solves are measured with them.`, {
      matrix: one.name,
    });
  return { operator: source.operator, source };
}

async function sweepMatrix(
  { name, size }: MatrixCase,
  subject: Subject,
  setup: PreconditionerSetup,
  control: TeamControl,
): Promise<MatrixSweep> {
  const { seed, memoryLimit, shifts = SHIFTS, maxIterations = MOST_ITERATIONS } = setup;
  const planned: PlannedPreconditioner[] = [
    { label: 'none', name: 'none', options: {} },
    { label: 'hss', name: 'hss', options: sweepOptions(name) },
  ];
  const solves: ShiftedSystems = {
    subject,
    norm: 1,
    relativeShifts: shifts,
    rightHandSide: randomVectors(size, 1, seed + RIGHT_HAND_SIDE_SEED),
    tolerance: SWEEP_TOLERANCE,
    maxIterations,
    seed,
    memoryLimit,
  };
  return {
    matrix: name,
    size,
    tolerance: SWEEP_TOLERANCE,
    maxIterations,
    productSeconds: await productSeconds(subject.operator, seed, control),
    rows: await allRows(planned, solves, control),
  };
}

/** By shift, then in the order of the preconditioners. */
async function allRows(
  planned: readonly PlannedPreconditioner[],
  solves: ShiftedSystems,
  control: TeamControl,
): Promise<SolveRow[]> {
  const byMethod: SolveRow[][] = [];
  for (const one of planned) byMethod.push(await measureSolves(one, solves, control));
  return solves.relativeShifts.flatMap((_, k) => byMethod.map((rows) => rows[k]));
}

async function sweepNetwork(
  network: NetworkSetup,
  methods: readonly PlannedPreconditioner[],
  setup: PreconditionerSetup,
  control: TeamControl,
): Promise<NetworkSweep> {
  const { widths, activation, loss, samples, data, bias = false } = network;
  const { seed, memoryLimit, networkShifts = NETWORK_SHIFTS, maxIterations = MOST_ITERATIONS } = setup;
  const { team } = control;
  const { model, training } = await trainedModel({ ...network, bias, seed }, control);
  const operator = gaussNewton(model, { blas: team.blas, team });
  try {
    const { largest } = await extremeEigenvalues(operator, { blas: team.blas, seed, ...LANCZOS }, control);
    const size = operator.rows;
    const solves: ShiftedSystems = {
      subject: new Subject(operator, { source: gaussNewtonSource(model, { blas: team.blas, operator }), model }),
      norm: largest.value,
      relativeShifts: networkShifts,
      rightHandSide: randomVectors(size, 1, seed + RIGHT_HAND_SIDE_SEED),
      tolerance: NETWORK_TOLERANCE,
      maxIterations,
      seed,
      memoryLimit,
    };
    return {
      network: widths.join('-'),
      size,
      activation: typeof activation === 'string' ? activation : activation.join(','),
      loss,
      samples,
      data: data.name,
      tables: data.tables,
      training,
      lambdaMax: largest.value,
      tolerance: NETWORK_TOLERANCE,
      maxIterations,
      productSeconds: await productSeconds(operator, seed, control),
      rows: await allRows(methods, solves, control),
    };
  } finally {
    operator.release();
  }
}
