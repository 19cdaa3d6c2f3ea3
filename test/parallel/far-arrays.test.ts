/**
 * Shared memory beyond 4 GiB: what workers see of it. The buffers are sparse: the system commits the few pages that are
 * touched.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, OptionError } from '#hmatrix/core/errors.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import type { FloatArray, Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import { fromSent, toSend } from '#hmatrix/parallel/array-place.js';
import type { TaskDefinition } from '#hmatrix/parallel/task.js';
import { independentTasks, taskGraph, type TaskGraph } from '#hmatrix/parallel/task-graph.js';
import { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { denseOf, gaussianSource, normalPoints, randomMatrix } from '../support.js';

interface Tasks {
  visit: TaskDefinition<unknown, { turns: Int32Array; nested: unknown }>;
  count: TaskDefinition<{ out: Int32Array; log: Int32Array }, { add: number }>;
  arraysIn: (value: unknown) => ArrayBufferView[];
}
const { visit, count, arraysIn } = (await import('./tasks.mjs' as string)) as Tasks;

const GIB = 2 ** 30;
const BEYOND = 4 * GIB;
type Kind = new (buffer: SharedArrayBuffer, byteOffset: number, length: number) => ArrayBufferView;
const KINDS: readonly Kind[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
  DataView,
];

let next = BEYOND;
const memory = new SharedArrayBuffer(5 * GIB);
/** Room beyond 4 GiB, each of its own. */
function place(bytes: number): number {
  const at = next;
  next += Math.ceil(bytes / 64) * 64;
  return at;
}
function far<A extends FloatArray | Int32Array>(array: A): A {
  const copy = new (array.constructor as new (buffer: SharedArrayBuffer, at: number, length: number) => A)(
    memory,
    place(array.byteLength),
    array.length,
  );
  copy.set(array);
  return copy;
}
const bits = (array: FloatArray): Buffer => Buffer.from(array.slice().buffer);
const farMatrix = (a: Matrix): Matrix => ({ ...a, data: far(a.data) });

let team: Team;
beforeAll(async () => {
  team = await Team.open({ workers: 2 });
});
afterAll(() => team.close());

