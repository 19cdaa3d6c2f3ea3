/** Several asynchronous functions at once on one team: they take turns, and find what each finds alone. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AbortedError, WorkerError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import * as hmatrix from '#hmatrix/index.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { normalPoints, randomMatrix } from '../support.js';
import { bitsOf, publicFunctions, type PublicFunction } from './public-functions.js';

/**
 * Phases serve the event loop between two tasks when 40 ms have passed: by this clock, whenever they look. So small
 * matrices meet every interleaving that large ones would.
 */
function hurry(): void {
  const now = performance.now.bind(performance);
  let ahead = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + (ahead += 60));
}
beforeEach(hurry);
afterEach(() => {
  vi.restoreAllMocks();
});

/** One for each way to work on a team; the others, which are made of these, come in threes and all together. */
const PAIRED = [
  'compress',
  'compress on the calling thread',
  'compressOperator',
  'estimateError',
  'operatorError',
  'factor',
  'solve',
  'findNeighbors',
  'buildClusterTree',
  'approximate',
  'randomizedSvd',
  'extremeEigenvalues',
  'logDeterminant',
  'spectralDensity',
];

async function expectSameBits(
  functions: Record<string, PublicFunction>,
  alone: ReadonlyMap<string, string>,
  names: readonly string[],
): Promise<void> {
  const outcomes = await Promise.allSettled(names.map((name) => functions[name]()));
  outcomes.forEach((outcome, i) => {
    const found = outcome.status === 'fulfilled' ? bitsOf(outcome.value) : String(outcome.reason);
    if (found !== alone.get(names[i]))
      throw new Error(
        `${names[i]}, together with ${names.filter((_, k) => k !== i).join(' and ')}: ` +
          `${outcome.status === 'fulfilled' ? 'other bits' : found}`,
      );
  });
}

describe('functions at once on a team', () => {
  let team: hmatrix.Team;
  let functions: Record<string, PublicFunction>;
  let names: string[];
  const alone = new Map<string, string>();
  beforeAll(async () => {
    team = await hmatrix.openTeam({ workers: 2 });
    functions = await publicFunctions(team);
    names = Object.keys(functions);
    for (const name of names) alone.set(name, bitsOf(await functions[name]()));
  });
  afterAll(() => team.close());

  it('every_pair_gives_the_bits_that_each_gives_alone', async () => {
    for (let i = 0; i < PAIRED.length; i++)
      for (let j = i; j < PAIRED.length; j++) await expectSameBits(functions, alone, [PAIRED[i], PAIRED[j]]);
  });

  it('triples_do_and_all_together_do', async () => {
    const random = new RandomStream(9);
    for (let repeat = 0; repeat < 30; repeat++)
      await expectSameBits(
        functions,
        alone,
        Array.from({ length: 3 }, () => names[random.uint32() % names.length]),
      );
    await expectSameBits(functions, alone, names);
    await expectSameBits(functions, alone, [...names].reverse());
  });
});

