/**
 * CONTRIBUTING.md holds: a copy of the library with its examples compiles, and each does what it should. A section
 * "A kernel" has its program in a-kernel.mjs beside this file, which is given the copy's folder.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, copyWith, examplesOf, node, root, withEntry, type Outcome } from './examples.js';

const examples = examplesOf('CONTRIBUTING.md');
let copy = '';
let compiled: Outcome;

beforeAll(async () => {
  copy = copyWith(examples);
  compiled = await compile(copy);
});
afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
});

describe('an entry of a table', () => {
  it('goes_behind_the_imports_and_to_the_end_of_the_table', () => {
    const file = "import { a } from './a.js';\n\nconst TABLE = {\n  a,\n} satisfies T;\n";
    const entry = ["import { b } from './b.js';", '  b,'];
    expect(withEntry(file, entry)).toBe(
      "import { a } from './a.js';\nimport { b } from './b.js';\n\nconst TABLE = {\n  a,\n  b,\n} satisfies T;\n",
    );
    expect(() => withEntry('const a = 1;', entry)).toThrow(/one table/);
  });
});

describe('the examples of CONTRIBUTING.md', () => {
  it('are_found', () => {
    expect(examples.map(({ title }) => title)).toEqual(expect.arrayContaining(['A kernel', 'A distance', 'A loss']));
  });

  it.each(examples)('$title: one new file of at most 25 lines, one entry', ({ blocks }) => {
    expect(blocks.map(({ into }) => into)).toEqual([false, true]);
    const [file, entry] = blocks;
    expect(file.lines.length).toBeLessThanOrEqual(25);
    expect(entry.lines).toHaveLength(2);
    expect(entry.lines[0]).toMatch(/^import /);
  });

  it('compile_without_another_change', () => {
    expect(compiled).toEqual({ status: 0, output: '' });
  });

  it.each(examples)('$title works, on a team and in the command', async ({ title }) => {
    const program = join(root, 'test/families', `${title.toLowerCase().replaceAll(' ', '-')}.mjs`);
    expect(readFileSync(program, 'utf8')).not.toBe('');
    expect(await node(['--no-warnings', program, copy], copy)).toEqual({ status: 0, output: '' });
  });
});
