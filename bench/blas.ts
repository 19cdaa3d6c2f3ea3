/**
 * Dense routines through the contract at the sizes of leaves and skeletons: GFLOP/s of the system library and of the
 * portable backend, and gemm once more called directly through koffi with precomputed addresses, which is the most the
 * contract can reach. One thread. Medians of the samples of the `benchmark` package, over rounds in which the
 * competitors take turns. Run: node dist/bench/blas.js [seconds per measurement, default 0.3]
 */
import { pathToFileURL } from 'node:url';
import Benchmark from 'benchmark';
import koffi from 'koffi';
import { RandomStream } from '../src/core/random.js';
import { describeSearch, openBlas } from '../src/dense/backend.js';
import type { Blas } from '../src/dense/blas.js';
import { view } from '../src/dense/matrix.js';
import type { FloatArray, Matrix, Precision } from '../src/dense/matrix.js';
import { median } from '../src/core/median.js';
import { rounded, writeRecord } from './record.js';

const SIZES = [64, 128, 256, 512];
const ROUNDS = 5;

/** One routine at one size: what to run, and the floating-point operations it is credited with. */
interface Task {
  readonly flops: number;
  run(blas: Blas): void;
}

interface Operands {
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: Matrix;
  readonly spd: Matrix;
  readonly triangle: Matrix;
  readonly work: Matrix;
  readonly x: Matrix;
  readonly y: Matrix;
  readonly vector: FloatArray;
  readonly pivots: Int32Array;
}

function operands(n: number, precision: Precision): Operands {
  const random = new RandomStream(n);
  const array = (length: number): FloatArray =>
    precision === 'f64'
      ? new Float64Array(new SharedArrayBuffer(8 * length))
      : new Float32Array(new SharedArrayBuffer(4 * length));
  const square = (value: (i: number, j: number) => number): Matrix => {
    const data = array(n * n);
    for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) data[i + j * n] = value(i, j);
    return view(data, 0, n, n);
  };
  const normal = (): number => random.normal();
  const column = (): Matrix => view(array(n).fill(0.5), 0, n, 1);
  return {
    a: square(normal),
    b: square(normal),
    c: square(normal),
    work: square(normal),
    // Diagonally dominant, so that factors exist and solutions stay of size one.
    spd: square((i, j) => (i === j ? n + 1 : Math.cos(i - j))),
    triangle: square((i, j) => (i === j ? 2 : normal() / n)),
    x: column(),
    y: column(),
    vector: array(n),
    pivots: new Int32Array(n),
  };
}

/** In-place routines restore their input first; the copy of n² numbers is part of the time. */
function tasks(n: number, o: Operands): Record<string, Task> {
  const restore = (from: Matrix): Matrix => {
    o.work.data.set(from.data as never);
    return o.work;
  };
  const cube = n ** 3;
  return {
    gemm: { flops: 2 * cube, run: (blas) => blas.gemm('N', 'N', 1, o.a, o.b, 0, o.c) },
    'gemm TN': { flops: 2 * cube, run: (blas) => blas.gemm('T', 'N', 1, o.a, o.b, 0, o.c) },
    gemv: { flops: 2 * n * n, run: (blas) => blas.gemv('N', 1, o.a, o.x, 0, o.y) },
    'gemv T': { flops: 2 * n * n, run: (blas) => blas.gemv('T', 1, o.a, o.x, 0, o.y) },
    symv: { flops: 2 * n * n, run: (blas) => blas.symv('L', 1, o.spd, o.x, 0, o.y) },
    symm: { flops: 2 * cube, run: (blas) => blas.symm('L', 'L', 1, o.spd, o.b, 0, o.c) },
    syrk: { flops: cube, run: (blas) => blas.syrk('L', 'N', 1, o.a, 0, o.c) },
    trsm: { flops: cube, run: (blas) => blas.trsm('L', 'L', 'N', 'N', 1, o.triangle, restore(o.b)) },
    trmm: { flops: cube, run: (blas) => blas.trmm('L', 'L', 'N', 'N', 1, o.triangle, restore(o.b)) },
    potrf: { flops: cube / 3, run: (blas) => blas.potrf('L', restore(o.spd)) },
    geqrf: { flops: (4 / 3) * cube, run: (blas) => blas.geqrf(restore(o.a), o.vector) },
    geqp3: { flops: (4 / 3) * cube, run: (blas) => blas.geqp3(restore(o.a), o.pivots, o.vector) },
    getrf: { flops: (2 / 3) * cube, run: (blas) => blas.getrf(restore(o.a), o.pivots) },
  };
}

/** A routine's rate. */
export interface BlasRow {
  readonly routine: string;
  readonly precision: Precision;
  readonly size: number;
  readonly via: string;
  readonly microseconds: number;
  readonly gflops: number;
}

/** What blas.json holds, besides how it was measured. */
export interface BlasRecord {
  readonly rows: readonly BlasRow[];
}

