/**
 * Ranks that share a matrix out: `node dist/bench/matrix-ranks.js [--write] [--size N]` compresses, multiplies, factors
 * and solves as one process of two workers, and as two and four ranks of one worker each under mpirun. Four ranks on
 * two cores tell memory, not time. Ranks have their own points, and their own rows of vectors, but for the products
 * whose results are whole on every rank. The ways take turns, each time from the start, and medians count. The digests
 * of products and solutions must agree.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { normalPoints, uniformPoints } from '../datasets/points.js';
import { median } from '../src/core/median.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import { view, type Matrix } from '../src/dense/matrix.js';
import { openMpi } from '../src/distributed/open-mpi.js';
import { ownPortion } from '../src/distributed/portion.js';
import { factor } from '../src/hierarchical/factor/factor.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import { peakMemory } from '../src/io/machine.js';
import { Team } from '../src/parallel/team.js';
import { partitionedKernelSource } from '../src/source/partitioned-kernel.js';
import { copyPoints } from '../src/source/points.js';
import { gaussian, matern32 } from '../src/source/kernels/named.js';
import { REFERENCES } from './cases.js';
import { rounded, writeRecord } from './record.js';
import { replaceSection } from './section.js';

const VECTORS = 64;
const TURNS = 5;
/** Runs of each way, in turns with the others. */
const ROUNDS = 3;

const CASES = {
  'Matérn 3/2, h = 0.1, 2-D, tolerance 1e-4': {
    points: (size: number) => uniformPoints(size, 2, 1),
    kernel: matern32(0.1),
    options: { tolerance: 1e-4, leafSize: 256, maxRank: 256 },
    shift: 1,
  },
  'Gaussian, h = 1, 6-D, tolerance 1e-2': {
    points: (size: number) => uniformPoints(size, 6, 1),
    kernel: gaussian(1),
    options: { tolerance: 1e-2, leafSize: 256, maxRank: 256 },
    shift: 100,
  },
  'Gaussian, h = 2, 6-D normal points, N = 16,384, tolerance 1e-5': {
    size: 16_384,
    points: (size: number) => normalPoints(size, 6, 1),
    kernel: gaussian(2),
    options: { tolerance: 1e-5, leafSize: 256, maxRank: 256 },
    shift: 100,
    reference: 'gaussian-16384-h2-b0-p64',
  },
} as const;
type CaseName = keyof typeof CASES;

/** Seconds of each work, the largest of all ranks; bytes of the process that has most, and of the blocks of a rank. */
interface Measured {
  readonly compress: number;
  readonly product: number;
  readonly products: number;
  /** 64 products whose results are whole on every rank. */
  readonly gathered: number;
  readonly factor: number;
  readonly solves: number;
  readonly peakBytes: number;
  readonly error: number;
  readonly bits: string;
}
type Timed = 'compress' | 'product' | 'products' | 'gathered' | 'factor' | 'solves';
const WORKS: readonly Timed[] = ['compress', 'product', 'products', 'gathered', 'factor', 'solves'];

interface Result extends Measured {
  readonly how: string;
  readonly case: string;
  readonly size: number;
}

const { values: args } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    size: { type: 'string', default: '262144' },
    measure: { type: 'string' },
    workers: { type: 'string', default: '1' },
  },
});
/** Indices of a case: its own number, or what was asked for. */
const sizeOf = (name: CaseName): number => {
  const one = CASES[name];
  return 'size' in one ? one.size : Number(args.size);
};

/** One case on this rank; the first one prints. */
async function measure(name: CaseName): Promise<void> {
  const world = await openMpi();
  const team = await Team.open({ workers: Number(args.workers), communicator: world });
  const { points, kernel, options, shift } = CASES[name];
  const size = sizeOf(name);
  const own = copyPoints(points(size), ownPortion(world, size));
  const source = await partitionedKernelSource(own, kernel, { blas: team.blas }, { team });
  const timed = async <T>(work: () => T | Promise<T>): Promise<{ seconds: number; value: T }> => {
    world.barrier();
    const began = performance.now();
    const value = await work();
    return { seconds: (performance.now() - began) / 1000, value };
  };
  const compressed = await timed(() => compress(source, options, { team }));
  const matrix = compressed.value;
  const vectors = (rows: number): Matrix => view(sharedFloat64(rows * VECTORS), 0, rows, VECTORS);
  const one = (a: Matrix): Matrix => view(a.data, 0, a.rows, 1);
  const repeated = async (work: () => unknown): Promise<number> => {
    const seconds: number[] = [];
    for (let turn = 0; turn <= TURNS; turn++) seconds.push((await timed(work)).seconds);
    return median(seconds.slice(1));
  };
  const { own: indices } = matrix;
  const [x, y] = [vectors(indices.length), vectors(indices.length)];
  for (let j = 0; j < VECTORS; j++) indices.forEach((i, r) => (x.data[r + j * x.ld] = Math.sin(1.7 * (i + j * size))));
  // A process alone has all rows, and no other order to put them in.
  const isAlone = world.size === 1;
  const apply = (from: Matrix, to: Matrix): Matrix => (isAlone ? matrix.apply(from, to) : matrix.applyOwn(from, to));
  const products = await repeated(() => apply(x, y));
  const product = await repeated(() => apply(one(x), one(y)));
  const factored = await timed(() => factor(matrix, { shift }, { team }));
  const factors = factored.value;
  const solves = await repeated(() => (isAlone ? factors.solve(x, y) : factors.solveOwn(x, y)));
  // Before vectors that are whole on every rank.
  const peak = peakMemory();
  const whole = [vectors(size), vectors(size)];
  for (let k = 0; k < whole[0].data.length; k++) whole[0].data[k] = Math.sin(1.7 * k);
  const gathered = await repeated(() => matrix.apply(whole[0], whole[1]));
  const hash = createHash('sha1').update(whole[1].data);
  hash.update(factors.solve(whole[0], whole[1]).data);
  const { relative } = await matrix.estimateError(source, { columns: 64 });
  const found = { compress: compressed.seconds, product, products, gathered, factor: factored.seconds, solves };
  const most = Float64Array.of(...WORKS.map((work) => found[work]), peak);
  world.allreduce(most, 'max');
  const told: Measured = {
    ...(Object.fromEntries(WORKS.map((work, k) => [work, rounded(most[k])])) as unknown as Record<Timed, number>),
    peakBytes: most[WORKS.length],
    error: rounded(relative),
    bits: hash.digest('hex'),
  };
  if (world.rank === 0) console.log(JSON.stringify(told));
  await team.close();
  world.close();
}

