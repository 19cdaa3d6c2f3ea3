/**
 * Many points in the plane, end to end, in the memory of one process: `node dist/bench/largest.js [--write] [--size N]`
 * compresses, multiplies, factors and solves, with two workers, and measures the errors of the matrix and the solution.
 */
import { parseArgs } from 'node:util';
import { uniformPoints } from '../datasets/points.js';
import { factor } from '../src/hierarchical/factor/factor.js';
import { compress } from '../src/hierarchical/from-entries/compress.js';
import { peakMemory } from '../src/io/machine.js';
import { Team } from '../src/parallel/team.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { matern32 } from '../src/source/kernels/named.js';
import { rounded, writeRecord } from './record.js';
import { replaceSection } from './section.js';

const SHIFT = 1;

/** One stage of the run: its seconds, and the largest memory of the process until its end. */
export interface Stage {
  readonly stage: string;
  readonly seconds: number;
  readonly peakBytes: number;
}

/** The run. */
export interface LargestResult {
  readonly size: number;
  readonly stages: readonly Stage[];
  /** ‖K − K̃‖_F/‖K‖_F, on 64 columns, and ‖b − (K̃ + λI)x‖/‖b‖. */
  readonly error: number;
  readonly residual: number;
}

const { values: args } = parseArgs({
  options: { write: { type: 'boolean', default: false }, size: { type: 'string', default: '4194304' } },
});
const size = Number(args.size);
const team = await Team.open({ workers: 2 });
const stages: Stage[] = [];
const timed = async <T>(stage: string, work: () => T | Promise<T>): Promise<T> => {
  const began = performance.now();
  const value = await work();
  stages.push({ stage, seconds: rounded((performance.now() - began) / 1000), peakBytes: peakMemory() });
  console.log(JSON.stringify(stages.at(-1)));
  return value;
};

const source = kernelSource(uniformPoints(size, 2, 1), matern32(0.1), { blas: team.blas });
const options = { tolerance: 1e-4, leafSize: 256, maxRank: 256 };
const matrix = await timed('compress', () => compress(source, options, { team }));
const b = Float64Array.from({ length: size }, (_, i) => Math.sin(1.7 * i));
await timed('product', () => matrix.apply(b));
const { relative } = await timed('error of 64 columns', () => matrix.estimateError(source, { columns: 64 }));
const factors = await timed('factor', () => factor(matrix, { shift: SHIFT }, { team }));
const x = (await timed('solve', () => factors.solve(b))).data;
const product = matrix.apply(x).data;
let [rest, norm] = [0, 0];
for (let i = 0; i < size; i++) {
  rest += (b[i] - product[i] - SHIFT * x[i]) ** 2;
  norm += b[i] ** 2;
}
await team.close();
const result: LargestResult = { size, stages, error: rounded(relative), residual: rounded(Math.sqrt(rest / norm)) };
console.log(JSON.stringify(result));
if (args.write) {
  console.log(writeRecord('largest', { results: [result] }));
  const rows = stages.map(
    ({ stage, seconds, peakBytes }) => `| ${stage} | ${seconds.toPrecision(3)} | ${(peakBytes / 1e9).toFixed(1)} |`,
  );
  replaceSection('largest', ['| | s | peak memory, GB |', '|---|---|---|', ...rows].join('\n'));
}
