/**
 * Launches of every kind on a card beside the same on the team: the largest difference of each, against what rounding
 * allows.
 */
import { floats, precisionOf, ROUNDOFF, type FloatArray, type Precision } from '../src/core/floats.js';
import { RandomStream } from '../src/core/random.js';
import { BlockRowsBuilder, type BlockRows } from '../src/device/block-rows.js';
import type { Device } from '../src/device/device.js';
import type { Block } from '../src/device/work/demand.js';
import { placesOfBlock } from '../src/device/work/gathers.js';
import type { TrianglePlace } from '../src/device/work/triangles.js';
import type { Work } from '../src/device/work/work.js';

/** A check, and its largest difference in units of what rounding allows: 1 at most where all is well. */
export interface CheckResult {
  readonly check: string;
  readonly precision: Precision;
  readonly excess: number;
}

/** Random numbers, in that precision. */
export function randomNumbers(length: number, precision: Precision, seed: number): FloatArray {
  const numbers = new Float64Array(length);
  new RandomStream(seed).fillNormal(numbers);
  return precision === 'f64' ? numbers : Float32Array.from(numbers);
}

/** Rows of a target, rows of its terms, whether they are transposed: sizes beside those of tiles. */
const ROWS: readonly (readonly [count: number, terms: readonly (readonly [number, boolean])[]])[] = [
  [1, [[1, false]]],
  [3, [[17, true], [5, false]]], // prettier-ignore
  [65, [[33, false], [1, true], [64, true]]], // prettier-ignore
  [130, [[7, true]]],
  [15, [[500, false]]],
  [200, [[129, true], [300, false]]], // prettier-ignore
];
const WIDTHS = [1, 3, 16, 66];

function blockRows(): { readonly rows: BlockRows; readonly values: number; readonly height: number } {
  const builder = new BlockRowsBuilder(true, -0.75);
  const sources = 520;
  let values = 3;
  let first = sources;
  for (const [count, shapes] of ROWS) {
    const terms = shapes.map(([k, transposed], i) => {
      const ld = (transposed ? k : count) + (i % 3);
      const offset = values;
      values += ld * (transposed ? count : k) + 1;
      return { offset, ld, transposed, source: (7 * i) % (sources - k), terms: k };
    });
    builder.add(
      first,
      count,
      terms,
      Int32Array.from({ length: count }, (_, i) => (i % 5 === 0 ? -1 : i)),
    );
    first += count + 1;
  }
  return { rows: builder.build(), values, height: first };
}

/** Largest |a − b| of all, over ε times the largest |b|, and over `count`: how many roundings there may be. */
function excessOf(a: FloatArray, b: FloatArray, precision: Precision, count: number): number {
  let [worst, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    worst = Math.max(worst, Number.isFinite(difference) ? difference : Infinity);
    size = Math.max(size, Math.abs(b[i]));
  }
  return worst / (ROUNDOFF[precision] * count * Math.max(size, Number.MIN_VALUE));
}

/** A matrix in the lower triangle at a place that is positive definite. */
function putDefinite(values: FloatArray, { offset, ld, order }: TrianglePlace): void {
  for (let j = 0; j < order; j++)
    for (let i = j; i < order; i++) values[offset + i + j * ld] = (i === j ? 3 : 0) + 1 / (1 + i - j);
}

