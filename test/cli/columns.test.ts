/** Reports within 80 columns: lines are broken at spaces, and nothing of them is lost. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withinColumns } from '#hmatrix/cli/columns.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { hmatrix } from './command.js';

const widthOf = (text: string): number => Math.max(...text.split('\n').map((line) => [...line].length));

describe('text within columns', () => {
  it('has_at_most_80_columns_where_no_word_is_longer_and_the_same_words_in_the_same_lines', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'β', 'G̃', '‖', '1', '.'), minLength: 1, maxLength: 30 });
    const line = fc
      .tuple(fc.constantFrom('', '  '), fc.array(word, { minLength: 1, maxLength: 40 }))
      .map(([indent, words]) => indent + words.join(' '));
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
        const text = lines.join('\n');
        const within = withinColumns(text);
        expect(widthOf(within)).toBeLessThanOrEqual(80);
        expect(within.replace(/\n {4,6}(?=\S)/g, ' ')).toBe(text);
        expect(withinColumns(within)).toBe(within);
        // Of another width, and without an indent.
        const cell = withinColumns(text, 30, '');
        expect(widthOf(cell)).toBeLessThanOrEqual(32);
        expect(cell.replace(/\s+/g, ' ')).toBe(text.replace(/\s+/g, ' '));
      }),
    );
  });

  it('leaves_tables_and_long_words_as_they_are', () => {
    const table = `┌${'─'.repeat(90)}┐\n│ ${'a '.repeat(60)} │`;
    expect(withinColumns(table)).toBe(table);
    const path = '/'.padEnd(100, 'x');
    expect(withinColumns(`written to ${path} now`)).toBe(`written to\n    ${path}\n    now`);
  });
});

describe('what commands print', () => {
  const folder = temporaryFolder();
  const points = ['--points', 'normal:300,2'];
  const network = ['--network', '196-4-196', '--samples', '40', '--epochs', '1'];

  it.each([
    ['compress', ...points, '--tolerance', '1e-4', '--out', 'K.hm'],
    ['info', 'K.hm'],
    ['multiply', 'K.hm', '--x', 'seeded'],
    ['factor', 'K.hm', '--shift', '10', '--out', 'F.hm'],
    ['info', 'F.hm'],
    ['solve', 'F.hm'],
    ['logdet', ...points, '--tolerance', '1e-4', '--shift', '1'],
    ['doctor', '--workers', '1'],
    ['sample', ...network, '--shift', '0.1', '--out', 'draws.npz'],
    ['eigs', ...points, '--count', '3'],
    ['tune', ...points, '--tolerance', '1e-4'],
    ['plan', '--size', '67e6', '--ranks', '128', '--workers', '48', '--vectors', '512'],
    ['table', ...network, '--vectors', '64'],
    ['table', '--preconditioners', '--matrices', 'K02', '--size', '256', ...network, '--methods', 'none,jacobi'],
    ['train', '--samples', '60', '--hidden', '4', '--epochs', '2'],
    ['compare', '--samples', '60', '--hidden', '4', '--optimizers', 'adam,lbfgs', '--seeds', '1', '--epochs', '1'],
  ])('fits_80_columns: %s', async (...args) => {
    const { status, stdout } = await hmatrix(args, { cwd: folder, broken: true });
    expect([0, 3]).toContain(status);
    expect(stdout.length).toBeGreaterThan(80);
    expect(widthOf(stdout)).toBeLessThanOrEqual(80);
  });
});
