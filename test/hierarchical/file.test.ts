/**
 * Hierarchical matrices in files: what is read back multiplies bit for bit like what was written, and nothing
 * inconsistent is read.
 */
import { truncateSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, FileAccessError, FileFormatError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { normalPoints } from '#datasets/points.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { save } from '#hmatrix/files/save.js';
import { load } from '#hmatrix/files/load.js';
import { describeMatrixFile } from '#hmatrix/hierarchical/matrix/file.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { readContainer, writeContainer, type ContainerArray, type JsonObject } from '#hmatrix/io/container.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { sharedTeam } from '../teams.js';

const folder = temporaryFolder();
const size = 700;
let team: Team;
let single: Team;

const build = (options: CompressOptions): Promise<HierarchicalMatrix> =>
  compress(
    kernelSource(normalPoints(size, 3, 5), gaussian(1.5), { blas: team.blas }),
    { leafSize: 48, maxRank: 48, tolerance: 1e-4, ...options },
    { team },
  );

beforeAll(async () => {
  team = await sharedTeam(2);
  single = await sharedTeam(1);
});

const bytes = (array: Float64Array | Float32Array): Buffer =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength);

describe('a saved matrix', () => {
  it.each([
    [{ format: 'hss' }],
    [{ format: 'hodlr' }],
    [{ format: 'fmm', budget: 0.2 }],
    [{ format: 'hss', dtype: 'f32' }],
    [{ format: 'hss', leafSize: 700 }],
  ] as [CompressOptions][])('multiplies_bitwise_like_the_original %o', async (options) => {
    const path = join(folder, 'round-trip.hm');
    const matrix = await build(options);
    await save(path, matrix);
    const loaded = await load(path, { kind: 'hierarchical matrix', team: single });
    for (const vectors of [1, 70]) {
      const x = zeros(size, vectors);
      new RandomStream(3).fillNormal(x.data);
      expect(bytes(loaded.apply(x).data).equals(bytes(matrix.apply(x).data))).toBe(true);
    }
    expect(loaded.memory()).toEqual(matrix.memory());
    expect(loaded.ranks()).toEqual(matrix.ranks());
    expect(loaded.report).toEqual(matrix.report);
    expect(bytes(loaded.diagonal()).equals(bytes(matrix.diagonal()))).toBe(true);
  });

  it('is_described_without_reading_its_values', async () => {
    const path = join(folder, 'described.hm');
    const matrix = await build({ format: 'fmm', budget: 0.2 });
    await save(path, matrix);
    const summary = await describeMatrixFile(path);
    expect(summary.ranks).toEqual(matrix.ranks());
    expect(summary.memory).toEqual(matrix.memory());
    expect(summary.report).toEqual(matrix.report);
    expect(summary.budgetUsed).toBe(matrix.data.lists.budgetUsed);
    expect(summary.fileBytes).toBe((await readFile(path)).length);
  });

  it('is_whole_or_absent_when_saving_is_aborted', async () => {
    const matrix = await build({});
    const before = await readdir(folder);
    const controller = new AbortController();
    const onProgress = (): void => {
      controller.abort();
    };
    await expect(
      save(join(folder, 'aborted.hm'), matrix, { signal: controller.signal, onProgress }),
    ).rejects.toBeInstanceOf(AbortedError);
    expect(await readdir(folder)).toEqual(before);
  });
});

/** A part of a file, changed: which, how, and what the refusal must name. */
type Change = [string, (arrays: Record<string, ContainerArray>, header: Record<string, never>) => void, RegExp];

