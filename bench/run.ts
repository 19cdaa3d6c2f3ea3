/**
 * `npm run bench [-- --only TEXT] [--write] [--images FILE] [--labels FILE]`: every case in a process of its own, or
 * those that have TEXT in their name or in their label in the tables of docs/benchmarks.md. Results are printed;
 * `--write` puts them into bench/results (compression.json of bench/cases.ts, factorization.json, hessian.json,
 * layer-hessian.json: of networks of layers, kronecker.json, preconditioners.json, training.json, scaling.json,
 * graph.json: critical paths of task graphs, coverage.json: how often stated intervals hold, tolerance.json: whether
 * asked tolerances are kept, choose.json: what `auto` takes beside the best of a grid, leaf.json: leaf sizes that were
 * chosen, tape.json: passes of networks of layers, files.json, browser.json), and makes the tables of
 * docs/benchmarks.md and the pictures of docs/benchmarks.html from those. Training takes `--data DIR` (default
 * ../shared/data, with mnist/) and `--quick`, which also leaves out large sizes. `--samples` and `--epochs` try the
 * networks on less, `--size` the matrices of preconditioners; such results, and quick ones, are not written. Tolerances
 * take `--seed`, the first of five, and `--quick`, one seed of the small matrices. Choices run their grid where none is
 * kept, or with `--grid`; else the best of it again. The browser needs Chromium and `npm run playground:build`.
 */
import { parseArgs } from 'node:util';
import type { CompressionRecord } from '../src/experiment/record.js';
import { CASES } from './cases.js';
import type { CoverageResult } from './coverage.js';
import { CHOOSE_CASES } from './choose-cases.js';
import { bestOf, chooseSummary, ratioOf, writeChooseTable, type ChooseMeasured } from './choose-table.js';
import type { ChooseResult } from './choose.js';
import { COVERAGE_CASES } from './coverage-cases.js';
import { FACTORIZATION_CASES } from './factorization-cases.js';
import { writeFactorizationTable } from './factorization-table.js';
import type { FactorizationResult } from './factorization.js';
import { median } from '../src/core/median.js';
import type { GraphResult } from './graph.js';
import { GRAPH_CASES } from './graph-cases.js';
import { makeGraphTable, writeGraphTable } from './graph-table.js';
import type { HessianResult } from './hessian.js';
import { HESSIAN_CASES } from './hessian-cases.js';
import { writeHessianTables } from './hessian-table.js';
import { choose } from './labels.js';
import { KRONECKER_CASES } from './kronecker-cases.js';
import { makeKroneckerTable, writeKroneckerTable } from './kronecker-table.js';
import type { KroneckerResult } from './kronecker.js';
import type { LayerHessianResult } from './layer-hessian.js';
import { LAYER_HESSIAN_CASES } from './layer-hessian-cases.js';
import { makeLayerHessianTables, writeLayerHessianTables } from './layer-hessian-table.js';
import { LEAF_CASES } from './leaf-cases.js';
import { leafSummary, writeLeafTable } from './leaf-table.js';
import type { LeafResult } from './leaf.js';
import { outputOf } from './measured.js';
import { writeBenchmarkPage } from './page.js';
import type { PreconditionerResult } from './preconditioners.js';
import { PRECONDITIONER_CASES } from './preconditioners-cases.js';
import { makePreconditionerTables, writePreconditionerTables } from './preconditioners-table.js';
import { resultsOf, rounded, writeRecord } from './record.js';
import { SCRIPT_CASES } from './script-cases.js';
import { SCALING_CASES } from './scaling-cases.js';
import { makeScalingTable, writeScalingTable } from './scaling-table.js';
import type { ScalingResult, Skipped } from './scaling.js';
import { writeTable, type CaseResult } from './table.js';
import { TAPE_CASES } from './tape-cases.js';
import { makeTapeTable, writeTapeTable } from './tape-table.js';
import type { TapeResult } from './tape.js';
import { TOLERANCE_CASES, TOLERANCE_SEEDS } from './tolerance-cases.js';
import { toleranceSummary, writeToleranceTable } from './tolerance-table.js';
import type { ToleranceResult } from './tolerance.js';
import { TRAINING_CASES, type TrainingResult } from './training-cases.js';
import { makeTrainingTables, writeTrainingTables } from './training-table.js';

/** Ends with status 2 and the message: nothing was measured. */
function refuse(error: unknown): never {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
}

/** `compute`'s value, or its error as a message. */
function orRefuse<T>(compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    refuse(error);
  }
}

