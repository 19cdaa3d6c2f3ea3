/**
 * Kernels that go number by number, and sums along rows and columns, over one buffer `h`.
 */
import type { PortableKernel } from '../../device/portable-kernel.js';

const BUFFERS = ['h'];

/** h[y + i] ← …; with keep what stood there is added. */
export function map(
  name: string,
  integers: readonly string[],
  text: string,
  reals: readonly string[] = [],
): PortableKernel {
  return {
    name,
    buffers: BUFFERS,
    integers: ['y', 'keep', ...integers],
    reals,
    body: `real result = 0.0;
${text}
if (keep > 0) { result = result + h[y + i]; }
h[y + i] = result;`,
  };
}

/** h[y + i] ← factor·Σ_k …; with keep what stood there is added. */
export function reduction(name: string, integers: readonly string[], text: string): PortableKernel {
  return {
    name,
    buffers: BUFFERS,
    integers: ['y', 'keep', 'terms', ...integers],
    reals: ['factor'],
    sum: { terms: 'terms', text, join: 'sum' },
    body: `real result = factor * total;
if (keep > 0) { result = result + h[y + i]; }
h[y + i] = result;`,
  };
}

/** h[y + i] ← max_k … */
export const largest = (name: string, integers: readonly string[], text: string): PortableKernel => ({
  name,
  buffers: BUFFERS,
  integers: ['y', 'terms', ...integers],
  sum: { terms: 'terms', text, join: 'max' },
  body: 'h[y + i] = total;',
});

/** A kernel whose text writes by itself. */
export const writing = (name: string, integers: readonly string[], body: string): PortableKernel => ({
  name,
  buffers: BUFFERS,
  integers,
  body,
});

/** h[y + i] ← value. */
export const FILL = map('fill', [], 'result = value;', ['value']);

const sums = new Map<number, PortableKernel>();

/** y ← Σ_k c_k·x_k of so many terms, all read before y is written. */
export function combineKernel(terms: number): PortableKernel {
  let kernel = sums.get(terms);
  if (kernel === undefined) {
    const numbers = Array.from({ length: terms }, (_, k) => k);
    kernel = map(
      `combine ${terms}`,
      numbers.map((k) => `x${k}`),
      numbers.map((k) => `result = result + c${k} * h[x${k} + i];`).join('\n'),
      numbers.map((k) => `c${k}`),
    );
    sums.set(terms, kernel);
  }
  return kernel;
}

/** y ← a∘b. */
export const MULTIPLY = map('multiply', ['a', 'b'], 'result = h[a + i] * h[b + i];');
/** y_ij ← a_i·x_ij. */
export const SCALE_ROWS = map('scale rows', ['a', 'x', 'rows'], 'result = h[a + i % rows] * h[x + i];');
/** y_ij ← a_j·x_ij. */
export const SCALE_COLUMNS = map('scale columns', ['a', 'x', 'rows'], 'result = h[a + i / rows] * h[x + i];');

/** y_i ← factor·Σ_j x_ij·z_ij. */
export const ROW_DOTS = reduction('row dots', ['x', 'z', 'rows'], 'value = h[x + i + k * rows] * h[z + i + k * rows];');
/** y_j ← factor·Σ_i x_ij·z_ij. */
export const COLUMN_DOTS = reduction(
  'column dots',
  ['x', 'z', 'rows'],
  'value = h[x + i * rows + k] * h[z + i * rows + k];',
);

/** y ← factor·x at (i/divisor) mod modulus + (i/block)·jump. */
export const SPREAD = map(
  'spread',
  ['x', 'divisor', 'modulus', 'block', 'jump'],
  'result = factor * h[x + (i / divisor) % modulus + (i / block) * jump];',
  ['factor'],
);
/** y_i ← factor·Σ_k x at i mod modulus + (i/modulus)·jump + k·step. */
export const GATHER = reduction(
  'gather',
  ['x', 'modulus', 'jump', 'step'],
  'value = h[x + i % modulus + (i / modulus) * jump + k * step];',
);
