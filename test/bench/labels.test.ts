/** Which benchmarks are measured, and that nothing tracked changes unless it is asked for. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { choose, CHOICES } from '../../dist/bench/labels.js';

const root = resolve(import.meta.dirname, '../..');
const bench = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [join(root, 'dist/bench/run.js'), ...args], { encoding: 'utf8' });
/** Everything that a benchmark may write. */
const kept = (): string[] =>
  ['docs/benchmarks.md', ...readdirSync(join(root, 'bench/results')).map((name) => `bench/results/${name}`)].map(
    (path) => readFileSync(join(root, path), 'utf8'),
  );

/** The text between the markers of docs/benchmarks.md. */
const section = (name: string): string =>
  readFileSync(join(root, 'docs/benchmarks.md'), 'utf8')
    .split(`<!-- ${name}:begin -->`)[1]
    .split(`<!-- ${name}:end -->`)[0];
/** First cells of the table's rows. */
const firstCells = (text: string): string[] => [...text.matchAll(/^\| ([^|]*\w[^|]*) \|/gm)].map(([, cell]) => cell);

describe('the choice of benchmarks', () => {
  it('takes_a_name_or_the_label_of_a_table_for_one_case', () => {
    for (const { name, labels } of CHOICES) {
      expect([...choose(name)]).toEqual([name]);
      for (const label of labels) expect(choose(label)).toContain(name);
    }
    for (const label of [...firstCells(section('measured')), ...firstCells(section('factorization'))])
      expect([label, choose(label).size]).toEqual([label, 1]);
    const headings = [...section('hessian').matchAll(/^\*\*[\d-]+\*\*,.*$/gm)].map(([line]) => line);
    expect(headings.length).toBeGreaterThan(0);
    for (const heading of headings) expect([...choose(heading)].some((name) => name.startsWith('hessian-'))).toBe(true);
  });

  it('takes_a_part_of_either_for_all_that_have_it_and_nothing_for_all', () => {
    expect([...choose('factorization-accuracy')]).toEqual(
      [1024, 2048, 4096].map((size) => `factorization-accuracy-${size}`),
    );
    expect([...choose('gaussian 2-d')]).toEqual([...choose('factorization-accuracy')]);
    expect(choose(undefined).size).toBe(CHOICES.length);
  });

  it.each(['label of the table', '', ' ', 'gaussian-1'.repeat(3)])(
    'refuses_what_no_case_has_with_the_choices: "%s"',
    (only) => {
      const { status, stdout, stderr } = bench(`--only=${only}`);
      expect([status, stdout]).toEqual([2, '']);
      for (const { name, labels } of CHOICES) for (const text of [name, ...labels]) expect(stderr).toContain(text);
    },
  );

  it.each([['--onyl', 'K02'], ['--write', '--samples', '10'], ['--only']])(
    'refuses_other_misuse_without_a_stack: %s',
    (...args) => {
      const { status, stdout, stderr } = bench(...args);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).not.toMatch(/\n\s+at /);
    },
  );

  it('writes_nothing_unless_told_to', () => {
    const before = kept();
    const { status, stdout } = bench('--only', 'factorization-accuracy-1024', '--repeats', '1');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^factorization-accuracy-1024 /);
    expect(kept()).toEqual(before);
  });
});
