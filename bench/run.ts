/**
 * `npm run bench [-- --only TEXT] [--write] [--images FILE] [--labels FILE]`: every case in a process of its own, or
 * those that have TEXT in their name or in their label in the tables of docs/benchmarks.md. Results are printed;
 * `--write` puts them into bench/results (compression.json of bench/cases.ts, factorization.json, hessian.json,
 * preconditioners.json, training.json, scaling.json, graph.json: critical paths of task graphs, coverage.json: how
 * often stated intervals hold, tolerance.json: whether asked tolerances are kept, choose.json: what `auto` takes beside
 * the best of a grid) and into the tables of docs/benchmarks.md, which are made from those.
 * Training takes `--data DIR` (default ../shared/data, with mnist/) and `--quick`, which also leaves out large sizes.
 * `--samples` and `--epochs` try the networks on less, `--size` the matrices of preconditioners; such results, and
 * quick ones, are not written. Tolerances take `--seed`, the first of five, and `--quick`, one seed of the small
 * matrices. Choices run their grid where none is kept, or with `--grid`; else the best of it again.
 */
import { readFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
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
import { median } from '../src/experiment/dgemm-rate.js';
import type { GraphResult } from './graph.js';
import { GRAPH_CASES } from './graph-cases.js';
import { makeGraphTable, writeGraphTable } from './graph-table.js';
import type { HessianResult } from './hessian.js';
import { HESSIAN_CASES } from './hessian-cases.js';
import { writeHessianTables } from './hessian-table.js';
import { choose } from './labels.js';
import { outputOf } from './measured.js';
import type { PreconditionerResult } from './preconditioners.js';
import { PRECONDITIONER_CASES } from './preconditioners-cases.js';
import { makePreconditionerTables, writePreconditionerTables } from './preconditioners-table.js';
import { rounded, writeRecord } from './record.js';
import { SCALING_CASES } from './scaling-cases.js';
import { makeScalingTable, writeScalingTable } from './scaling-table.js';
import type { ScalingResult, Skipped } from './scaling.js';
import { writeTable, type CaseResult } from './table.js';
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

const pathOf = (name: string): string => fileURLToPath(new URL(`../../bench/results/${name}.json`, import.meta.url));

/** What was measured before, by name. */
function earlier<R extends { readonly name: string }>(name: string): Map<string, R> {
  const results = existsSync(pathOf(name))
    ? (JSON.parse(readFileSync(pathOf(name), 'utf8')) as { results: R[] }).results
    : [];
  return new Map(results.map((result) => [result.name, result]));
}

const chosen = orRefuse(() => choose(args.only));
const isChosen = ({ name }: { readonly name: string }): boolean => chosen.has(name);

/** Keeps what is measured, where that is asked for. */
function keep(name: string, results: readonly unknown[]): void {
  if (args.write) writeRecord(name, { results });
}

const compressions = CASES.filter(isChosen);
const results = earlier<CaseResult>('compression');
for (const { name, input } of compressions) {
  // A quarter of a million rows are run once.
  const result = measure(name, input.size > 100_000 ? 0 : Number(args.repeats));
  results.set(name, result);
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
  keep(
    'compression',
    CASES.flatMap((c) => results.get(c.name) ?? []),
  );
}
if (args.write && compressions.length > 0) writeTable([...results.values()]);

const factorizations = FACTORIZATION_CASES.filter(isChosen);
const factored = earlier<FactorizationResult>('factorization');
for (const { name } of factorizations) {
  const output = outputOf('factorization.js', [name, args.repeats]);
  const result = JSON.parse(output) as FactorizationResult;
  factored.set(name, result);
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
  keep(
    'factorization',
    FACTORIZATION_CASES.flatMap((one) => factored.get(one.name) ?? []),
  );
}
if (args.write && factorizations.length > 0) writeFactorizationTable([...factored.values()]);

/** The table of one network, with rates of entries. */
function hessian(name: string): HessianResult {
  const files = args.images === undefined ? [] : [args.images, ...(args.labels === undefined ? [] : [args.labels])];
  const output = outputOf('hessian.js', [name, args.samples ?? '1000', args.epochs ?? '5', ...files]);
  return JSON.parse(output) as HessianResult;
}

const networks = HESSIAN_CASES.filter(isChosen);
const tables = earlier<HessianResult>('hessian');
for (const { name } of networks) {
  const result = hessian(name);
  tables.set(name, result);
  const { rows, memory, seconds } = result.table;
  console.log(
    name,
    rows
      .map(
        ({ method, share, error, seconds: { build } }) =>
          `${method} ${(100 * share).toPrecision(3)} %: ${error.relative.toExponential(1)} (${build.toPrecision(2)} s)`,
      )
      .join(', '),
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
  keep(
    'hessian',
    HESSIAN_CASES.flatMap((c) => tables.get(c.name) ?? []),
  );
}
if (args.write && networks.length > 0) writeHessianTables(HESSIAN_CASES.flatMap((c) => tables.get(c.name) ?? []));

const compared = PRECONDITIONER_CASES.filter(isChosen);
const preconditioners = args.write
  ? earlier<PreconditionerResult>('preconditioners')
  : new Map<string, PreconditionerResult>();
for (const { name } of compared) {
  const files = args.images === undefined ? [] : [args.images, ...(args.labels === undefined ? [] : [args.labels])];
  const output = outputOf('preconditioners.js', [
    name,
    args.size ?? '0',
    args.samples ?? '0',
    args.epochs ?? '5',
    ...files,
  ]);
  const result = JSON.parse(output) as PreconditionerResult;
  preconditioners.set(name, result);
  console.log(
    name,
    'peak MB',
    Math.round(result.record.memory.peakBytes / 1e6),
    'in',
    Math.round(result.record.seconds.total),
    's',
  );
  keep(
    'preconditioners',
    PRECONDITIONER_CASES.flatMap((one) => preconditioners.get(one.name) ?? []),
  );
}
if (compared.length > 0) {
  const all = PRECONDITIONER_CASES.flatMap((one) => preconditioners.get(one.name) ?? []);
  if (args.write) writePreconditionerTables(all);
  else console.log(makePreconditionerTables(all));
}

const trained = TRAINING_CASES.filter(isChosen);
const trainings = args.write ? earlier<TrainingResult>('training') : new Map<string, TrainingResult>();
for (const { name } of trained) {
  const begin = performance.now();
  const output = outputOf('training.js', [name, args.data, ...(args.quick ? ['quick'] : [])]);
  trainings.set(name, JSON.parse(output) as TrainingResult);
  console.log(name, 'in', Math.round((performance.now() - begin) / 1000), 's');
  keep(
    'training',
    TRAINING_CASES.flatMap((one) => trainings.get(one.name) ?? []),
  );
}
if (trained.length > 0) {
  const all = TRAINING_CASES.flatMap((one) => trainings.get(one.name) ?? []);
  if (args.write) writeTrainingTables(all);
  else console.log(makeTrainingTables(all));
}

const grown = SCALING_CASES.filter((one) => isChosen(one) && (!args.quick || one.quick));
const scalings = args.write ? earlier<ScalingResult>('scaling') : new Map<string, ScalingResult>();
for (const { name } of grown) {
  const result = JSON.parse(outputOf('scaling.js', [name])) as ScalingResult | Skipped;
  if ('skipped' in result) {
    console.log(name, 'is skipped:', result.skipped);
    continue;
  }
  scalings.set(name, result);
  console.log(name, JSON.stringify(result.seconds), 'peak MB', Math.round(result.peaks.solve / 1e6));
  keep(
    'scaling',
    SCALING_CASES.flatMap((one) => scalings.get(one.name) ?? []),
  );
}
if (grown.length > 0) {
  const all = SCALING_CASES.flatMap((one) => scalings.get(one.name) ?? []);
  if (args.write) writeScalingTable(all);
  else console.log(makeScalingTable(all));
}

/** Counted, not timed: one run is enough. */
const weighed = GRAPH_CASES.filter(isChosen);
const graphs = args.write ? earlier<GraphResult>('graph') : new Map<string, GraphResult>();
for (const { name } of weighed) {
  graphs.set(name, JSON.parse(outputOf('graph.js', [name])) as GraphResult);
  keep(
    'graph',
    GRAPH_CASES.flatMap((one) => graphs.get(one.name) ?? []),
  );
}
if (weighed.length > 0) {
  if (args.write) writeGraphTable([...graphs.values()]);
  else console.log(makeGraphTable([...graphs.values()]));
}

/** How often stated intervals hold the truth: counted, so that one run is enough. */
const covered = COVERAGE_CASES.filter(isChosen);
const coverage = earlier<CoverageResult>('coverage');
for (const { name } of covered) {
  const output = outputOf('coverage.js', [name]);
  const result = JSON.parse(output) as CoverageResult;
  coverage.set(name, result);
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
  keep(
    'coverage',
    COVERAGE_CASES.flatMap((one) => coverage.get(one.name) ?? []),
  );
}

/** Error over tolerance where ranks are free. */
const QUICK_SIZE = 4096;
const promised = TOLERANCE_CASES.filter((one) => isChosen(one) && !(args.quick && one.size > QUICK_SIZE));
const tolerances = args.write ? earlier<ToleranceResult>('tolerance') : new Map<string, ToleranceResult>();
for (const { name } of promised) {
  const output = outputOf('tolerance.js', [name, args.seed, String(args.quick ? 1 : TOLERANCE_SEEDS)]);
  const result = JSON.parse(output) as ToleranceResult;
  tolerances.set(name, result);
  console.log(
    name.padEnd(80),
    result.runs
      .map(({ upper, limited, met, wrong }) => {
        const said = wrong === 'no' ? (met ? '' : ' missed') : ` wrongly ${wrong}`;
        return `${upper}${limited ? ' (rank limit)' : ''}${said}`;
      })
      .join(', '),
  );
  keep(
    'tolerance',
    TOLERANCE_CASES.flatMap((one) => tolerances.get(one.name) ?? []),
  );
}
if (promised.length > 0) {
  const all = TOLERANCE_CASES.flatMap((one) => tolerances.get(one.name) ?? []);
  console.log(toleranceSummary(all));
  if (args.write) writeToleranceTable(all);
}

/** What `auto` takes beside the best of a grid, which is found once. */
const CHOOSE_BESIDE = 3;
const CHOOSE_COLD = 4;
const systems = CHOOSE_CASES.filter(isChosen);
const choices = earlier<ChooseMeasured>('choose');
for (const { name } of systems) {
  const kept = args.grid ? undefined : choices.get(name)?.grid;
  const converged = (kept ?? []).filter(({ outcome }) => outcome === 'converged');
  const sorted = converged.sort((a, b) => a.seconds - b.seconds);
  // Cholesky ran first, when nothing was warm.
  const fastest = sorted.filter(
    ({ candidate, seconds }, k) =>
      k < CHOOSE_BESIDE || (candidate === 'cholesky' && seconds < CHOOSE_COLD * sorted[0].seconds),
  );
  const output = outputOf('choose.js', [name, ...fastest.map(({ candidate }) => candidate)]);
  const result = JSON.parse(output) as ChooseResult;
  const measured = { ...result, grid: fastest.length === 0 ? result.grid : kept!, beside: result.grid };
  choices.set(name, measured);
  const best = bestOf(measured.beside);
  const { seconds, outcome, chose } = measured.auto;
  console.log(
    name.padEnd(64),
    best === undefined ? 'nothing converged' : `${best.candidate} ${best.seconds} s`,
    `auto ${chose} ${outcome} ${seconds} s`,
    ratioOf(measured)?.toFixed(2) ?? '',
  );
  keep(
    'choose',
    CHOOSE_CASES.flatMap((one) => choices.get(one.name) ?? []),
  );
}
if (systems.length > 0) {
  const all = CHOOSE_CASES.flatMap((one) => choices.get(one.name) ?? []);
  console.log(chooseSummary(all));
  if (args.write) writeChooseTable(all);
}
