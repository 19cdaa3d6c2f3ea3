/**
 * Gathers: a workgroup moves NUMBERS numbers of a piece.
 */
import { listsOfGathers, type Gathers } from '../../work/gathers.js';
import { partsOf } from '../../work/tiles.js';
import { wordOfFloat, type Kernel } from './shader.js';
import { wordsOf, type Step } from './step.js';

const THREADS = 64;
/** Numbers of a workgroup. */
const NUMBERS = 16 * THREADS;

const KERNEL: Kernel = {
  name: 'gathers',
  lists: ['pieces', 'offsets', 'parts'],
  operands: ['from', 'to'],
  writes: ['to'],
  takesWidth: false,
  body: ({ from, to }) => `
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let part = groupOf(group);
  if (part >= word(0u)) { return; }
  let p = 8u * parts[2u * part];
  let first = parts[2u * part + 1u];
  let rows = pieces[p];
  let end = min(first + ${NUMBERS}u, rows * pieces[p + 1u]);
  for (var e = first + thread; e < end; e += ${THREADS}u) {
    let i = e % rows;
    let j = e / rows;
    let at = pieces[p + 2u] + offsets[pieces[p + 3u] + i] + offsets[pieces[p + 4u] + j];
    let source = pieces[p + 5u] + offsets[pieces[p + 6u] + i] + offsets[pieces[p + 7u] + j];
    var value = number(2u) * ${from}[source];
    if (word(3u) == 1u) { value += ${to}[at]; }
    ${to}[at] = value;
  }
}
`,
};

/** The launch. */
export function gatherSteps(work: Gathers): Step[] {
  const parts = partsOf(
    work.pieces.map(({ to }) => to.rows.length * to.columns.length),
    NUMBERS,
  );
  if (parts.length === 0) return [];
  const { pieces, offsets } = listsOfGathers(work);
  return [
    {
      kernel: () => KERNEL,
      lists: { pieces: wordsOf(pieces), offsets: wordsOf(offsets), parts: wordsOf(parts) },
      constants: [wordOfFloat(work.alpha), work.keep ? 1 : 0],
      operands: { from: 'from', to: 'to' },
      groups: () => [parts.length / 2, 1],
    },
  ];
}
