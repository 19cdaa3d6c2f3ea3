/**
 * `node dist/bench/device.js STEP [--smoke]`: a step of the measurement of a card, as bench/device.sh runs them, each
 * in a process of its own. Prints a line of JSON for each result; ends with status 1 where a result is wrong.
 *
 *   describe    what there is;
 *   checks      launches of every kind beside the team's;
 *   rates       how fast the card copies, and cuBLAS multiplies: what the rest is held against;
 *   gemms       products of large blocks, a large triangle, and leaves with many vectors, by kernels of our own and by
 *               cuBLAS;
 *   factors     factorizations of a large triangle by panels of our own and by cuSOLVER, and what fails in them;
 *   work        factorizations, substitutions and products of many blocks;
 *   apply N     products with a hierarchical matrix of N points, by 1, 64 and 512 vectors; its blocks sent, and
 *               evaluated there;
 *   solve N [FORMAT]   its factorization, and solves; hss or hodlr;
 *   compress N  skeletons of kernel matrices found there, beside the team's;
 *   curvature   loss, gradient and Gauss–Newton products of a deep autoencoder;
 *   training NAME   steps of resnet-18 or transformer;
 *   table       approximations of the Gauss–Newton Hessian of 784-50-784, held against its products there.
 */
import { parseArgs } from 'node:util';
import { uniformPoints } from '../datasets/points.js';
import { floats, NUMBER_BYTES, PRECISIONS, type FloatArray } from '../src/core/floats.js';
import { findCard } from '../src/device/cuda/open.js';
import type { Device, DeviceBuffer, PreparedWork } from '../src/device/device.js';
import { describeDevices, openDevice } from '../src/device/open.js';
import { factor } from '../src/hierarchical/factor/factor.js';
import type { Factorization } from '../src/hierarchical/factor/factorization.js';
import type { DeviceFactorization } from '../src/hierarchical/factor/device/device-factorization.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import type { HierarchicalMatrix } from '../src/hierarchical/matrix/hierarchical-matrix.js';
import type { HierarchicalFormat } from '../src/hierarchical/matrix/format.js';
import { view } from '../src/dense/matrix.js';
import { describeMachine } from '../src/io/machine.js';
import { Team } from '../src/parallel/team.js';
import type { EntrySource } from '../src/source/entry-source.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { matern32 } from '../src/source/kernels/named.js';
import { checks, randomNumbers } from './device-checks.js';
import { compression } from './device-compress.js';
import { factors } from './device-factors.js';
import { gemms } from './device-gemms.js';
import { rates } from './device-rates.js';
import { curvature, training } from './device-networks.js';
import { difference, judge, milliseconds, recording, tell, waited } from './device-results.js';
import { table } from './device-table.js';

