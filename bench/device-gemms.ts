/**
 * Products of large blocks on a card by kernels of our own and by cuBLAS, one after the other: times, rates, and how
 * far the results are apart.
 */
import { floats, PRECISIONS, type FloatArray, type Precision } from '../src/core/floats.js';
import { CudaDevice } from '../src/device/cuda/device.js';
import type { CublasLibrary, GemmForm } from '../src/device/cuda/cublas.js';
import { GEMM_LEAST, type GemmLeast } from '../src/device/cuda/gemms.js';
import { findCard } from '../src/device/cuda/open.js';
import { BlockRowsBuilder, type BlockRows } from '../src/device/block-rows.js';
import { ARITHMETICS, type Arithmetic, type Device, type DeviceBuffer } from '../src/device/device.js';
import type { BlockProducts, ProductTarget } from '../src/device/work/products.js';
import type { Work } from '../src/device/work/work.js';
import { randomNumbers } from './device-checks.js';
import type { NetworkStep } from './device-networks.js';
import { difference, judge, milliseconds, tell } from './device-results.js';

/** Rows, columns and depth of a product. */
type Shape = readonly [rows: number, columns: number, depth: number];

/** Products one behind the other in three buffers, or, shuffled, not in their order: A as it stands, B transposed. */
function productsOf(shapes: readonly Shape[], shuffled = false): BlockProducts {
  const next = [0, 0, 0];
  const targets = shapes.map(([rows, columns, depth]): ProductTarget => {
    const [a, b, c] = [rows * depth, depth * columns, rows * columns].map((length, o) => {
      next[o] += length;
      return next[o] - length;
    });
    const terms = [{ a: { offset: a, ld: rows }, b: { offset: b, ld: columns, transposed: true }, depth }];
    return { c: { offset: c, ld: rows }, rows, columns, terms };
  });
  if (shuffled) {
    const places = targets.map(({ c }) => c);
    targets.forEach((target, i) => (targets[i] = { ...target, c: places[(7 * i + 1) % places.length] }));
  }
  return { kind: 'products', alpha: 1, beta: 0, targets };
}

/** The works: a large product, a layer's, many of one shape, those out of order, those of many shapes; a triangle. */
function worksOf(smoke: boolean): Readonly<Record<string, Work>> {
  const many = (count: number, shape: (i: number) => Shape): Shape[] =>
    Array.from({ length: count }, (_, i) => shape(i));
  const [large, size, count, order] = smoke ? [64, 24, 8, 530] : [4096, 256, 256, 8192];
  return {
    'a product': productsOf([[large, large, large]]),
    'a layer': productsOf([smoke ? [40, 30, 50] : [1000, 1000, 784]]),
    'many of one shape': productsOf(many(count, () => [size, size, size])),
    'many out of order': productsOf(
      many(count, () => [size, size, size]),
      true,
    ),
    'of many shapes': productsOf(many(count, (i) => [size + (i % 16), size, size + (i % 7)])),
    'a triangle': { kind: 'cholesky', triangles: [{ offset: 0, ld: order, order, status: 0 }] },
  };
}

const PIECE = 2 ** 20;
/** What both may differ by where each rounds factors to 8 or 11 bits. */
const ROUNDED = 0.05;

/** Numbers at random, in pieces that are alike. */
function repeated(length: number, precision: Precision): FloatArray {
  const numbers = floats(length, precision);
  const piece = randomNumbers(Math.min(length, PIECE), precision, 1);
  for (let at = 0; at < length; at += PIECE) numbers.set(piece.subarray(0, Math.min(PIECE, length - at)), at);
  return numbers;
}

/** What the operands hold before; the first that is named is written, and compared. */
function numbersOf(work: Work, precision: Precision): Readonly<Record<string, FloatArray>> {
  if (work.kind === 'cholesky') {
    const [{ order }] = work.triangles;
    const values = repeated(order * order, precision);
    // Four times the sum of a row: the matrix is positive definite.
    for (let i = 0; i < order; i++) values[i * (order + 1)] = 4 * order;
    return { values, status: floats(1, precision) };
  }
  const { targets } = work as BlockProducts;
  const sum = (of: (target: ProductTarget) => number): number =>
    targets.reduce((total, target) => total + of(target), 0);
  return {
    c: floats(
      sum(({ rows, columns }) => rows * columns),
      precision,
    ),
    a: repeated(
      sum(({ rows, terms }) => rows * terms[0].depth),
      precision,
    ),
    b: repeated(
      sum(({ columns, terms }) => columns * terms[0].depth),
      precision,
    ),
  };
}

/** A work on a device. */
interface Measured {
  readonly ms: number;
  readonly flops: number;
  /** The last numbers of its result. */
  readonly result: FloatArray;
}