const OPTIONS = {
  only: { type: 'string' },
  write: { type: 'boolean', default: false },
  images: { type: 'string' },
  labels: { type: 'string' },
  repeats: { type: 'string', default: '3' },
  samples: { type: 'string' },
  epochs: { type: 'string' },
  size: { type: 'string' },
  data: { type: 'string', default: '../shared/data' },
  seed: { type: 'string', default: '0' },
  quick: { type: 'boolean', default: false },
  grid: { type: 'boolean', default: false },
} as const;
const { values: args } = orRefuse(() => parseArgs({ options: OPTIONS }));
const lessThanWhole = (['samples', 'epochs', 'size', 'quick'] as const).filter(
  (option) => args[option] !== undefined && args[option] !== false,
);
if (args.write && lessThanWhole.length > 0) {
  refuse(`--write keeps whole results: leave out --${lessThanWhole.join(', --')}.`);
}

function records(name: string, repeats: number): CompressionRecord[] {
  const output = outputOf('compression.js', [
    name,
    String(repeats),
    ...(args.images === undefined ? [] : [args.images]),
  ]);
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as CompressionRecord);
}

function measure(name: string, repeats: number): CaseResult {
  const [cold] = records(name, 1);
  // The first of a process warms it up; the medians are of those that follow.
  const warm = repeats > 0 ? records(name, repeats + 1).slice(1) : [cold];
  const of = (value: (record: CompressionRecord) => number): number => rounded(median(warm.map(value)));
  return {
    name,
    input: cold.input,
    options: cold.options,
    vectors: cold.vectors,
    seed: cold.seed,
    workers: cold.workers,
    blas: cold.blas,
    repeats: warm.length,
    seconds: {
      neighbors: of((r) => r.seconds.neighbors),
      tree: of((r) => r.seconds.tree),
      skeletonization: of((r) => r.seconds.skeletonization),
      fill: of((r) => r.seconds.fill),
      compress: of((r) => r.seconds.compress),
      apply: of((r) => r.seconds.apply),
    },
    coldSeconds: {
      neighbors: rounded(cold.seconds.neighbors),
      skeletonization: rounded(cold.seconds.skeletonization),
      compress: rounded(cold.seconds.compress),
    },
    gflops: { apply: of((r) => r.gflops.apply), dgemm: of((r) => r.gflops.dgemm) },
    error: {
      relative: rounded(cold.error.relative),
      low: rounded(cold.error.low),
      high: rounded(cold.error.high),
      exact: cold.error.exact,
    },
    memory: { bytes: cold.memory.bytes, share: rounded(cold.memory.share), peakBytes: cold.memory.peakBytes },
    ranks: cold.ranks.map(({ level, max, mean }) => ({ level, max, mean: rounded(mean) })),
    recall: rounded(cold.neighborRecall),
    budgetUsed: rounded(cold.budgetUsed),
  };
}

const chosen = orRefuse(() => choose(args.only));
/** Files that cases of images may take. */
const files = args.images === undefined ? [] : [args.images, ...(args.labels === undefined ? [] : [args.labels])];

/** What a script of this folder prints as JSON. */
const resultOf = <R>(script: string, ...arguments_: readonly string[]): R =>
  JSON.parse(outputOf(script, arguments_)) as R;

/** One kind of case. */
interface Kind<C, R> {
  /** bench/results/RECORD.json. */
  readonly record: string;
  readonly cases: readonly C[];
  /** Measures a case and prints what came; undefined where it is skipped. */
  readonly measure: (one: C) => R | undefined;
  /** The tables as text, printed where they are not written. */
  readonly make?: (results: readonly R[]) => string;
  /** Puts the tables into docs/benchmarks.md. */
  readonly write?: (results: readonly R[]) => void;
}

/** Measures the chosen cases of a kind; with `--write` keeps each result as it comes, beside those of before. */
function measureKind<C extends { readonly name: string }, R extends { readonly name: string }>(kind: Kind<C, R>): void {
  const { record, cases, measure: measureOne, make, write } = kind;
  const those = cases.filter(({ name }) => chosen.has(name));
  if (those.length === 0) return;
  const results = new Map((args.write ? resultsOf<R>(record) : []).map((result) => [result.name, result]));
  const all = (): R[] => cases.flatMap(({ name }) => results.get(name) ?? []);
  for (const one of those) {
    const result = measureOne(one);
    if (result === undefined) continue;
    results.set(one.name, result);
    if (args.write) writeRecord(record, { results: all() });
  }
  if (args.write) write?.(all());
  else if (make !== undefined) console.log(make(all()));
}