const changes: Change[] = [
  [
    'an order that repeats an index',
    (a) => {
      a['tree.order'][7] = a['tree.order'][8];
    },
    /no permutation/,
  ],
  [
    'an order with an index that is too large',
    (a) => {
      a['tree.order'][0] = size;
    },
    /no permutation/,
  ],
  [
    'children that leave a gap',
    (a) => {
      a['tree.end'][1]--;
    },
    /children of node 0/,
  ],
  [
    'a root that is too small',
    (a) => {
      a['tree.end'][0]--;
    },
    /the root holds/,
  ],
  [
    'falling ranks',
    (a) => {
      a['skeletons.begin'][3] = a['skeletons.begin'][4] + 1;
    },
    /skeletons\.begin falls/,
  ],
  [
    'a skeleton of another node',
    (a) => {
      a['skeletons.indices'][0] = a['tree.order'][a['tree.end'][1]];
    },
    /no index of the node/,
  ],
  [
    'a skeleton that no child has',
    (a) => {
      a['skeletons.gather'][0] = 10_000;
    },
    /not the skeleton of a child/,
  ],
  [
    'too many picked',
    (a) => {
      a['skeletons.picked'][1] = 10_000;
    },
    /picks 10000/,
  ],
  [
    'a near list without its own leaf',
    (a) => {
      a['lists.near'][0] = 1;
    },
    /near/,
  ],
  [
    'an asymmetric near list',
    (a) => {
      a['lists.nearBegin'][1]++;
    },
    /near/,
  ],
  [
    'far blocks that cover twice',
    (a) => {
      a['lists.far'][0] = 1;
      a['lists.far'][1] = 2;
    },
    /cover/,
  ],
  [
    'a far pair of a node and its child',
    (a) => {
      a['lists.far'][0] = 1;
      a['lists.far'][1] = 3;
    },
    /contains the other/,
  ],
  [
    'a coupling block past the end',
    (a) => {
      a['offsets.coupling'][0] = a['values'].length;
    },
    /coupling block 0 .*past/,
  ],
  [
    'a basis at a fractional place',
    (a) => {
      a['offsets.basis'][a['offsets.basis'].length - 1] = 0.5;
    },
    /basis block/,
  ],
  [
    'a negative offset',
    (a) => {
      a['offsets.diagonal'][0] = -1;
    },
    /diagonal block 0/,
  ],
  [
    'overlapping blocks',
    (a) => {
      a['offsets.diagonal'][1] = a['offsets.diagonal'][0];
    },
    /overlap/,
  ],
  [
    'a value that is not finite',
    (a) => {
      a['values'][5] = Number.NaN;
    },
    /value 5 is NaN/,
  ],
  [
    'too few ranks',
    (a) => {
      a['skeletons.begin'] = a['skeletons.begin'].slice(1);
    },
    /skeletons\.begin has/,
  ],
  [
    'a missing section',
    (a) => {
      Reflect.deleteProperty(a, 'lists.far');
    },
    /"lists\.far" is missing/,
  ],
  [
    'a section of another type',
    (a) => {
      a['lists.far'] = Float64Array.from(a['lists.far']);
    },
    /"lists\.far" holds f64/,
  ],
  [
    'values of another precision',
    (a) => {
      a['values'] = Float32Array.from(a['values']);
    },
    /"values" holds f32/,
  ],
  [
    'another size',
    (_, h) => {
      Object.assign(h, { size: size + 1 });
    },
    /its size/,
  ],
  [
    'an unknown format',
    (_, h) => {
      Object.assign(h, { format: 'h2' });
    },
    /format is "h2"/,
  ],
  [
    'a depth that cannot be',
    (_, h) => {
      Object.assign(h, { depth: 30 });
    },
    /depth 30/,
  ],
  [
    'wrong counts of elements',
    (_, h) => {
      Object.assign(h, { elements: { total: 1, basis: 1, coupling: 0, near: 0, diagonal: 0 } });
    },
    /header says/,
  ],
  [
    'no report',
    (_, h) => {
      Reflect.deleteProperty(h, 'report');
    },
    /report is missing/,
  ],
  [
    'something else altogether',
    (_, h) => {
      Object.assign(h, { content: 'weights' });
    },
    /container of "weights"/,
  ],
];

describe('a file that is not what it should be', () => {
  const path = join(folder, 'good.hm');
  beforeAll(async () => {
    await save(path, await build({ format: 'fmm', budget: 0.2 }));
  });

  it.each([
    ['products', { products: { products: 3 }, distance: 'none' }],
    ['eigenbasis', { distance: 'kronecker' }],
    ['entries', { distance: 'geometric' }],
  ])('of_before_reports_named_their_origin_is_told_to_be_of_%s', async (origin, old) => {
    const { header, arrays } = await readContainer(path);
    const written = structuredClone(header) as { report: Record<string, unknown> };
    delete written.report['origin'];
    Object.assign(written.report, { neighbors: 0, recall: 1, resampled: 0, missed: 0 }, old);
    const before = join(folder, 'before.hm');
    await writeContainer(before, written as unknown as JsonObject, arrays);
    const { report } = await load(before, { kind: 'hierarchical matrix', team });
    expect(report.origin).toBe(origin);
    expect('recall' in report).toBe(origin === 'entries');
  });

  it.each(changes)('is_refused_for_%s', async (_, change, named) => {
    const { header, arrays } = await readContainer(path);
    const changed = { ...arrays };
    const changedHeader = structuredClone(header);
    change(changed, changedHeader as Record<string, never>);
    const bad = join(folder, 'bad.hm');
    await writeContainer(bad, changedHeader as JsonObject, changed);
    const failure = await load(bad, { kind: 'hierarchical matrix', team }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FileFormatError);
    expect((failure as Error).message).toMatch(named);
    expect((failure as Error).message).toContain(bad);
  });

  it('is_refused_when_truncated_or_damaged_anywhere', async () => {
    const whole = await readFile(path);
    const bad = join(folder, 'cut.hm');
    for (const length of [0, 10, 63, 200, whole.length >> 1, whole.length - 1]) {
      await writeFile(bad, whole);
      truncateSync(bad, length);
      await expect(load(bad, { kind: 'hierarchical matrix', team })).rejects.toBeInstanceOf(FileFormatError);
    }
    for (const at of [3, 140, whole.length >> 1, whole.length - 1]) {
      const flipped = Buffer.from(whole);
      flipped[at] ^= 0x10;
      await writeFile(bad, flipped);
      await expect(load(bad, { kind: 'hierarchical matrix', team })).rejects.toBeInstanceOf(FileFormatError);
    }
  });

  it('is_an_access_error_when_absent', async () => {
    await expect(load(join(folder, 'absent.hm'), { kind: 'hierarchical matrix', team })).rejects.toBeInstanceOf(
      FileAccessError,
    );
  });
});