/** Times a work, and brings the last of its result. */
export async function measured(device: Device, work: Work, precision: Precision, times: number): Promise<Measured> {
  const numbers = numbersOf(work, precision);
  const buffers: Record<string, DeviceBuffer> = {};
  for (const [name, values] of Object.entries(numbers)) buffers[name] = await device.upload(values);
  const planned = await device.plan(work);
  const launch = (): void => {
    device.launch(planned, buffers as never);
  };
  const [written] = Object.keys(numbers);
  const { length } = numbers[written];
  launch();
  const result = floats(Math.min(length, PIECE), precision);
  const first = length - result.length;
  await device.read(buffers[written], result, first);
  // What then stands above the diagonal is not said.
  if (work.kind === 'cholesky') {
    const [{ order }] = work.triangles;
    for (let i = 0; i < result.length; i++) if ((first + i) % order < Math.floor((first + i) / order)) result[i] = 0;
  }
  // A factor stands in the place of its matrix: it is factored itself then, which takes as long.
  const ms = await milliseconds(device, launch, times);
  const { flops } = planned.cost();
  for (const one of [planned, ...Object.values(buffers)]) one.destroy();
  return { ms, flops, result };
}

/** Blocks of leaves, each beside itself and its neighbors, that multiply many vectors. */
function leavesOf(smoke: boolean): {
  readonly rows: BlockRows;
  readonly width: number;
  readonly numbers: readonly number[];
} {
  const [leaves, size, width] = smoke ? [6, 24, 40] : [128, 256, 512];
  const builder = new BlockRowsBuilder(false);
  let values = 0;
  for (let leaf = 0; leaf < leaves; leaf++) {
    const near = [leaf, leaf - 1, leaf + 1].filter((one) => one >= 0 && one < leaves);
    const terms = near.map((one) => {
      values += size * size;
      return { offset: values - size * size, ld: size, transposed: one < leaf, source: one * size, terms: size };
    });
    builder.add((leaves + leaf) * size, size, terms);
  }
  return { rows: builder.build(), width, numbers: [values, 2 * leaves * size * width] };
}

/** The product of leaves; in f32 with an arithmetic perhaps. */
async function measuredLeaves(
  device: Device,
  smoke: boolean,
  { precision, arithmetic, times }: { precision: Precision; arithmetic?: Arithmetic | undefined; times: number },
): Promise<Measured> {
  const { rows, width, numbers } = leavesOf(smoke);
  const [values, vectors] = await Promise.all(
    numbers.map(async (length) => device.upload(repeated(length, precision))),
  );
  const prepared = await device.prepare(rows);
  const launch = (): void => {
    device.multiply(prepared, { values, vectors, arithmetic }, width);
  };
  const ms = await milliseconds(device, launch, times);
  const result = floats(Math.min(numbers[1] / 2, PIECE), precision);
  await device.read(vectors, result, numbers[1] - result.length);
  const { flops } = prepared.cost(width);
  for (const one of [prepared, values, vectors]) one.destroy();
  return { ms, flops, result };
}

/** What work comes to, and by which calls of cuBLAS, in order of their names. */
async function formsCalled<T>(
  library: CublasLibrary,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly forms: string }> {
  const forms = new Set<GemmForm>();
  const multiply = library.multiply.bind(library);
  library.multiply = (form, ...how) => {
    forms.add(form);
    multiply(form, ...how);
  };
  try {
    const result = await work();
    return { result, forms: [...forms].sort().join(', ') };
  } finally {
    library.multiply = multiply;
  }
}

/** Takes the step. */
export async function gemms({ step, smoke, times }: NetworkStep): Promise<void> {
  const card = findCard();
  const found = card.findCublas();
  if ('reason' in found) {
    tell({ step, leftOut: true, reason: found.reason });
    return;
  }
  const least: GemmLeast = smoke ? { extent: 16, depth: 16, flops: 2 ** 10 } : GEMM_LEAST;
  /** The same by our own kernels alone, and with cuBLAS. */
  const compare = async (
    common: { readonly what: string; readonly precision: Precision },
    taken: GemmLeast,
    measure: (device: Device) => Promise<Measured>,
    wrong?: number,
  ): Promise<void> => {
    const results: (Measured & { readonly forms: string })[] = [];
    for (const gemms of [{ ...taken, flops: Infinity }, taken]) {
      // Of a triangle cuBLAS has the products: cuSOLVER has a step of its own (device-factors.ts).
      const device = new CudaDevice(card, { memoryLimit: undefined, gemms, factors: Infinity });
      const { result, forms } = await formsCalled(found.library, async () => measure(device));
      results.push({ ...result, forms });
      await device.close();
    }
    const [own, other] = results;
    const by = { forms: other.forms, ownForms: own.forms };
    const rate = { flops: own.flops, ownMs: own.ms, cublasMs: other.ms, ratio: own.ms / other.ms };
    judge({ step, ...common, ...by, ...rate, error: difference(other.result, own.result) }, wrong);
  };
  for (const precision of PRECISIONS) {
    for (const [what, work] of Object.entries(worksOf(smoke))) {
      // Of many shapes none is alone worth a call.
      const taken = smoke && what === 'of many shapes' ? { ...least, flops: 2 ** 16 } : least;
      const count = work.kind === 'cholesky' ? 1 : times;
      await compare({ precision, what }, taken, async (device) => measured(device, work, precision, count));
    }
    for (const arithmetic of precision === 'f64' ? [undefined] : [undefined, ...ARITHMETICS]) {
      const { width } = leavesOf(smoke);
      const what = `leaves, ${width} vectors${arithmetic === undefined ? '' : `, ${arithmetic}`}`;
      await compare(
        { precision, what },
        least,
        async (device) => measuredLeaves(device, smoke, { precision, arithmetic, times }),
        arithmetic === undefined ? undefined : ROUNDED,
      );
    }
  }
}