const MPIRUN = ['mpirun.openmpi', '--allow-run-as-root', '--oversubscribe', '-n'];
const WAYS: readonly (readonly [string, readonly string[], number])[] = [
  ['1 process of 2 workers', [], 2],
  ['2 ranks of 1 worker', [...MPIRUN, '2'], 1],
  ['4 ranks of 1 worker', [...MPIRUN, '4'], 1],
];

function resultOf(name: CaseName, [how, launcher, workers]: (typeof WAYS)[number]): Result {
  const own = [fileURLToPath(import.meta.url), '--measure', name, '--size', args.size, '--workers', String(workers)];
  const [file, ...rest] = [...launcher, process.execPath, ...own];
  const told = execFileSync(file, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return { how, case: name, size: sizeOf(name), ...(JSON.parse(told) as Measured) };
}

/** Median times of a way's runs, and the most memory. */
const medianOf = (runs: readonly Result[]): Result => ({
  ...runs[0],
  ...(Object.fromEntries(WORKS.map((work) => [work, median(runs.map((one) => one[work]))])) as Record<Timed, number>),
  peakBytes: Math.max(...runs.map(({ peakBytes }) => peakBytes)),
});

/** GOFMM's own figures of a case (cases.ts), where there are some. */
function referenceRow(alone: Result): string[] {
  const one = CASES[alone.case as CaseName];
  if (!('reference' in one)) return [];
  const { neighbors = 0, skeletonization = 0, apply, error = 0, memoryGigabytes = 0 } = REFERENCES[one.reference];
  const share = (seconds: number, work: Timed): string =>
    `${seconds.toPrecision(3)} (${(alone[work] / seconds).toFixed(2)})`;
  return [
    `| GOFMM, 2 threads | ${share(neighbors + skeletonization, 'compress')} | | ${share(apply, 'products')} | | | | ` +
      `${1000 * memoryGigabytes} | ${error.toExponential(1)} |`,
  ];
}

/** The table of docs/benchmarks.md: in parentheses the speed of one process, as a share of its own. */
function table(results: readonly Result[]): string {
  const alone = (of: Result): Result => results.find((one) => one.case === of.case)!;
  const cell = (of: Result, work: Timed): string =>
    `${of[work].toPrecision(3)}${of === alone(of) ? '' : ` (${(alone(of)[work] / of[work]).toFixed(2)})`}`;
  return [
    '| | compress, s | product | 64 products | 64, whole | factor | 64 solutions | peak of a rank, MB | ε_F |',
    '|---|---|---|---|---|---|---|---|---|',
    ...results.flatMap((one) => [
      `| ${one === alone(one) ? `${one.case}: ` : ''}${one.how} | ` +
        `${WORKS.map((work) => cell(one, work)).join(' | ')} | ` +
        `${(one.peakBytes / 1e6).toFixed(0)}` +
        `${one === alone(one) ? '' : ` (${(one.peakBytes / alone(one).peakBytes).toFixed(2)})`} | ` +
        `${one.error.toExponential(1)} |`,
      ...(one === alone(one) ? referenceRow(one) : []),
    ]),
  ].join('\n');
}

if (args.measure !== undefined) await measure(args.measure as CaseName);
else {
  const results: Result[] = [];
  for (const name of Object.keys(CASES) as CaseName[]) {
    const runs = Array.from({ length: ROUNDS }, () =>
      WAYS.map((way) => {
        const result = resultOf(name, way);
        console.log(JSON.stringify(result));
        return result;
      }),
    );
    if (new Set(runs.flat().map(({ bits }) => bits)).size > 1) throw new Error(`${name}: the bits differ.`);
    results.push(...WAYS.map((_, w) => medianOf(runs.map((round) => round[w]))));
  }
  if (args.write) {
    console.log(writeRecord('matrix-ranks', { results }));
    replaceSection('matrix-ranks', table(results));
  }
}
