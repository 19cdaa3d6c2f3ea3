/**
 * Triangles by panels (work/panels.ts), what is left of which stands in shared memory.
 */
import { choleskyPanels, listOfDiagonals, substitutionPanels, type DiagonalBlock } from '../../work/panels.js';
import { listsOfSubstitutions, ofRows, type Choleskys, type Substitutions } from '../../work/triangles.js';
import { partsOf } from '../../work/tiles.js';
import { productSteps } from './products.js';
import type { Kernel } from './shader.js';
import { wordsOf, type RowsStep, type Step } from './step.js';

/** Order of the triangles that stand in shared memory. */
const PANEL = 32;
const THREADS = 64;

/** Words of a diagonal block: of L offset, ld, order; the place of its status; the pivots before. */
const DIAGONAL: Kernel = {
  name: 'cholesky',
  lists: ['blocks'],
  operands: ['values', 'status'],
  writes: ['values', 'status'],
  takesWidth: false,
  body: ({ values, status }) => `
var<workgroup> l: array<f32, ${PANEL * (PANEL + 1)}>;
// 0: all is well; else the pivot that is not.
var<workgroup> failed: u32;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = groupOf(group);
  if (number >= word(0u)) { return; }
  let offset = blocks[5u * number];
  let ld = blocks[5u * number + 1u];
  let order = blocks[5u * number + 2u];
  let triangle = blocks[5u * number + 3u];
  let before = blocks[5u * number + 4u];
  for (var e = thread; e < order * order; e += ${THREADS}u) {
    l[(e % order) * ${PANEL + 1}u + e / order] = ${values}[offset + e % order + (e / order) * ld];
  }
  if (thread == 0u) { failed = select(0u, u32(${status}[triangle]), before > 0u); }
  workgroupBarrier();
  for (var k = 0u; k < ${PANEL}u; k++) {
    if (thread == 0u && k < order && failed == 0u) {
      let pivot = l[k * ${PANEL + 2}u];
      // By its bits: kernels may be compiled as if nothing were infinite or not a number.
      let bits = bitcast<u32>(pivot);
      if (bits > 0u && bits < 0x7f800000u) { l[k * ${PANEL + 2}u] = sqrt(pivot); } else { failed = before + k + 1u; }
    }
    workgroupBarrier();
    let row = thread % ${PANEL}u;
    let going = failed == 0u && row > k && row < order;
    if (going && thread < ${PANEL}u) { l[row * ${PANEL + 1}u + k] /= l[k * ${PANEL + 2}u]; }
    workgroupBarrier();
    if (going) {
      for (var j = k + 1u + thread / ${PANEL}u; j <= row; j += ${THREADS / PANEL}u) {
        l[row * ${PANEL + 1}u + j] -= l[row * ${PANEL + 1}u + k] * l[j * ${PANEL + 1}u + k];
      }
    }
    workgroupBarrier();
  }
  for (var e = thread; e < order * order; e += ${THREADS}u) {
    if (e % order >= e / order) {
      ${values}[offset + e % order + (e / order) * ld] = l[(e % order) * ${PANEL + 1}u + e / order];
    }
  }
  if (thread == 0u) { ${status}[triangle] = f32(failed); }
}
`,
};