const { values: args, positionals } = parseArgs({
  options: { smoke: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const { smoke } = args;
const [step, size = '1000', format = 'hss'] = positionals;
/** Times that what is measured is repeated. */
const TIMES = smoke ? 1 : 10;
/** The order of the product whose rate is the card's. */
const ORDER = smoke ? 64 : 8192;

/** Rows of vectors [x; 0 …] whose column q is (1 + q/width)·x, sent piece by piece. */
function sendScaled(device: Device, vectors: DeviceBuffer, x: FloatArray, width: number): void {
  const rows = Math.max(1, Math.floor(2 ** 20 / width));
  const piece = floats(rows * width, vectors.precision);
  for (let first = 0; first < x.length; first += rows) {
    const count = Math.min(rows, x.length - first);
    for (let i = 0, at = 0; i < count; i++)
      for (let q = 0; q < width; q++) piece[at++] = (1 + q / width) * x[first + i];
    device.write(vectors, piece.subarray(0, count * width), first * width);
  }
}

/** A matrix of n points, a card, and a team for both; they are closed when `work` is done. */
async function withMatrix(
  n: number,
  work: (matrix: HierarchicalMatrix, card: Device, team: Team, source: EntrySource) => Promise<void>,
): Promise<void> {
  const team = await Team.open(smoke ? { workers: 2 } : {});
  const card = await openDevice('cuda');
  const began = performance.now();
  const source = kernelSource(uniformPoints(n, 2, 1), matern32(0.1), { blas: team.blas });
  const options = { tolerance: 1e-4, leafSize: 256, maxRank: 256, format: format as HierarchicalFormat };
  const matrix = await compress(source, options, { team });
  tell({ step, n, format, compressSeconds: (performance.now() - began) / 1000 });
  await work(matrix, card, team, source);
  await card.close();
  await team.close();
}

async function apply(matrix: HierarchicalMatrix, card: Device, _: Team, source: EntrySource): Promise<void> {
  const n = matrix.size;
  const x = randomNumbers(n, 'f64', 3) as Float64Array;
  const onTeam = performance.now();
  const expected = matrix.apply(x);
  const teamMilliseconds = performance.now() - onTeam;
  for (const precision of PRECISIONS) {
    const { device, calls } = recording(card);
    const start = performance.now();
    const onDevice = await matrix.to(device, { precision });
    const sendSeconds = (performance.now() - start) / 1000;
    const evaluated = await matrix.to(card, { precision, source });
    const evaluateSeconds = (performance.now() - start) / 1000 - sendSeconds;
    const error = evaluated.evaluationError!;
    judge({ step, n, precision, check: 'blocks evaluated from points', sendSeconds, evaluateSeconds, error });
    evaluated.release();
    const got = await onDevice.apply(x);
    const launches = calls.map(({ rows }) => rows!);
    judge({ step, n, precision, check: 'apply, 1 vector', error: difference(got.data, expected.data) });
    const ms = await waited(() => onDevice.apply(x), smoke ? 1 : 4);
    tell({ step, n, precision, what: 'apply with transfers, 1 vector', ms, teamMs: teamMilliseconds });
    const rows = onDevice.memory().vectors / NUMBER_BYTES[precision];
    let reference: FloatArray | undefined;
    for (const width of [1, 64, 512]) {
      const need = rows * width * NUMBER_BYTES[precision];
      if (need > card.memory.limit - card.memory.bytes) {
        tell({ step, n, precision, width, skipped: `${need} bytes of vectors` });
        continue;
      }
      const vectors = await card.allocate(rows * width, precision);
      const numbers = precision === 'f64' ? x : Float32Array.from(x);
      sendScaled(card, vectors, numbers, width);
      const multiply = (): void => {
        for (const [prepared, { values }] of launches) card.multiply(prepared, { values, vectors }, width);
      };
      const ms = await milliseconds(card, multiply, TIMES);
      const some = floats(Math.min(n, 4096) * width, precision);
      await card.read(vectors, some, n * width);
      const last = floats(some.length / width, precision).map((_, i) => some[i * width + width - 1]);
      const scale = 1 + (width - 1) / width;
      reference ??= last.map((value) => value / scale);
      const costs = launches.map(([prepared]) => prepared.cost(width));
      const flops = costs.reduce((sum, cost) => sum + cost.flops, 0);
      // Each block once a launch, vectors read and written once.
      const bytes = (flops / (2 * width) + 2 * rows * width) * NUMBER_BYTES[precision];
      judge({
        step,
        n,
        precision,
        width,
        ms,
        launches: costs.reduce((sum, cost) => sum + cost.launches, 0),
        flopsPerSecond: (1000 * flops) / ms,
        bytesPerSecond: (1000 * bytes) / ms,
        error: difference(
          last.map((value) => value / scale),
          reference,
        ),
      });
      vectors.destroy();
    }
    onDevice.release();
  }
}

/** Seconds of `work`. */
async function secondsOf(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Factorizations and solves there and on the team. */
async function solve(matrix: HierarchicalMatrix, card: Device, team: Team): Promise<void> {
  const n = matrix.size;
  const shift = 1;
  let here: Factorization | undefined;
  const teamFactorSeconds = await secondsOf(async () => (here = await factor(matrix, { shift }, { team })));
  for (const precision of PRECISIONS) {
    const onDevice = await matrix.to(card, { precision });
    let there: DeviceFactorization | undefined;
    const first = await secondsOf(async () => (there = await onDevice.factor({ shift })));
    // Once more, by kernels that are compiled and launches that are planned.
    const factorSeconds = await secondsOf(() => there!.refactor(shift));
    judge({ step, n, format, precision, first, factorSeconds, teamFactorSeconds, error: there!.residual });
    for (const width of smoke ? [1] : [1, 64]) {
      const b = view(randomNumbers(n * width, 'f64', 5) as Float64Array, 0, n, width);
      await there!.solve(b);
      const solveSeconds = await secondsOf(() => there!.solve(b));
      const teamSolveSeconds = await secondsOf(() => here!.solve(b));
      tell({ step, n, precision, width, solveSeconds, teamSolveSeconds });
    }
    there!.release();
    onDevice.release();
  }
}

/** Many triangles of one order, and what is done with them. */
async function work(): Promise<void> {
  const card = await openDevice('cuda');
  const [order, count, width] = smoke ? [70, 3, 3] : [256, 1024, 64];
  for (const precision of PRECISIONS) {
    const values = floats(order * order * count, precision);
    for (let t = 0; t < count; t++)
      for (let j = 0; j < order; j++)
        for (let i = j; i < order; i++)
          values[t * order * order + i + j * order] = (i === j ? 3 : 0) + 1 / (1 + i - j + t);
    const triangles = Array.from({ length: count }, (_, t) => ({
      offset: t * order * order,
      ld: order,
      order,
      status: t,
    }));
    const [matrix, status] = [await card.upload(values), await card.allocate(count, precision)];
    const factoring = await card.plan({ kind: 'cholesky', triangles });
    const report = async (what: string, prepared: PreparedWork, launch: () => void, spent = 0): Promise<void> => {
      const ms = (await milliseconds(card, launch, TIMES)) - spent;
      const { flops, launches } = prepared.cost(width);
      tell({ step, precision, what, order, count, ms, launches, flopsPerSecond: (1000 * flops) / ms });
    };
    card.launch(factoring, { values: matrix, status });
    const x = randomNumbers(order * count * width, precision, 4);
    const solution = await card.upload(x);
    const systems = triangles.map((triangle, t) => ({ triangle, x: { first: t * order } }));
    const [down, up] = [
      await card.plan({ kind: 'substitutions', transposed: false, systems }),
      await card.plan({ kind: 'substitutions', transposed: true, systems }),
    ];
    for (const planned of [down, up]) card.launch(planned, { triangles: matrix, x: solution }, width);
    const got = floats(x.length, precision);
    await card.read(solution, got);
    // A·X of the last system is its right-hand side.
    const t = count - 1;
    const back = floats(order * width, precision);
    for (let i = 0; i < order; i++)
      for (let k = 0; k < order; k++) {
        const entry = values[t * order * order + Math.max(i, k) + Math.min(i, k) * order];
        for (let q = 0; q < width; q++) back[i * width + q] += entry * got[(t * order + k) * width + q];
      }
    judge({ step, precision, check: 'L·Lᵀ·X = B', error: difference(back, x.subarray(t * order * width)) });
    await report('substitutions', down, () => {
      card.launch(down, { triangles: matrix, x: solution }, width);
    });
    const [a, c] = [await card.upload(values), await card.allocate(values.length, precision)];
    const products = await card.plan({
      kind: 'products',
      alpha: 1,
      beta: 0,
      targets: triangles.map((place) => ({
        c: place,
        rows: order,
        columns: order,
        terms: [{ a: place, b: place, depth: order }],
      })),
    });
    await report('products', products, () => {
      card.launch(products, { a, b: matrix, c });
    });
    // A factor is in the place of its matrix, which comes there again before each time.
    const [alpha, beta] = [{ constant: 1 }, { constant: 0 }];
    const copying = await card.plan({ kind: 'combination', x: 0, y: 0, count: values.length, alpha, beta });
    const copy = (): void => {
      card.launch(copying, { x: a, y: c });
    };
    const spent = await milliseconds(card, copy, TIMES);
    const factorAgain = (): void => {
      copy();
      card.launch(factoring, { values: c, status });
    };
    await report('cholesky', factoring, factorAgain, spent);
    const pivots = floats(count, precision);
    await card.read(status, pivots);
    judge({ step, precision, check: 'pivots', error: Math.max(...pivots) });
    for (const one of [matrix, status, factoring, solution, down, up, a, c, products, copying]) one.destroy();
  }
  await card.close();
}

if (step === 'describe') tell({ step, machine: describeMachine(), devices: await describeDevices() });
else if (step === 'checks') {
  const team = await Team.open({ workers: 2 });
  const [card, cpu] = [await openDevice('cuda'), await openDevice('cpu', {}, { team })];
  for (const precision of PRECISIONS)
    for await (const result of checks(card, cpu, precision)) {
      const right = result.excess <= 1;
      if (!right) process.exitCode = 1;
      tell({ step, ...result, right });
    }
  await card.close();
  await cpu.close();
  await team.close();
} else if (step === 'rates') {
  for (const rate of await rates(findCard(), smoke ? 2 ** 20 : 2 ** 31, ORDER)) tell({ step, ...rate });
} else if (step === 'gemms') await gemms({ step, smoke, times: TIMES, order: ORDER });
else if (step === 'factors') await factors({ step, smoke, times: TIMES, order: ORDER });
else if (step === 'work') await work();
else if (step === 'apply') await withMatrix(Number(size), apply);
else if (step === 'solve') await withMatrix(Number(size), solve);
else if (step === 'compress') await compression(Number(size), { step, smoke });
else if (step === 'curvature') await curvature({ step, smoke, times: TIMES, order: ORDER });
else if (step === 'training') await training(size, { step, smoke, times: TIMES, order: ORDER });
else if (step === 'table') await table({ step, smoke, times: TIMES, order: ORDER });
else
  throw new Error(
    `There is no step ${step ?? 'without a name'}: describe, checks, rates, gemms, factors, work, apply N, ` +
      `solve N, compress N, curvature, training NAME, table.`,
  );
