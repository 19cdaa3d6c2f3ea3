/**
 * `npm run experiment -- NAME… [--data DIR] [--quick] [--seed N] [--write]`: experiments of training. Each prints what
 * the data was, short tables, and what was expected with whether it came; `--write` keeps the record as JSON, and
 * pictures as PGM, in bench/experiments/results. DIR (default ../shared/data) has mnist/ and tabular/; what is not
 * there is generated, and the record says so. `--quick` is small, to see that it works, and is not written.
 *
 * Ends with status 0 where everything expected came, 3 where not, 2 for misuse.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from '../../src/io/machine.js';
import { closeDefaultTeam } from '../../src/parallel/default-team.js';
import { tableText, type Outcome, type Setup } from './experiment.js';
import { writePicture } from './pictures.js';
import { EXPERIMENTS } from './table.js';

/** Ends with status 2 and the message. */
function refuse(message: string): never {
  const names = Object.entries(EXPERIMENTS).map(([name, { what }]) => `  ${name.padEnd(12)} ${what}`);
  console.error(
    `${message}\nnpm run experiment -- NAME… [--data DIR] [--quick] [--seed N] [--write]\n${names.join('\n')}`,
  );
  process.exit(2);
}

function given() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        data: { type: 'string', default: '../shared/data' },
        quick: { type: 'boolean', default: false },
        seed: { type: 'string', default: '0' },
        write: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const { values, positionals } = given();
const seed = Number(values.seed);
const names = positionals.includes('all') ? Object.keys(EXPERIMENTS) : positionals;
if (names.length === 0) refuse('Which experiment? One of these, several, or all:');
const unknown = names.find((name) => !Object.hasOwn(EXPERIMENTS, name));
if (unknown !== undefined) refuse(`There is no experiment "${unknown}":`);
if (!Number.isSafeInteger(seed) || seed < 0) refuse(`--seed is ${values.seed}: a whole number of at least 0.`);
if (values.write && values.quick) refuse('--write keeps whole results: leave out --quick.');
const setup: Setup = {
  data: values.data,
  quick: values.quick,
  seed,
  say: (line) => process.stderr.write(`  ${line}\n`),
};

const folder = fileURLToPath(new URL('../../../bench/experiments/results/', import.meta.url));

function keep(name: string, { pictures = {}, ...outcome }: Outcome, seconds: number): void {
  mkdirSync(folder, { recursive: true });
  const record = {
    experiment: name,
    machine: describeMachine(),
    node: process.versions.node,
    seed,
    seconds,
    ...outcome,
  };
  const text = JSON.stringify(record, null, 1).replace(/\{[^{}[\]]*\}/g, (object) => object.replace(/\s*\n\s*/g, ' '));
  writeFileSync(`${folder}${name}.json`, `${text}\n`);
  for (const [title, picture] of Object.entries(pictures)) writePicture(`${folder}${name}-${title}.pgm`, picture);
}

let missed = 0;
for (const name of names) {
  const begin = performance.now();
  process.stderr.write(`${name}: ${EXPERIMENTS[name].what}\n`);
  const outcome = await EXPERIMENTS[name].run(setup);
  const seconds = Math.round((performance.now() - begin) / 100) / 10;
  console.log(`${name}: ${EXPERIMENTS[name].what}\ndata: ${outcome.data}\n`);
  for (const table of outcome.tables) console.log(`${tableText(table)}\n`);
  for (const { expected, met, seen } of outcome.checks)
    console.log(`${met ? 'as expected' : setup.quick ? 'not in --quick' : 'NOT as expected'}: ${expected}: ${seen}`);
  console.log(`${seconds} s\n`);
  missed += outcome.checks.filter(({ met }) => !met).length;
  if (values.write) keep(name, outcome, seconds);
}
await closeDefaultTeam();
// The small data of --quick promises nothing.
process.exitCode = missed > 0 && !values.quick ? 3 : 0;