describe('shared memory beyond 4 GiB', () => {
  it('every_kind_of_array_arrives_wherever_it_stands_in_state_and_arguments', async () => {
    const short = KINDS.map((Kind) => (): ArrayBufferView => new Kind(memory, place(64), 4));
    // One that ends beyond 4 GiB, one that is longer; each over a buffer of its own.
    const across = new Float64Array(new SharedArrayBuffer(5 * GIB), BEYOND - 8, 4);
    const long = new Float64Array(new SharedArrayBuffer(5 * GIB));
    class Holder {
      readonly held = short[10]();
      readonly inner = { deep: [short[5](), [short[9]()]] };
    }
    const state = {
      list: short.map((make) => make()),
      map: new Map<unknown, unknown>([
        ['key', { x: short[10]() }],
        [{ name: 1 }, short[7]()],
      ]),
      set: new Set([short[0]()]),
      holder: new Holder(),
      across,
    };
    const nested = { x: { data: short[10](), offset: 0 }, list: [long, ...short.map((make) => make())] };
    const arrays = [...arraysIn(state), ...arraysIn(nested)];
    expect(arrays.length).toBe(2 * KINDS.length + 9);
    const bytes = (array: ArrayBufferView): number => array.byteLength;
    arrays.forEach((array, k) => {
      if (array instanceof DataView) {
        array.setInt8(0, k);
        array.setInt8(bytes(array) - 1, k + 1);
        return;
      }
      const numbers = array as Float64Array;
      const value = (x: number): number =>
        array instanceof BigInt64Array || array instanceof BigUint64Array ? (BigInt(x) as unknown as number) : x;
      numbers[0] = value(k);
      numbers[numbers.length - 1] = value(k + 1);
    });
    const turns = sharedInt32(1);
    await team.run('visit', visit, await team.share(state), independentTasks(2), { turns, nested });
    turns[0] = 0;
    team.runSync(visit, team.shareNow(state), independentTasks(2), { turns, nested });
    arrays.forEach((array, k) => {
      expect(array instanceof DataView ? array.getInt8(1) : Number((array as Float64Array)[1])).toBe(k + 2);
    });
  });

  it('task_graphs_may_lie_there', async () => {
    const size = 2000;
    const chains = taskGraph(size, Array.from({ length: size - 2 }, (_, t) => [t, t + 2]).flat());
    const graph = Object.fromEntries(
      Object.entries(chains).map(([key, value]) => [
        key,
        value instanceof Int32Array ? far(value) : (value as unknown),
      ]),
    ) as unknown as TaskGraph;
    const state = { out: far(sharedInt32(size)), log: far(sharedInt32(size)) };
    const shared = await team.share(state);
    let runs = 0;
    // Until the worker had a share of it.
    while (runs < 1000 && !state.log.includes(1)) {
      team.runSync(count, shared, graph, { add: 0 });
      runs++;
    }
    expect(state.log.includes(1)).toBe(true);
    expect(state.out.every((x) => x === runs)).toBe(true);
  });

  it('what_stands_twice_in_a_message_stands_twice_on_the_other_side_and_the_message_is_left_alone', () => {
    const array = new Float64Array(memory, place(64), 8);
    const inner = { array };
    const message: Record<string, unknown> = {
      inner,
      again: inner,
      list: [array],
      text: 'a',
      none: null,
      when: new Date(5),
    };
    message.self = message;
    const got = fromSent(structuredClone(toSend(message))) as typeof message & {
      list: Float64Array[];
      inner: { array: Float64Array };
    };
    expect(message.inner).toBe(inner);
    expect(inner.array).toBe(array);
    expect(got.self).toBe(got);
    expect(got.again).toBe(got.inner);
    expect(got.list[0]).toBe(got.inner.array);
    expect([got.list[0].byteOffset, got.list[0].length, got.text, got.none, got.when]).toEqual([
      array.byteOffset,
      8,
      'a',
      null,
      new Date(5),
    ]);
    const near = { x: new Float64Array(memory, 8, 4) };
    expect(toSend(near)).toBe(near);
  });

  it('an_array_that_is_too_large_to_be_copied_is_refused_by_its_size', async () => {
    const copied = new Float64Array(BEYOND / 8);
    await expect(team.share({ inner: [copied.subarray(0, 2)] })).rejects.toThrow(MemoryError);
    expect(() => team.shareNow({ bytes: copied.buffer })).toThrow(/SharedArrayBuffer/);
    expect(() => team.shareNow({ f: () => 0 })).toThrow(OptionError);
    const state = { out: sharedInt32(9), log: sharedInt32(9) };
    team.runSync(count, team.shareNow(state), independentTasks(9), { add: 0 });
    expect(state.out.every((x) => x === 1)).toBe(true);
  });

  const n = 400;
  it('sources_there_are_compressed_to_the_same_bits', async () => {
    const points = normalPoints(n, 2, 5);
    const options = { leafSize: 32, tolerance: 1e-4, budget: 0.1 };
    const dense = denseOf(gaussianSource(n, 2, 0.5, team.blas));
    for (const [near, beyond] of [
      [
        kernelSource(points, gaussian(0.5), { blas: team.blas }),
        kernelSource({ ...points, coordinates: far(points.coordinates as Float64Array) }, gaussian(0.5), {
          blas: team.blas,
        }),
      ],
      [denseSource(dense), denseSource(farMatrix(dense))],
    ] as const) {
      const expected = await compress(near, options, { team });
      const got = await compress(beyond, options, { team });
      expect(bits(got.data.values).equals(bits(expected.data.values))).toBe(true);
      expect(await got.estimateError(beyond)).toEqual(await expected.estimateError(near));
      const [exact, also] = [
        await entryOperator(near, { keepBytes: 0 }, { team }),
        await entryOperator(beyond, { keepBytes: 0 }, { team }),
      ];
      const x = randomMatrix(n, 2, 3);
      const [y, z] = [randomMatrix(n, 2, 4), farMatrix(randomMatrix(n, 2, 4))];
      exact.applyUnchecked(y, x, 1, 0.5);
      also.applyUnchecked(z, farMatrix(x), 1, 0.5);
      expect(bits(z.data).equals(bits(y.data))).toBe(true);
    }
  });

  it.each([
    ['hss', 'f64'],
    ['fmm', 'f64'],
    ['hodlr', 'f64'],
    ['hss', 'f32'],
    ['hodlr', 'f32'],
  ] as const)('matrices_whose_numbers_lie_there_multiply_and_solve_to_the_same_bits: %s, %s', async (format, dtype) => {
    const source = gaussianSource(n, 2, 0.5, team.blas);
    const near = await compress(
      source,
      { leafSize: 32, tolerance: 1e-4, format, dtype, ...(format === 'fmm' ? { budget: 0.1 } : {}) },
      { team },
    );
    // An array whose elements are numbered beyond 2³¹ (2³⁰ where the system lends no more), and one that begins beyond
    // 4 GiB.
    const { values, offsets } = near.data;
    const Kind = values.constructor as new (buffer: SharedArrayBuffer) => FloatArray;
    const sparse = (first: number): FloatArray =>
      new Kind(new SharedArrayBuffer((first + values.length) * values.BYTES_PER_ELEMENT));
    let shift = 2 ** 31 + 16;
    let whole: FloatArray;
    try {
      whole = sparse(shift);
    } catch {
      shift = 2 ** 30 + 16;
      whole = sparse(shift);
    }
    whole.set(values, shift);
    const shifted = Object.fromEntries(
      Object.entries(offsets).map(([key, begin]) => [key, (begin as Float64Array).map((at) => at + shift)]),
    ) as unknown as typeof offsets;
    const x = randomMatrix(n, 3, 8);
    const expected = near.apply(x);
    const exact = format === 'fmm' ? undefined : await factor(near, { shift: 0.5 }, { team });
    for (const data of [
      { ...near.data, values: whole, offsets: shifted },
      { ...near.data, values: far(values) },
    ]) {
      const matrix = new HierarchicalMatrix(data, near.elements, near.report, team);
      expect(bits(matrix.apply(farMatrix(x), farMatrix(randomMatrix(n, 3, 1))).data).equals(bits(expected.data))).toBe(
        true,
      );
      expect(matrix.diagonal()).toEqual(near.diagonal());
      if (exact === undefined) continue;
      const factorization = await factor(matrix, { shift: 0.5 }, { team });
      expect(
        bits(factorization.solve(farMatrix(x), farMatrix(randomMatrix(n, 3, 1))).data).equals(
          bits(exact.solve(x).data),
        ),
      ).toBe(true);
      expect(factorization.logdet).toBe(exact.logdet);
      expect(await factorization.diagonalOfInverse()).toEqual(await exact.diagonalOfInverse());
    }
  });
});