/** Words of a system: of L offset, ld, order; of X offset or first row, ld, transposed, columns. */
function substitution(transposed: boolean, rows: boolean): Kernel {
  const step = transposed
    ? {
        from: 'order - 1u - k',
        others: `for (var i = 0u; i < d; i++) { x[i * ${THREADS}u + thread] -= l[d * ${PANEL}u + i] * value; }`,
      }
    : {
        from: 'k',
        others: `for (var i = d + 1u; i < order; i++) { x[i * ${THREADS}u + thread] -= l[i * ${PANEL}u + d] * value; }`,
      };
  return {
    name: `substitution${transposed ? ' transposed' : ''}${rows ? ' of rows' : ''}`,
    lists: ['systems', ...(rows ? [] : ['parts'])],
    operands: ['triangles', 'x'],
    writes: ['x'],
    takesWidth: rows,
    body: ({ triangles, x }) => `
var<workgroup> l: array<f32, ${PANEL * PANEL}>;
var<workgroup> x: array<f32, ${PANEL * THREADS}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = groupOf(group);
  if (number >= word(0u)) { return; }
  let s = 7u * ${rows ? 'number' : 'parts[2u * number]'};
  let column = ${rows ? `group.z * ${THREADS}u` : 'parts[2u * number + 1u]'} + thread;
  let order = systems[s + 2u];
  let offset = systems[s + 3u];
  for (var e = thread; e < order * order; e += ${THREADS}u) {
    l[(e % order) * ${PANEL}u + e / order] = ${triangles}[systems[s] + e % order + (e / order) * systems[s + 1u]];
  }
  let columns = ${rows ? 'widths.x' : 'systems[s + 6u]'};
  let down = ${rows ? 'widths.x' : 'select(1u, systems[s + 4u], systems[s + 5u] == 1u)'};
  let across = ${rows ? '1u' : 'select(systems[s + 4u], 1u, systems[s + 5u] == 1u)'};
  let first = ${rows ? 'offset * widths.x' : 'offset'} + column * across;
  if (column < columns) {
    for (var i = 0u; i < order; i++) { x[i * ${THREADS}u + thread] = ${x}[first + i * down]; }
  }
  workgroupBarrier();
  if (column >= columns) { return; }
  for (var k = 0u; k < order; k++) {
    let d = ${step.from};
    let value = x[d * ${THREADS}u + thread] / l[d * ${PANEL + 1}u];
    x[d * ${THREADS}u + thread] = value;
    ${step.others}
  }
  for (var i = 0u; i < order; i++) { ${x}[first + i * down] = x[i * ${THREADS}u + thread]; }
}
`,
  };
}

const SUBSTITUTIONS = [false, true].map((transposed) => [false, true].map((rows) => substitution(transposed, rows)));

/** L·Lᵀ of blocks of the diagonal. */
function diagonalStep(diagonals: readonly DiagonalBlock[]): Step {
  return {
    kernel: () => DIAGONAL,
    lists: { blocks: wordsOf(listOfDiagonals(diagonals)) },
    constants: [],
    operands: { values: 'values', status: 'status' },
    groups: () => [diagonals.length, 1],
  };
}

/** X ← L⁻¹·X or L⁻ᵀ·X of small triangles. */
function solveSteps(work: Substitutions, operands: Step['operands']): Step[] {
  const systems = wordsOf(listsOfSubstitutions(work)['systems']);
  const kernel = (): Kernel => SUBSTITUTIONS[work.transposed ? 1 : 0][ofRows(work) ? 1 : 0];
  const step = { kernel, constants: [], operands };
  if (ofRows(work))
    return [{ ...step, lists: { systems }, groups: (width) => [work.systems.length, Math.ceil(width / THREADS)] }];
  const parts = partsOf(
    work.systems.map(({ x }) => (x.block === undefined ? 0 : x.columns)),
    THREADS,
  );
  if (parts.length === 0) return [];
  return [{ ...step, lists: { systems, parts: wordsOf(parts) }, groups: () => [parts.length / 2, 1] }];
}

/** Factorizations: three steps a panel. */
export const choleskySteps = (work: Choleskys): Step[] =>
  choleskyPanels(work, PANEL).flatMap(({ updates, diagonals, solves }) => [
    ...productSteps(updates, { a: 'values', b: 'values', c: 'values' }),
    diagonalStep(diagonals),
    ...solveSteps(solves, { triangles: 'values', x: 'values' }),
  ]);

/** Substitutions: two steps a panel. */
export const substitutionSteps = (work: Substitutions): (Step | RowsStep)[] =>
  substitutionPanels(work, PANEL).flatMap(({ updates, rows, solves }) => [
    ...(updates === undefined ? [] : productSteps(updates, { a: 'triangles', b: 'x', c: 'x' })),
    ...(rows === undefined ? [] : [{ rows, values: 'triangles', vectors: 'x' }]),
    ...solveSteps(solves, { triangles: 'triangles', x: 'x' }),
  ]);
