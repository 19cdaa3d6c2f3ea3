/**
 * QR by Householder reflections, a workgroup for each: rows of threads take columns, their threads rows. Reflections
 * stand below the diagonal as they are made, R goes to its place row by row; then Q takes the reflections' place, from
 * the last column to the first.
 */
import { listsOfQrs, QR_WORDS, type Qrs } from '../../work/qr.js';
import type { Kernel } from './shader.js';
import { wordsOf, type Step } from './step.js';

/** Threads that share a column. */
export const LANES = 32;
/** Columns at a time. */
export const COLUMNS = 4;
/** Threads of a workgroup. */
export const THREADS = LANES * COLUMNS;

/**
 * Reflection k of a column by all threads, with `sum` 0 before: its `tau`, `beta` at row k, and below it the vector,
 * whose first number is 1, in place.
 */
export const makeReflection = (values: string): string => `
    for (var i = k + 1u + thread; i < rows; i += ${THREADS}u) {
      sum += ${values}[column + i] * ${values}[column + i];
    }
    sums[thread] = sum;
    workgroupBarrier();
    sum = 0.0;
    for (var l = 0u; l < ${THREADS}u; l++) { sum += sums[l]; }
    let alpha = ${values}[column + k];
    var beta = alpha;
    var tau = 0.0;
    var scale = 0.0;
    if (sum > 0.0) {
      beta = select(1.0, -1.0, alpha > 0.0) * sqrt(alpha * alpha + sum);
      tau = (beta - alpha) / beta;
      scale = 1.0 / (alpha - beta);
    }
    storageBarrier();
    workgroupBarrier();
    for (var i = k + 1u + thread; i < rows; i += ${THREADS}u) { ${values}[column + i] *= scale; }`;

const QR: Kernel = {
  name: 'qr',
  lists: ['blocks'],
  operands: ['values', 'triangles'],
  writes: ['values', 'triangles'],
  takesWidth: false,
  body: ({ values, triangles }) => {
    /** What reflection k makes of the columns behind column k. `start` is what row k of a column holds. */
    const reflect = (start: string, end: string): string => `
    for (var first = k + 1u; first < columns; first += ${COLUMNS}u) {
      let c = first + thread / ${LANES}u;
      let other = a + c * ld;
      var dot = 0.0;
      if (c < columns) {
        if (lane == 0u) { dot = ${start}; }
        for (var i = k + 1u + lane; i < rows; i += ${LANES}u) { dot += ${values}[column + i] * ${values}[other + i]; }
      }
      sums[thread] = dot;
      workgroupBarrier();
      dot = 0.0;
      for (var l = 0u; l < ${LANES}u; l++) { dot += sums[thread - lane + l]; }
      dot *= tau;
      if (c < columns) {
        for (var i = k + 1u + lane; i < rows; i += ${LANES}u) { ${values}[other + i] -= dot * ${values}[column + i]; }
        if (lane == 0u) { ${end} }
      }
      workgroupBarrier();
    }`;
    return `
var<workgroup> sums: array<f32, ${THREADS}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = groupOf(group);
  if (number >= word(0u)) { return; }
  let a = blocks[${QR_WORDS}u * number];
  let ld = blocks[${QR_WORDS}u * number + 1u];
  let rows = blocks[${QR_WORDS}u * number + 2u];
  let columns = blocks[${QR_WORDS}u * number + 3u];
  let r = blocks[${QR_WORDS}u * number + 4u];
  let step = blocks[${QR_WORDS}u * number + 5u];
  let lane = thread % ${LANES}u;
  for (var k = 0u; k < columns; k++) {
    let column = a + k * ld;
    var sum = 0.0;
    ${makeReflection(values)}
    for (var i = k + 1u + thread; i < columns; i += ${THREADS}u) { ${triangles}[r + i + k * step] = 0.0; }
    if (thread == 0u) {
      ${values}[column + k] = tau;
      ${triangles}[r + k + k * step] = beta;
    }
    storageBarrier();
    workgroupBarrier();
    ${reflect(`${values}[other + k]`, `${triangles}[r + k + c * step] = ${values}[other + k] - dot;`)}
    storageBarrier();
    workgroupBarrier();
  }
  for (var j = 0u; j < columns; j++) {
    let k = columns - 1u - j;
    let column = a + k * ld;
    let tau = ${values}[column + k];
    ${reflect('0.0', `${values}[other + k] = -dot;`)}
    storageBarrier();
    workgroupBarrier();
    for (var i = thread; i < rows; i += ${THREADS}u) {
      let q = select(-tau * ${values}[column + i], 1.0 - tau, i == k);
      ${values}[column + i] = select(q, 0.0, i < k);
    }
    storageBarrier();
    workgroupBarrier();
  }
}
`;
  },
};

/** QR factorizations: one step. */
export const qrSteps = (work: Qrs): Step[] =>
  work.blocks.length === 0
    ? []
    : [
        {
          kernel: () => QR,
          lists: { blocks: wordsOf(listsOfQrs(work)['blocks']) },
          constants: [],
          operands: { values: 'values', triangles: 'triangles' },
          groups: () => [work.blocks.length, 1],
        },
      ];
