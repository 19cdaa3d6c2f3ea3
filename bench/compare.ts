/**
 * `node dist/bench/compare.js DIST [--only TEXT] [--rounds 3] [--write]`: is this build as fast as another one, whose
 * compiled files lie in DIST? Both run the same cases, alternately, each in a process of its own, so that what else the
 * machine does meets both; the ratio of each figure's medians (DIST's seconds over ours: above one, ours are fewer) is
 * printed and, with `--write`, kept in bench/results/comparison.json.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from '../src/core/median.js';
import { CASES } from './cases.js';
import { FACTORIZATION_CASES } from './factorization-cases.js';
import { HESSIAN_CASES } from './hessian-cases.js';
import { choose } from './labels.js';
import { OWN_DIST, outputOf } from './measured.js';
import { rounded, writeRecord } from './record.js';

/** Figures below so many seconds say more about the machine's timer and neighbors than about the code. */
const LEAST_SECONDS = 2e-3;

const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    write: { type: 'boolean', default: false },
  },
});
if (positionals.length !== 1) {
  console.error('One argument is needed: the folder dist of the build to compare with.');
  process.exit(2);
}
const other = resolve(positionals[0]);

interface Run {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
}

const chosen = choose(args.only);
const runs: Run[] = [
  ...CASES.map(({ name }) => ({ name, script: 'compression.js', args: [name, '3'] })),
  ...FACTORIZATION_CASES.map(({ name }) => ({ name, script: 'factorization.js', args: [name, '3'] })),
  ...HESSIAN_CASES.map(({ name }) => ({ name, script: 'hessian.js', args: [name, '200', '1'] })),
].filter(({ name }) => chosen.has(name));

/** All numbers under a key `seconds`, by path; a list's members are called by their method or their number. */
function secondsOf(value: unknown, path = '', within = false): [string, number][] {
  if (typeof value === 'number') return within ? [[path, value]] : [];
  if (value === null || typeof value !== 'object') return [];
  const label = (item: unknown, k: string): string => (item as { method?: string } | null)?.method ?? k;
  return Object.entries(value).flatMap(([key, item]) =>
    secondsOf(item, path === '' ? label(item, key) : `${path}.${label(item, key)}`, within || key === 'seconds'),
  );
}

/** The figures of one process: of several lines (repetitions) the medians of all but the first, which warms up. */
function figures(dist: string, { script, args: given }: Run): Map<string, number> {
  const lines = outputOf(script, given, dist).trim().split('\n');
  const found = new Map<string, number[]>();
  for (const line of lines.length > 1 ? lines.slice(1) : lines)
    for (const [path, value] of secondsOf(JSON.parse(line))) found.set(path, [...(found.get(path) ?? []), value]);
  return new Map([...found].map(([path, values]) => [path, median(values)]));
}

const results = [];
for (const run of runs) {
  const theirs: Map<string, number>[] = [];
  const ours: Map<string, number>[] = [];
  for (let round = 0; round < Number(args.rounds); round++) {
    // Who begins changes with every round.
    const turns = [() => theirs.push(figures(other, run)), () => ours.push(figures(OWN_DIST, run))];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) turn();
  }
  const paths = [...theirs[0].keys()].filter((path) => [...theirs, ...ours].every((one) => one.has(path)));
  const ratios = paths.flatMap((path) => {
    const [before, after] = [theirs, ours].map((all) => median(all.map((one) => one.get(path)!)));
    return before < LEAST_SECONDS
      ? []
      : [{ figure: path, before: rounded(before), after: rounded(after), ratio: rounded(before / after) }];
  });
  results.push({ name: run.name, rounds: theirs.length, ratios });
  console.log(run.name, ratios.map(({ figure, ratio }) => `${figure} ${ratio.toPrecision(3)}`).join(', '));
}
const all = results.flatMap(({ ratios }) => ratios.map(({ ratio }) => ratio));
console.log(
  `${all.length} figures: median ratio ${median(all).toPrecision(3)}, least ${Math.min(...all).toPrecision(3)}`,
);
if (args.write) writeRecord('comparison', { results });