measureKind({
  record: 'compression',
  cases: CASES,
  measure({ name, input }) {
    // A quarter of a million rows are run once.
    const result = measure(name, input.size > 100_000 ? 0 : Number(args.repeats));
    console.log(
      name,
      JSON.stringify(result.seconds),
      'error',
      result.error.relative,
      'peak MB',
      Math.round(result.memory.peakBytes / 1e6),
      'GFLOP/s',
      result.gflops.apply,
      'of',
      result.gflops.dgemm,
    );
    return result;
  },
  write: writeTable,
});

measureKind({
  record: 'factorization',
  cases: FACTORIZATION_CASES,
  measure({ name }) {
    const result = resultOf<FactorizationResult>('factorization.js', name, args.repeats);
    console.log(
      name,
      JSON.stringify(result.seconds),
      'GFLOP/s',
      result.gflops.factor,
      'of',
      result.gflops.dgemm,
      'residual',
      result.residual,
      'condition',
      result.condition,
      'logdet',
      result.logdetError,
    );
    return result;
  },
  write: writeFactorizationTable,
});

// The table of one network, with rates of entries.
measureKind({
  record: 'hessian',
  cases: HESSIAN_CASES,
  measure({ name }) {
    const result = resultOf<HessianResult>('hessian.js', name, args.samples ?? '1000', args.epochs ?? '5', ...files);
    const { rows, memory, seconds } = result.table;
    const built = rows.map(
      ({ method, share, error, seconds: { build } }) =>
        `${method} ${(100 * share).toPrecision(3)} %: ${error.relative.toExponential(1)} (${build.toPrecision(2)} s)`,
    );
    console.log(
      name,
      built.join(', '),
      'peak MB',
      Math.round(memory.peakBytes / 1e6),
      'in',
      Math.round(seconds.total),
      's',
    );
    console.log(
      '  entries, GFLOP/s',
      JSON.stringify(result.entryGflops),
      'sampled',
      result.sampledEntries.rootMeanSquare,
      'of',
      result.sampledEntries.bound,
    );
    return result;
  },
  write: writeHessianTables,
});

measureKind({
  record: 'layer-hessian',
  cases: LAYER_HESSIAN_CASES,
  measure({ name }) {
    const result = resultOf<LayerHessianResult>('layer-hessian.js', name, args.samples ?? '', args.epochs ?? '');
    console.log(name, 'in', Math.round(result.table.seconds.total), 's');
    return result;
  },
  make: makeLayerHessianTables,
  write: writeLayerHessianTables,
});

measureKind({
  record: 'kronecker',
  cases: KRONECKER_CASES,
  measure({ name }) {
    const result = resultOf<KroneckerResult>('kronecker.js', name, args.epochs ?? '5', ...files);
    console.log(
      name,
      result.rows
        .map(({ share, error, build }) => `${(100 * share).toPrecision(3)} %: ${error} (${build} s)`)
        .join(', '),
      'peak MB',
      Math.round(result.peakBytes / 1e6),
    );
    return result;
  },
  make: makeKroneckerTable,
  write: writeKroneckerTable,
});

measureKind({
  record: 'preconditioners',
  cases: PRECONDITIONER_CASES,
  measure({ name }) {
    const result = resultOf<PreconditionerResult>(
      'preconditioners.js',
      name,
      args.size ?? '0',
      args.samples ?? '0',
      args.epochs ?? '5',
      ...files,
    );
    const { memory, seconds } = result.record;
    console.log(name, 'peak MB', Math.round(memory.peakBytes / 1e6), 'in', Math.round(seconds.total), 's');
    return result;
  },
  make: makePreconditionerTables,
  write: writePreconditionerTables,
});

measureKind({
  record: 'training',
  cases: TRAINING_CASES,
  measure({ name }) {
    const begin = performance.now();
    const result = resultOf<TrainingResult>('training.js', name, args.data, ...(args.quick ? ['quick'] : []));
    console.log(name, 'in', Math.round((performance.now() - begin) / 1000), 's');
    return result;
  },
  make: makeTrainingTables,
  write: writeTrainingTables,
});

measureKind({
  record: 'scaling',
  cases: SCALING_CASES.filter(({ quick }) => !args.quick || quick),
  measure({ name }) {
    const result = resultOf<ScalingResult | Skipped>('scaling.js', name);
    if ('skipped' in result) {
      console.log(name, 'is skipped:', result.skipped);
      return undefined;
    }
    console.log(name, JSON.stringify(result.seconds), 'peak MB', Math.round(result.peaks.solve / 1e6));
    return result;
  },
  make: makeScalingTable,
  write: writeScalingTable,
});