/** gemm of the library itself, addresses computed beforehand. */
function directGemm(library: string, n: number, precision: Precision, o: Operands): () => void {
  const scalar = precision === 'f64' ? 'double' : 'float';
  const name = precision === 'f64' ? 'cblas_dgemm' : 'cblas_sgemm';
  const gemm = koffi
    .load(library)
    .func(name, 'void', [
      'int',
      'int',
      'int',
      'int',
      'int',
      'int',
      scalar,
      'int64',
      'int',
      'int64',
      'int',
      scalar,
      'int64',
      'int',
    ]);
  const [a, b, c] = [o.a, o.b, o.c].map((matrix) => Number(koffi.address(matrix.data)));
  return () => {
    gemm(102, 111, 111, n, n, n, 1, a, n, b, n, 0, c, n);
  };
}

/**
 * Median seconds per call of each competitor; they take turns, so that a change of the machine's pace meets all of
 * them.
 */
function measure(competitors: ReadonlyMap<string, () => void>, seconds: number): Map<string, number> {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of competitors) {
      const benchmark = new Benchmark(name, run, {
        maxTime: seconds / ROUNDS,
        minSamples: 3,
        minTime: 0.01,
        initCount: 1,
      });
      benchmark.run({ async: false });
      // The declared type of `error` hides that it is absent after success.
      const failure = benchmark.error as Error | undefined;
      if (failure !== undefined) throw failure;
      samples.set(name, [...(samples.get(name) ?? []), ...benchmark.stats.sample]);
    }
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]));
}

/**
 * Rate of `run` as a share of the rate of `reference`: the median over pairs of short batches run one right after the
 * other, so that whatever else the machine does weighs on both alike.
 */
function shareOf(run: () => void, reference: () => void): number {
  const batch = (task: () => void, count: number): number => {
    const start = performance.now();
    for (let i = 0; i < count; i++) task();
    return performance.now() - start;
  };
  const count = Math.max(1, Math.round(2 / (batch(reference, 3) / 3)));
  const shares: number[] = [];
  for (let pair = 0; pair < 60; pair++) {
    // Alternate which goes first.
    const first = pair % 2 === 0 ? batch(reference, count) : batch(run, count);
    const second = pair % 2 === 0 ? batch(run, count) : batch(reference, count);
    shares.push(pair % 2 === 0 ? first / second : second / first);
  }
  return median(shares);
}

/**
 * The files that HMATRIX_BLAS names, else those of the first usable candidate; undefined for the portable backend
 * alone.
 */
function systemLibraries(): readonly string[] | undefined {
  const chosen = process.env['HMATRIX_BLAS'] ?? '';
  if (chosen === 'portable') return undefined;
  const usable = describeSearch().filter((outcome) => outcome.usable);
  if (chosen === '') return usable[0]?.libraries;
  return usable.find((outcome) => outcome.candidate === chosen.toLowerCase())?.libraries ?? chosen.split(',');
}

/** Measures everything and prints a table; with `write`, bench/results/blas.json is written. */
export function measureBlas(seconds: number, write: boolean): void {
  const libraries = systemLibraries();
  const backends = new Map<string, Blas>();
  if (libraries !== undefined) backends.set('system', openBlas(libraries.join(',')));
  backends.set('portable', openBlas('portable'));
  const rows: BlasRow[] = [];
  const share: { precision: Precision; size: number; contractOverDirect: number }[] = [];
  for (const precision of ['f64', 'f32'] as const) {
    for (const size of SIZES) {
      const o = operands(size, precision);
      for (const [routine, task] of Object.entries(tasks(size, o))) {
        if (precision === 'f32' && !['gemm', 'potrf', 'geqp3'].includes(routine)) continue;
        const competitors = new Map<string, () => void>(
          [...backends].map(([name, blas]) => [name, () => task.run(blas)]),
        );
        const contract = competitors.get('system');
        if (routine === 'gemm' && libraries !== undefined && contract !== undefined) {
          const direct = directGemm(libraries[0], size, precision, o);
          competitors.set('direct', direct);
          share.push({ precision, size, contractOverDirect: rounded(shareOf(contract, direct)) });
        }
        for (const [via, time] of measure(competitors, seconds)) {
          const row = {
            routine,
            precision,
            size,
            via,
            microseconds: rounded(1e6 * time),
            gflops: rounded((1e-9 * task.flops) / time),
          };
          rows.push(row);
          console.log(
            `${precision} ${routine.padEnd(8)} ${String(size).padStart(4)} ${via.padEnd(9)} ` +
              `${row.gflops.toFixed(2).padStart(8)} GFLOP/s ${row.microseconds.toFixed(2).padStart(10)} µs`,
          );
        }
      }
    }
  }
  const record = {
    backends: Object.fromEntries([...backends].map(([name, blas]) => [name, blas.description])),
    threads: 1,
    gemmShareOfDirect: share,
    rows,
  };
  console.log(
    'gemm through the contract, as a share of the direct call: ' +
      share
        .map((entry) => `${entry.precision} ${entry.size}: ${(100 * entry.contractOverDirect).toFixed(1)} %`)
        .join(', '),
  );
  if (write) console.log(writeRecord('blas', record));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [seconds = '0.3', ...others] = process.argv.slice(2).filter((argument) => argument !== '--write');
  if (others.length > 0 || !(Number(seconds) > 0)) {
    throw new RangeError(`One number of seconds > 0 and --write are taken, not ${process.argv.slice(2).join(' ')}.`);
  }
  measureBlas(Number(seconds), process.argv.includes('--write'));
}