describe('products while a phase runs', () => {
  let team: hmatrix.Team;
  beforeAll(async () => {
    team = await hmatrix.openTeam({ workers: 2 });
  });
  afterAll(() => team.close());
  const size = 96;
  const source = hmatrix.kernelSource(normalPoints(size, 2, 3), hmatrix.kernels.gaussian(1));
  const options = { leafSize: 12, tolerance: 1e-4 };
  const x = randomMatrix(size, 2, 4);

  it('products_of_the_callers_own_in_the_meantime_and_in_progress_callbacks_are_right', async () => {
    const matrix = await hmatrix.compress(source, options, { team });
    const expected = matrix.apply(x).data;
    let products = 0;
    const multiply = (): void => {
      products++;
      expect(matrix.apply(x).data).toEqual(expected);
    };
    let done = false;
    const again = hmatrix.compress(source, options, { team, onProgress: multiply }).finally(() => {
      done = true;
    });
    let meantime = 0;
    while (!done) {
      multiply();
      meantime++;
      await new Promise(setImmediate);
    }
    expect((await again).data.values).toEqual(matrix.data.values);
    expect(meantime).toBeGreaterThan(3);
    expect(products).toBeGreaterThan(meantime);
  });

  it('progress_counts_its_own_phase_up_to_its_end', async () => {
    const matrix = await hmatrix.compress(source, options, { team });
    const seen = new Map<string, number[]>();
    const compressing = hmatrix.compress(source, options, {
      team,
      onProgress: ({ phase, done, total }) => {
        expect(done).toBeLessThanOrEqual(total);
        const before = seen.get(phase) ?? [];
        seen.set(phase, [...before, done / total]);
      },
    });
    let ended = false;
    const watched = compressing.finally(() => {
      ended = true;
    });
    while (!ended) {
      matrix.apply(x);
      await new Promise(setImmediate);
    }
    await watched;
    expect(seen.get('skeletonize')?.at(-1)).toBe(1);
    expect(seen.get('evaluate blocks')?.at(-1)).toBe(1);
  });

  it('a_failure_goes_to_the_function_that_failed_and_to_no_product', async () => {
    const matrix = await hmatrix.compress(source, options, { team });
    const expected = matrix.apply(x).data;
    let calls = 0;
    const failing: EntrySource = {
      size,
      diagonal: (out) => source.diagonal(out),
      entries: (rows, cols, out) => {
        if (++calls > 30) throw new RangeError('source');
        source.entries(rows, cols, out);
      },
    };
    const outcome = hmatrix.compress(failing, options, { team }).then(
      () => 'done',
      (error: unknown) => error,
    );
    let found: unknown;
    void outcome.then((value) => {
      found = value;
    });
    while (found === undefined) {
      expect(matrix.apply(x).data).toEqual(expected);
      await new Promise(setImmediate);
    }
    expect(found).toBeInstanceOf(RangeError);
    const controller = new AbortController();
    const aborted = hmatrix.compress(source, options, {
      team,
      signal: controller.signal,
      onProgress: () => {
        matrix.apply(x);
        controller.abort();
      },
    });
    await expect(aborted).rejects.toBeInstanceOf(AbortedError);
    expect(matrix.apply(x).data).toEqual(expected);
  });

  it('a_source_that_multiplies_on_the_team_that_evaluates_it_is_told_so', async () => {
    const matrix = await hmatrix.compress(source, options, { team });
    const expected = matrix.apply(x).data;
    const unit = hmatrix.dense.zeros(size, 1);
    const nested = (of: hmatrix.HierarchicalMatrix): EntrySource => ({
      size,
      diagonal: (out) => source.diagonal(out),
      entries: (rows, cols, out) => {
        cols.forEach((col, j) => {
          unit.data.fill(0);
          unit.data[col] = 1;
          const column = of.apply(unit).data;
          rows.forEach((row, i) => {
            out.data[out.offset + i + j * out.ld] = column[row];
          });
        });
      },
    });
    const refused = hmatrix.compress(nested(matrix), options, { team }).then(
      () => undefined,
      (error: unknown) => error,
    );
    let found: unknown;
    void refused.then((value) => {
      found = value;
    });
    // A product that meets such a task is refused with it: the task wrote into the matrix's workspace.
    while (found === undefined) {
      try {
        expect(matrix.apply(x).data).toEqual(expected);
      } catch (error) {
        expect(error).toBeInstanceOf(WorkerError);
      }
      await new Promise(setImmediate);
    }
    expect(found).toBeInstanceOf(WorkerError);
    expect(String(found)).toMatch(/team of its own/);
    expect(matrix.apply(x).data).toEqual(expected);
    const other = await hmatrix.openTeam({ workers: 1 });
    const elsewhere = await hmatrix.compress(source, options, { team: other });
    expect((await hmatrix.compress(nested(elsewhere), options, { team })).size).toBe(size);
    await other.close();
  });
});

describe('the default team', () => {
  afterAll(() => hmatrix.teams.closeDefaultTeam());

  it('serves_all_functions_at_once', async () => {
    const functions = await publicFunctions();
    const names = Object.keys(functions);
    const alone = new Map<string, string>();
    for (const name of names) alone.set(name, bitsOf(await functions[name]()));
    await expectSameBits(functions, alone, names);
    await expectSameBits(functions, alone, ['estimateError', 'estimateError', 'compress']);
    // The same on one worker, where nothing runs elsewhere.
    const team = await hmatrix.openTeam({ workers: 1 });
    const single = await publicFunctions(team);
    await expectSameBits(single, alone, names);
    await team.close();
  });
});
