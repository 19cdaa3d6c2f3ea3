/**
 * Triangles of any order, by panels of PANEL columns or rows: what the panels before have to do with one is a block
 * product, and what is left of it stands in shared memory.
 *
 *   Cholesky:      A(p:, p) −= L(p:, :p)·L(p, :p)ᵀ,   A(p, p) = L·Lᵀ,   A(below, p) ← A(below, p)·L⁻ᵀ
 *   substitution:  X(p) −= L(p, :p)·X(:p),   X(p) ← L(p, p)⁻¹·X(p)
 */
import { BlockRowsBuilder } from '../../block-rows.js';
import type { Block } from '../../work/demand.js';
import type { ProductTarget } from '../../work/products.js';
import { ofRows, type Choleskys, type Substitutions, type TrianglePlace } from '../../work/triangles.js';
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

/** A triangle of the diagonal, at most PANEL, and what it is to be solved for. */
interface Small {
  readonly triangle: TrianglePlace;
  readonly x: Block;
  readonly columns: number;
}

/** X ← L⁻¹·X or L⁻ᵀ·X of small triangles with blocks. */
function blockStep(smalls: readonly Small[], transposed: boolean, operands: Step['operands']): Step[] {
  const systems: number[] = [];
  const parts: number[] = [];
  smalls.forEach(({ triangle: { offset, ld, order }, x, columns }, system) => {
    systems.push(offset, ld, order, x.offset, x.ld, x.transposed === true ? 1 : 0, columns);
    for (let first = 0; first < columns; first += THREADS) parts.push(system, first);
  });
  if (parts.length === 0) return [];
  return [
    {
      kernel: () => SUBSTITUTIONS[transposed ? 1 : 0][0],
      lists: { systems: wordsOf(systems), parts: wordsOf(parts) },
      constants: [],
      operands,
      groups: () => [parts.length / 2, 1],
    },
  ];
}

const panelsOf = (orders: readonly number[]): number => Math.ceil(Math.max(0, ...orders) / PANEL);

/** Rows first … first + rows of a block. */
const below = (block: Block, first: number): Block => ({
  ...block,
  offset: block.offset + (block.transposed === true ? first * block.ld : first),
});

/** Factorizations: three steps a panel. */
export function choleskySteps({ triangles }: Choleskys): Step[] {
  const steps: Step[] = [];
  const own = { a: 'values', b: 'values', c: 'values' };
  for (let panel = 0; panel < panelsOf(triangles.map(({ order }) => order)); panel++) {
    const first = panel * PANEL;
    const blocks: number[] = [];
    const updates: ProductTarget[] = [];
    const smalls: Small[] = [];
    triangles.forEach(({ offset, ld, order, status }) => {
      if (order <= first) return;
      const diagonal = offset + first * (ld + 1);
      const width = Math.min(PANEL, order - first);
      blocks.push(diagonal, ld, width, status, first);
      const [a, b] = [
        { offset: offset + first, ld },
        { offset: offset + first, ld, transposed: true },
      ];
      if (first > 0)
        updates.push({
          c: { offset: diagonal, ld },
          rows: order - first,
          columns: width,
          lower: true,
          terms: [{ a, b, depth: first }],
        });
      const columns = order - first - width;
      const x = { offset: diagonal + width, ld, transposed: true };
      if (columns > 0) smalls.push({ triangle: { offset: diagonal, ld, order: width }, x, columns });
    });
    steps.push(
      ...productSteps({ kind: 'products', alpha: -1, beta: 1, targets: updates }, own),
      {
        kernel: () => DIAGONAL,
        lists: { blocks: wordsOf(blocks) },
        constants: [],
        operands: { values: 'values', status: 'status' },
        groups: () => [blocks.length / 5, 1],
      },
      ...blockStep(smalls, false, { triangles: 'values', x: 'values' }),
    );
  }
  return steps;
}

/** Substitutions: two steps a panel. */
export function substitutionSteps(work: Substitutions): (Step | RowsStep)[] {
  const { systems, transposed } = work;
  const steps: (Step | RowsStep)[] = [];
  const panels = panelsOf(systems.map(({ triangle: { order } }) => order));
  for (let k = 0; k < panels; k++) {
    const first = PANEL * (transposed ? panels - 1 - k : k);
    const here = systems
      .filter(({ triangle: { order } }) => order > first)
      .map(({ triangle: { offset, ld, order }, x }) => {
        const width = Math.min(PANEL, order - first);
        const end = first + width;
        // Rows that are done, and the block of L that they meet: L(p, :p), or L(below, p)ᵀ.
        const done = transposed ? { from: end, depth: order - end } : { from: 0, depth: first };
        const l = { offset: offset + (transposed ? end + first * ld : first), ld, transposed };
        return { triangle: { offset: offset + first * (ld + 1), ld, order: width }, x, done, l };
      });
    steps.push(...(ofRows(work) ? rowPanel(here, first, transposed) : blockPanel(here, first, transposed)));
  }
  return steps;
}

/** What a panel of a system is: its triangle, rows that are done, and the block of L that they meet. */
interface PanelSystem {
  readonly triangle: TrianglePlace;
  readonly x: Substitutions['systems'][number]['x'];
  readonly done: { readonly from: number; readonly depth: number };
  readonly l: Block;
}

function blockPanel(systems: readonly PanelSystem[], first: number, transposed: boolean): Step[] {
  const updates: ProductTarget[] = [];
  const smalls: Small[] = [];
  for (const { triangle, x, done, l } of systems) {
    const { block, columns } = x as { readonly block: Block; readonly columns: number };
    const c = below(block, first);
    smalls.push({ triangle, x: c, columns });
    if (done.depth > 0)
      updates.push({
        c,
        rows: triangle.order,
        columns,
        terms: [{ a: l, b: below(block, done.from), depth: done.depth }],
      });
  }
  return [
    ...productSteps({ kind: 'products', alpha: -1, beta: 1, targets: updates }, { a: 'triangles', b: 'x', c: 'x' }),
    ...blockStep(smalls, transposed, { triangles: 'triangles', x: 'x' }),
  ];
}

function rowPanel(systems: readonly PanelSystem[], first: number, transposed: boolean): (Step | RowsStep)[] {
  const updates = new BlockRowsBuilder(true, -1);
  const words: number[] = [];
  for (const { triangle, x, done, l } of systems) {
    const row = x.first!;
    words.push(triangle.offset, triangle.ld, triangle.order, row + first, 0, 0, 0);
    const term = { offset: l.offset, ld: l.ld, transposed, source: row + done.from, terms: done.depth };
    if (done.depth > 0) updates.add(row + first, triangle.order, [term]);
  }
  const step: Step = {
    kernel: () => SUBSTITUTIONS[transposed ? 1 : 0][1],
    lists: { systems: wordsOf(words) },
    constants: [],
    operands: { triangles: 'triangles', x: 'x' },
    groups: (width) => [systems.length, Math.ceil(width / THREADS)],
  };
  const before: RowsStep[] =
    updates.targets === 0 ? [] : [{ rows: updates.build(), values: 'triangles', vectors: 'x' }];
  return [...before, step];
}