// Counted, not timed: one run is enough.
measureKind({
  record: 'graph',
  cases: GRAPH_CASES,
  measure: ({ name }) => resultOf<GraphResult>('graph.js', name),
  make: makeGraphTable,
  write: writeGraphTable,
});

// How often stated intervals hold the truth: counted, so that one run is enough.
measureKind({
  record: 'coverage',
  cases: COVERAGE_CASES,
  measure({ name }) {
    const result = resultOf<CoverageResult>('coverage.js', name);
    const { truth, below, above, halfWidth } = result;
    console.log(
      name.padEnd(64),
      `${(100 * result.coverage).toFixed(1)} %`,
      'truth',
      truth,
      'missed below',
      below,
      'above',
      above,
      '±',
      `${(100 * halfWidth).toPrecision(2)} %`,
    );
    return result;
  },
});

// Error over tolerance where ranks are free.
const QUICK_SIZE = 4096;
measureKind({
  record: 'tolerance',
  cases: TOLERANCE_CASES.filter(({ size }) => !(args.quick && size > QUICK_SIZE)),
  measure({ name }) {
    const seeds = String(args.quick ? 1 : TOLERANCE_SEEDS);
    const result = resultOf<ToleranceResult>('tolerance.js', name, args.seed, seeds);
    console.log(
      name.padEnd(80),
      result.runs
        .map(({ upper, limited, met, wrong }) => {
          const said = wrong === 'no' ? (met ? '' : ' missed') : ` wrongly ${wrong}`;
          return `${upper}${limited ? ' (rank limit)' : ''}${said}`;
        })
        .join(', '),
    );
    return result;
  },
  make: toleranceSummary,
  write(results) {
    console.log(toleranceSummary(results));
    writeToleranceTable(results);
  },
});

// Chosen leaf sizes and ranks beside the best of a grid.
measureKind({
  record: 'leaf',
  cases: LEAF_CASES,
  measure({ name }) {
    const result = resultOf<LeafResult>('leaf.js', name, ...files.slice(0, 1));
    console.log(`${name}: ${leafSummary([result])}`);
    return result;
  },
  make: leafSummary,
  write: writeLeafTable,
});

// Passes of networks of layers beside multiplications of matrices.
measureKind({
  record: 'tape',
  cases: TAPE_CASES,
  measure({ name }) {
    const result = resultOf<TapeResult>('tape.js', name);
    console.log(makeTapeTable([result]));
    return result;
  },
  make: makeTapeTable,
  write: writeTapeTable,
});

// What `auto` takes beside the best of a grid, which is found once.
const CHOOSE_BESIDE = 3;
const CHOOSE_COLD = 4;
measureKind({
  record: 'choose',
  cases: CHOOSE_CASES,
  measure({ name }): ChooseMeasured {
    const kept = args.grid ? [] : (resultsOf<ChooseMeasured>('choose').find((one) => one.name === name)?.grid ?? []);
    const sorted = kept.filter(({ outcome }) => outcome === 'converged').sort((a, b) => a.seconds - b.seconds);
    // Cholesky ran first, when nothing was warm.
    const fastest = sorted.filter(
      ({ candidate, seconds }, k) =>
        k < CHOOSE_BESIDE || (candidate === 'cholesky' && seconds < CHOOSE_COLD * sorted[0].seconds),
    );
    const result = resultOf<ChooseResult>('choose.js', name, ...fastest.map(({ candidate }) => candidate));
    const measured = { ...result, grid: fastest.length === 0 ? result.grid : kept, beside: result.grid };
    const best = bestOf(measured.beside);
    const { seconds, outcome, chose } = measured.auto;
    console.log(
      name.padEnd(64),
      best === undefined ? 'nothing converged' : `${best.candidate} ${best.seconds} s`,
      `auto ${chose} ${outcome} ${seconds} s`,
      ratioOf(measured)?.toFixed(2) ?? '',
    );
    return measured;
  },
  make: chooseSummary,
  write: writeChooseTable,
});

// Files and the browser, by scripts that keep their own records; what is not asked for by name may be skipped.
for (const { name, lacks } of SCRIPT_CASES.filter((one) => chosen.has(one.name))) {
  const lacking = lacks?.();
  if (lacking === undefined) process.stdout.write(outputOf(`${name}.js`, args.write ? ['--write'] : []));
  else if (args.only === undefined) console.log(`${name} is skipped: ${lacking}`);
  else refuse(lacking);
}

if (args.write) await writeBenchmarkPage();
