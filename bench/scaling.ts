/**
 * One size in a process of its own: `node dist/bench/scaling.js NAME` prints one JSON line, after a small problem that
 * warms up. Peaks are of the process, as far as it has come.
 */
import { uniformPoints } from '../datasets/points.js';
import { MemoryError } from '../src/core/errors.js';
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import { view } from '../src/dense/matrix.js';
import { factor } from '../src/hierarchical/factor/factor.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import { peakMemory } from '../src/io/machine.js';
import { Team } from '../src/parallel/team.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { matern32 } from '../src/source/kernels/named.js';
import { rounded } from './record.js';
import { BANDWIDTH, COLUMNS, LEAVES, SCALING_CASES, SHIFT_PER_INDEX, TOLERANCE, type Phase } from './scaling-cases.js';

export interface ScalingResult {
  readonly name: string;
  readonly size: number;
  readonly workers: number;
  readonly blas: string;
  readonly seconds: Readonly<Record<Phase, number>>;
  /** Of all processors, which says more than the clock where a machine is shared. */
  readonly processorSeconds: Readonly<Record<Phase, number>>;
  /** Bytes, as far as the process has come after each. */
  readonly peaks: Readonly<Record<Phase, number>>;
  readonly memory: { readonly matrixBytes: number; readonly factorBytes: number };
  readonly largestRank: number;
  /** ε_F, and whether the compression says that it met the tolerance. */
  readonly error: number;
  readonly met: boolean;
  /** ‖(K̃ + λI)x − b‖/‖b‖. */
  readonly residual: number;
}
/** What is printed where there is not memory enough. */
export interface Skipped {
  readonly skipped: string;
}

/** Everything at one size. Throws MemoryError. */
export async function measureScaling(size: number, name: string, team: Team): Promise<ScalingResult> {
  const seconds: Partial<Record<Phase, number>> = {};
  const processorSeconds: Partial<Record<Phase, number>> = {};
  const peaks: Partial<Record<Phase, number>> = {};
  const timed = async <T>(phase: Phase, act: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const before = process.cpuUsage();
    const made = await act();
    seconds[phase] = rounded((performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(before);
    processorSeconds[phase] = rounded((user + system) / 1e6);
    peaks[phase] = peakMemory();
    return made;
  };
  const source = kernelSource(uniformPoints(size, 2, 1), matern32(BANDWIDTH), { blas: team.blas });
  const matrix = await timed('compress', () => compress(source, { tolerance: TOLERANCE, ...LEAVES }, { team }));
  const error = await timed('error', () => matrix.estimateError(source, { columns: COLUMNS }));
  const vectors = view(sharedFloat64(3 * size), 0, size, 3);
  const [b, x, product] = [0, 1, 2].map((k) => view(vectors.data, k * size, size, 1));
  const right = new Float64Array(size);
  new RandomStream(2).fillNormal(right);
  b.data.set(right);
  await timed('product', () => matrix.apply(b, product));
  const shift = SHIFT_PER_INDEX * size;
  const factored = await timed('factor', () => factor(matrix, { shift }, { team }));
  await timed('solve', () => factored.solve(b, x));
  matrix.apply(x, product);
  let [missed, norm] = [0, 0];
  for (let i = 0; i < size; i++) {
    missed += (product.data[product.offset + i] + shift * x.data[x.offset + i] - right[i]) ** 2;
    norm += right[i] ** 2;
  }
  const result: ScalingResult = {
    name,
    size,
    workers: team.workers,
    blas: team.blas.description,
    seconds: seconds as Record<Phase, number>,
    processorSeconds: processorSeconds as Record<Phase, number>,
    peaks: peaks as Record<Phase, number>,
    memory: { matrixBytes: matrix.memory().bytes, factorBytes: factored.bytes },
    largestRank: Math.max(0, ...matrix.ranks().map(({ max }) => max)),
    error: rounded(error.relative),
    met: matrix.report.met === true,
    residual: rounded(Math.sqrt(missed / norm)),
  };
  factored.release();
  matrix.release();
  return result;
}

const name = process.argv[2];
const chosen = SCALING_CASES.find((one) => one.name === name);
if (chosen !== undefined) {
  const team = await Team.open({});
  await measureScaling(16_384, 'warm', team);
  const outcome = await measureScaling(chosen.size, chosen.name, team).catch((error: unknown): Skipped => {
    if (error instanceof MemoryError) return { skipped: error.message };
    throw error;
  });
  console.log(JSON.stringify(outcome));
  await team.close();
}
