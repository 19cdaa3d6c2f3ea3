/**
 * Texts of kernels that evaluate entries of blocks on a card (device/portable-kernel.ts), a thread for each: which
 * entry it is, and its value from the points, which are sent (device/sent-points.ts).
 */
import { floats, type FloatArray, type Precision } from '../../core/floats.js';
import { meanOf, type PointNumbers } from '../../device/sent-points.js';
import { halvesOf, lastBeginText, wholeText } from '../../device/whole-numbers.js';
import type { KernelSource } from '../../source/kernel-source.js';

/** Numbers of a block in `lists`: halves of where it begins and of its first row and column, rows. */
export const BLOCK_WORDS = 7;

/** The inputs of a kernel source. */
type Inputs = KernelSource['inputs'];

/** What an input of a kernel is computed from. */
export function numbersOf({ argument, operand, points: { dimension, coordinates } }: Inputs[number]): PointNumbers {
  if (argument !== 'squaredDistance') return { numbers: operand, dimension };
  return { numbers: coordinates, dimension, origin: meanOf(coordinates, dimension) };
}

/** A block: its shape, and its first row and column among the points, or what else stands for them. */
export interface ListedBlock {
  readonly rows: number;
  readonly columns: number;
  readonly points?: readonly [number, number] | undefined;
}

/** What tells blocks apart that stand one after the other, column by column. */
export function listOfBlocks(blocks: readonly ListedBlock[], precision: Precision): FloatArray {
  const list = floats(BLOCK_WORDS * blocks.length, precision);
  let begin = 0;
  blocks.forEach(({ rows, columns, points }, b) => {
    list.set([...halvesOf(begin), ...halvesOf(points![0]), ...halvesOf(points![1]), rows], BLOCK_WORDS * b);
    begin += rows * columns;
  });
  return list;
}

/** Sets `row` and `column` of entry i, of `blocks` blocks in `lists`. */
export const PLACE_IN_BLOCKS = `${lastBeginText('lists', BLOCK_WORDS, 'blocks')}
int within = i - (${wholeText('lists', `${BLOCK_WORDS} * low`)});
int rows = int(lists[${BLOCK_WORDS} * low + 6]);
int row = ${wholeText('lists', `${BLOCK_WORDS} * low`, 2)} + within % rows;
int column = ${wholeText('lists', `${BLOCK_WORDS} * low`, 4)} + within / rows;`;

/** Sets `value` by the kernel's text, from the points numbered `row` and `column`. */
export function valueText(inputs: Inputs, text: string): string {
  const argumentOf = ({ argument }: Inputs[number], g: number): string => {
    const [x, y] = ['row', 'column'].map((point) => `points[base${g} + ${point} * dimension${g} + k]`);
    const term =
      argument === 'squaredDistance' ? `real e = ${x} - ${y}; a${g} = a${g} + e * e;` : `a${g} = a${g} + ${x} * ${y};`;
    return `real a${g} = 0.0;
for (int k = 0; k < dimension${g}; k++) { ${term} }`;
  };
  return `${inputs.map(argumentOf).join('\n')}
real value = 0.0;
${text}`;
}

/** The names of the whole numbers and of the others that `valueText` takes. */
export const placeNames = (inputs: Inputs): string[] => inputs.flatMap((_, g) => [`base${g}`, `dimension${g}`]);
/** As before. */
export const numberNames = (numbers: readonly number[]): string[] => numbers.map((_, k) => `p${k}`);

/** Tells kernels of one text from those of another. */
export const nameOfValue = (inputs: Inputs, text: string): string =>
  [...inputs.map(({ argument }) => argument), hashOf(text)].join(' ');

function hashOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b);
  }
  return [a, b].map((half) => (half >>> 0).toString(16)).join('');
}
