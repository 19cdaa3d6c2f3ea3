/**
 * The partition of a matrix in characters: no colours, so that it may go to a file.
 */
import type { BlockStructure } from '../hierarchical/matrix/block-structure.js';
import { classesOf } from '../report/charts/blocks.js';

/** Cells on a side, at most: two characters each, within 80 columns. */
const MOST_CELLS = 36;
const DENSE = '██';
/** Of classes of ranks, the least one first. */
const SHADES = ['··', '░░', '▒▒', '▓▓', '╬╬'];

/** The matrix in tree order, a mark for what stands in the middle of each cell; beneath it what the marks are. */
export function blockPicture(structure: BlockStructure): string {
  const cells = Math.min(MOST_CELLS, structure.leafBegin.length - 1);
  const classes = classesOf(structure);
  const ranks = classes.filter(({ name }) => name.startsWith('rank'));
  const markOf = (name: string): string => {
    if (name === 'dense') return DENSE;
    const at = ranks.findIndex((one) => one.name === name);
    return at < 0 ? '  ' : SHADES[at];
  };
  const { leafBegin } = structure;
  const rows = Array.from({ length: cells }, () => Array.from({ length: cells }, () => '  '));
  const [first, size] = [leafBegin[0], structure.size];
  const range = ([from, to]: readonly [number, number]): readonly [number, number] => {
    const before = (position: number): number => Math.ceil(((position - first) * cells) / (size - first) - 0.5);
    return [before(from), before(to)];
  };
  for (const { name, blocks } of classes)
    for (const block of blocks) {
      const [rowBegin, rowEnd] = range(block.rows);
      const [colBegin, colEnd] = range(block.cols);
      for (let i = rowBegin; i < rowEnd; i++)
        for (let j = colBegin; j < colEnd; j++) rows[i][j] = rows[j][i] = markOf(name);
    }
  const edge = '─'.repeat(2 * cells);
  const legend = classes.map(({ name }) => `${markOf(name)} ${name.replace(/^rank /, '')}`).join('  ');
  return [`┌${edge}┐`, ...rows.map((row) => `│${row.join('')}│`), `└${edge}┘`, `${legend} (numbers: ranks)`].join('\n');
}
