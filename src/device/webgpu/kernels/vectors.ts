/**
 * Combinations and inner products of rows of vectors. An inner product is summed in two steps: workgroups sum
 * PARTIAL_ROWS rows of each column, their threads' sums two by two; then one workgroup sums those of a product alike.
 */
import { isReplaced, partialSums, type Combination, type InnerProducts } from '../../work/vectors.js';
import { wordOfFloat, type Kernel } from './shader.js';
import { SCRATCH, wordsOf, type Step } from './step.js';

const THREADS = 256;
/** Numbers of a workgroup of a combination. */
const NUMBERS = 4 * THREADS;
/** A row that is none. */
const NONE = 2 ** 32 - 1;

/**
 * Words: first rows of X and Y, rows, then of α and of β constant, numerator, denominator, whether they must be
 * positive; whether Y is replaced.
 */
function combination(scalars: boolean, diagonal: boolean): Kernel {
  const factor = (at: number): string => (scalars ? `factor(${at}u, q)` : `number(${at}u)`);
  return {
    name: `combination${scalars ? ' with scalars' : ''}${diagonal ? ' and diagonal' : ''}`,
    lists: [],
    operands: ['x', 'y', ...(scalars ? ['scalars'] : []), ...(diagonal ? ['diagonal'] : [])],
    writes: ['y'],
    takesWidth: true,
    body: (of) => `
${
  scalars
    ? `
fn scalar(row: u32, q: u32) -> f32 {
  if (row == ${NONE}u) { return 1.0; }
  return ${of['scalars']}[row * widths.x + q];
}
// By its bits: kernels may be compiled as if nothing were infinite or not a number.
fn isPositive(value: f32) -> bool { return bitcast<u32>(value) > 0u && bitcast<u32>(value) < 0x7f800000u; }

fn factor(at: u32, q: u32) -> f32 {
  let above = scalar(word(at + 1u), q);
  let below = scalar(word(at + 2u), q);
  if (below == 0.0 || (word(at + 3u) == 1u && !(isPositive(above) && isPositive(below)))) { return 0.0; }
  return number(at) * above / below;
}`
    : ''
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let width = widths.x;
  let first = groupOf(group) * ${NUMBERS}u;
  let end = min(first + ${NUMBERS}u, word(4u) * width);
  for (var e = first + thread; e < end; e += ${THREADS}u) {
    let q = e % width;
    let at = word(3u) * width + e;
    var value = ${factor(5)} * ${of['x']}[word(2u) * width + e];
    ${diagonal ? `value *= ${of['diagonal']}[e / width];` : ''}
    if (word(13u) == 0u) { value += ${factor(9)} * ${of['y']}[at]; }
    ${of['y']}[at] = value;
  }
}
`,
  };
}

const COMBINATIONS = [false, true].map((scalars) => [false, true].map((diagonal) => combination(scalars, diagonal)));

/** The launch. */
export function combinationSteps(work: Combination): Step[] {
  const { x, y, count, alpha, beta, diagonal = false } = work;
  if (count === 0) return [];
  const factors = [alpha, beta].flatMap(({ constant, numerator, denominator, positive = false }) => [
    wordOfFloat(constant),
    numerator ?? NONE,
    denominator ?? NONE,
    positive ? 1 : 0,
  ]);
  const scalars = [alpha, beta].some(({ numerator, denominator }) => (numerator ?? denominator) !== undefined);
  const kernel = COMBINATIONS[scalars ? 1 : 0][diagonal ? 1 : 0];
  return [
    {
      kernel: () => kernel,
      lists: {},
      constants: [x, y, count, ...factors, isReplaced(work) ? 1 : 0],
      operands: Object.fromEntries(kernel.operands.map((name) => [name, name])),
      groups: (width) => [Math.ceil((count * width) / NUMBERS), 1],
    },
  ];
}

/** Sums of a column: `across` columns side by side. Words of a sum: X, Y, count, to. */
function sums(across: 1 | 16, products: boolean): Kernel {
  const lanes = THREADS / across;
  return {
    name: `sums ${across}${products ? ' of products' : ''}`,
    lists: ['parts'],
    operands: ['x', ...(products ? ['y'] : []), 'out'],
    writes: ['out'],
    takesWidth: true,
    body: ({ x, y, out }) => `
var<workgroup> partial: array<f32, ${THREADS}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = groupOf(group);
  if (number >= word(0u)) { return; }
  let width = widths.x;
  let column = group.z * ${across}u + thread % ${across}u;
  let xFirst = parts[4u * number];
  let yFirst = parts[4u * number + 1u];
  let count = parts[4u * number + 2u];
  var sum = 0.0;
  if (column < width) {
    for (var i = thread / ${across}u; i < count; i += ${lanes}u) {
      let value = ${x}[(xFirst + i) * width + column];
      sum += value${products ? ` * ${y}[(yFirst + i) * width + column]` : ''};
    }
  }
  partial[thread] = sum;
  workgroupBarrier();
  for (var half = ${THREADS / 2}u; half >= ${across}u; half /= 2u) {
    if (thread < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }
  if (thread < ${across}u && column < width) { ${out}[parts[4u * number + 3u] * width + column] = partial[thread]; }
}
`,
  };
}

const SUMS = [1, 16].map((across) => [false, true].map((products) => sums(across as 1 | 16, products)));

/** Vectors from which on a workgroup sums several columns. */
const WIDE = 8;

/** The launch: partial sums go to rows of `scratch`. */
export function innerProductSteps(work: InnerProducts): Step[] {
  const { partials, totals } = partialSums(work);
  const step = (words: readonly number[], ofProducts: boolean, operands: Step['operands']): Step => ({
    kernel: (width) => SUMS[width < WIDE ? 0 : 1][ofProducts ? 1 : 0],
    lists: { parts: wordsOf(words) },
    constants: [],
    operands,
    groups: (width) => [words.length / 4, width < WIDE ? width : Math.ceil(width / 16)],
  });
  return [
    ...(partials.length === 0 ? [] : [step(partials, true, { x: 'x', y: 'y', out: SCRATCH })]),
    ...(totals.length === 0 ? [] : [step(totals, false, { x: SCRATCH, out: 'out' })]),
  ];
}
