/**
 * `npm run bench [-- --images FILE] [--only TEXT]`: every case of bench/cases.ts in processes of its own, medians to bench/results/compression.json, and the
 * table of README.md made from them.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { CompressionRecord } from '../src/experiment/record.js';
import { CASES } from './cases.js';
import { median } from '../src/experiment/dgemm-rate.js';
import { rounded, writeRecord } from './record.js';
import { writeTable, type CaseResult } from './table.js';

const { values: args } = parseArgs({ options: { images: { type: 'string' }, only: { type: 'string' }, repeats: { type: 'string', default: '3' } } });

function records(name: string, repeats: number): CompressionRecord[] {
  const child = spawnSync(process.execPath, [fileURLToPath(new URL('./compression.js', import.meta.url)), name, String(repeats), ...(args.images === undefined ? [] : [args.images])], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (child.status !== 0) throw new Error(`${name} failed:\n${child.stderr}`);
  return child.stdout.trim().split('\n').map((line) => JSON.parse(line) as CompressionRecord);
}

function measure(name: string, repeats: number): CaseResult {
  const [cold] = records(name, 1);
  // The first of a process warms it up; the medians are of those that follow.
  const warm = repeats > 0 ? records(name, repeats + 1).slice(1) : [cold];
  const of = (value: (record: CompressionRecord) => number): number => rounded(median(warm.map(value)));
  return {
    name, input: cold.input, options: cold.options, vectors: cold.vectors, seed: cold.seed, workers: cold.workers, blas: cold.blas, repeats: warm.length,
    seconds: {
      neighbors: of((r) => r.seconds.neighbors), tree: of((r) => r.seconds.tree), skeletonization: of((r) => r.seconds.skeletonization), fill: of((r) => r.seconds.fill),
      compress: of((r) => r.seconds.compress), apply: of((r) => r.seconds.apply),
    },
    coldSeconds: { neighbors: rounded(cold.seconds.neighbors), skeletonization: rounded(cold.seconds.skeletonization), compress: rounded(cold.seconds.compress) },
    gflops: { apply: of((r) => r.gflops.apply), dgemm: of((r) => r.gflops.dgemm) },
    error: { relative: rounded(cold.error.relative), low: rounded(cold.error.low), high: rounded(cold.error.high), exact: cold.error.exact },
    memory: { bytes: cold.memory.bytes, share: rounded(cold.memory.share), peakBytes: cold.memory.peakBytes },
    ranks: cold.ranks.map(({ level, max, mean }) => ({ level, max, mean: rounded(mean) })), recall: rounded(cold.neighborRecall), budgetUsed: rounded(cold.budgetUsed),
  };
}

const file = fileURLToPath(new URL('../../bench/results/compression.json', import.meta.url));
const earlier = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { results: CaseResult[] }).results : [];
const results = new Map(earlier.map((result) => [result.name, result]));
for (const { name, input } of CASES) {
  if (args.only !== undefined && !name.includes(args.only)) continue;
  // A quarter of a million rows are run once.
  const result = measure(name, input.size > 100_000 ? 0 : Number(args.repeats));
  results.set(name, result);
  console.log(name, JSON.stringify(result.seconds), 'error', result.error.relative, 'peak MB', Math.round(result.memory.peakBytes / 1e6), 'GFLOP/s', result.gflops.apply, 'of', result.gflops.dgemm);
  writeRecord('compression', { results: CASES.flatMap((c) => results.get(c.name) ?? []) });
}
writeTable([...results.values()]);