/** Works, with what their operands hold before, the one they write, and the longest sum. */
function works(precision: Precision): readonly (readonly [Work, Record<string, FloatArray>, string, number])[] {
  const orders = [1, 31, 32, 33, 100, 300];
  let length = 1;
  const places = orders.map((order) => {
    const place = { offset: length, ld: order + (order % 3), order };
    length += place.ld * order;
    return place;
  });
  const triangles = floats(length, precision);
  for (const place of places) putDefinite(triangles, place);
  const numbers = (count: number, seed: number): FloatArray => randomNumbers(count, precision, seed);
  let at = 0;
  const block = (rows: number, columns: number, transposed: boolean): Block => {
    const ld = (transposed ? columns : rows) + 2;
    const offset = at;
    at += ld * (transposed ? rows : columns);
    return { offset, ld, transposed };
  };
  const shapes = [[7, 3, 5], [33, 65, 64], [200, 130, 300], [16, 16, 16]] as const; // prettier-ignore
  const targets = shapes.map(([rows, columns, depth], i) => ({
    c: block(rows, columns, i % 2 === 0),
    rows,
    columns,
    terms: [{ a: block(rows, depth, i > 1), b: block(depth, columns, i % 3 === 0), depth }],
  }));
  const rows = places.map((triangle, i) => ({ triangle, x: { first: 600 * i } }));
  const blocks = places.map((triangle, i) => ({
    triangle,
    x: { block: { offset: 25_000 * i, ld: 310, transposed: false }, columns: 70 },
  }));
  const one = numbers(at, 1);
  return [
    [{ kind: 'products', alpha: -2, beta: 0.5, targets }, { a: one, b: one.map((v) => -v), c: one.slice() }, 'c', 300],
    [
      {
        kind: 'gathers',
        alpha: 2,
        keep: true,
        pieces: [{ from: placesOfBlock(3, 70, 60, 40), to: placesOfBlock(0, 61, 60, 40) }],
      },
      { from: numbers(3000, 2), to: numbers(3000, 3) },
      'to',
      4,
    ],
    [
      { kind: 'cholesky', triangles: places.map((place, status) => ({ ...place, status })) },
      { values: triangles, status: floats(orders.length, precision) },
      'values',
      1200,
    ],
    ...[false, true].flatMap((transposed) => [
      [
        { kind: 'substitutions', transposed, systems: rows } as const,
        { triangles, x: numbers(3600 * 5, 4) },
        'x',
        3000,
      ] as const,
      [
        { kind: 'substitutions', transposed, systems: blocks } as const,
        { triangles, x: numbers(150_000, 5) },
        'x',
        3000,
      ] as const,
    ]),
    [
      {
        kind: 'qr',
        blocks: [300, 33, 64].map((rows, i) => ({
          a: { offset: 10_000 * i, ld: 310 },
          r: { offset: 1000 * i, ld: 30 },
          rows,
          columns: 25,
        })),
      },
      { values: numbers(30_000, 11), triangles: floats(3000, precision) },
      'values',
      3000,
    ],
    [
      {
        kind: 'interpolations',
        blocks: [300, 33, 64].map((rows, i) => ({
          a: { offset: 20_000 * i, ld: 310 },
          rows,
          columns: 60,
          threshold: 0,
          maxRank: 20,
          order: 60 * i,
          t: { offset: 1200 * i, ld: 20 },
          outcome: 2 * i,
        })),
      },
      {
        values: numbers(60_000, 12),
        order: floats(180, precision),
        interpolations: floats(3600, precision),
        outcomes: floats(6, precision),
      },
      'interpolations',
      3000,
    ],
    [
      { kind: 'innerProducts', products: [{ x: 0, y: 1, count: 700, to: 1 }] },
      { x: numbers(3600, 6), y: numbers(3600, 7), out: floats(10, precision) },
      'out',
      700,
    ],
    [
      {
        kind: 'combination',
        x: 0,
        y: 1,
        count: 700,
        alpha: { constant: -1, numerator: 0, denominator: 1 },
        beta: { constant: 2 },
      },
      { x: numbers(3600, 8), y: numbers(3600, 9), scalars: numbers(10, 10) },
      'y',
      8,
    ],
  ];
}

/** What an operand holds after a launch of width 5. */
async function resultOf(
  device: Device,
  [work, numbers, written]: ReturnType<typeof works>[number],
): Promise<FloatArray> {
  const planned = await device.plan(work);
  const operands = Object.fromEntries(
    await Promise.all(
      Object.entries(numbers).map(async ([name, values]) => [name, await device.upload(values)] as const),
    ),
  );
  device.launch(planned, operands as never, 5);
  const result = floats(numbers[written].length, precisionOf(Object.values(numbers)[0]));
  await device.read(operands[written], result);
  // What then stands above the diagonals is not said.
  if (work.kind === 'cholesky')
    for (const { offset, ld, order } of work.triangles)
      for (let j = 1; j < order; j++) result.fill(0, offset + j * ld, offset + j * (ld + 1));
  for (const one of [planned, ...Object.values(operands)]) one.destroy();
  return result;
}
/** The checks of a card beside the team, one after the other. */
export async function* checks(card: Device, team: Device, precision: Precision): AsyncGenerator<CheckResult> {
  const { rows, values, height } = blockRows();
  const numbers = randomNumbers(values, precision, 1);
  for (const width of WIDTHS) {
    const vectors = randomNumbers(height * width, precision, width);
    const [got, expected] = await Promise.all(
      [card, team].map(async (device) => {
        const prepared = await device.prepare(rows);
        const operands = { values: await device.upload(numbers), vectors: await device.upload(vectors) };
        device.multiply(prepared, operands, width);
        const result = vectors.slice();
        await device.read(operands.vectors, result);
        for (const one of [prepared, operands.values, operands.vectors]) one.destroy();
        return result;
      }),
    );
    yield { check: `block rows, ${width} vectors`, precision, excess: excessOf(got, expected, precision, 600) };
  }
  for (const work of works(precision)) {
    const [got, expected] = [await resultOf(card, work), await resultOf(team, work)];
    yield { check: work[0].kind, precision, excess: excessOf(got, expected, precision, work[3]) };
  }
}
