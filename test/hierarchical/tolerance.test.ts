/**
 * What a compression says of its tolerance: met or missed, the limit that was hit, and what to do, in the words of the
 * library and of the command.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compress as compressPublic, openTeam } from '#hmatrix/index.js';
import { NonFiniteError } from '#hmatrix/core/errors.js';
import type { Progress } from '#hmatrix/core/context.js';
import { compressHessian } from '#hmatrix/curvature/trees/compress-hessian.js';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { compressOperator } from '#hmatrix/hierarchical/from-products/compress.js';
import { save } from '#hmatrix/files/save.js';
import { load } from '#hmatrix/files/load.js';
import { toleranceAdvice, type AdvisedReport } from '#hmatrix/hierarchical/matrix/tolerance-advice.js';
import { readContainer, writeContainer, type JsonObject } from '#hmatrix/io/container.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { smallModel } from '../network/models.js';
import { denseOf, gaussianSource, relativeError } from '../support.js';
import type { HierarchicalFormat } from '#hmatrix/hierarchical/matrix/format.js';
import { sharedTeam } from '../teams.js';

const folder = temporaryFolder();
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

const FORMATS: readonly HierarchicalFormat[] = ['hss', 'hodlr', 'fmm'];

/** `source` with one pair of entries changed, or all scaled. */
function changed(source: EntrySource, change: (row: number, column: number, value: number) => number): EntrySource {
  return {
    size: source.size,
    entries: (rows, cols, out) => {
      source.entries(rows, cols, out);
      for (let j = 0; j < out.cols; j++)
        for (let i = 0; i < out.rows; i++)
          out.data[out.offset + i + j * out.ld] = change(rows[i], cols[j], out.data[out.offset + i + j * out.ld]);
    },
    diagonal: (out) => {
      source.diagonal(out);
      out.forEach((value, i) => {
        out[i] = change(i, i, value);
      });
    },
  };
}

describe('the report', () => {
  it.each(FORMATS)('calls_a_tolerance_met_only_where_it_is_and_names_the_ranks_where_it_is_not: %s', async (format) => {
    const outcomes = new Set<boolean | undefined>();
    for (const seed of [1, 2]) {
      for (const bandwidth of [0.2, 1]) {
        for (const maxRank of [12, 64]) {
          const source = gaussianSource(500, 2, bandwidth, team.blas, seed);
          const tolerance = 1e-3;
          const matrix = await compress(source, { format, leafSize: 32, maxRank, tolerance, seed }, { team });
          const error = relativeError(matrix.toDense(), denseOf(source));
          const { met, seen, limits } = matrix.report;
          outcomes.add(met);
          // Up to 1024 indices every column was compared, so that seen ≥ the error; nodes may be stricter than the
          // matrix.
          expect(seen).toBeGreaterThanOrEqual(error * (1 - 1e-9));
          expect(met).toBe(seen <= tolerance);
          if (met === false) expect(limits.length).toBeGreaterThan(0);
          else expect(limits).toEqual([]);
          for (const { limit, level, rank, nodes } of limits) {
            if (limit !== 'maxRank') continue;
            const { max, nodes: all } = matrix.ranks().find((one) => one.level === level)!;
            expect(rank).toBeLessThanOrEqual(max);
            expect(rank).toBeGreaterThanOrEqual(0.9 * maxRank);
            expect(nodes).toBeLessThanOrEqual(all);
          }
          matrix.release();
        }
      }
    }
    expect(outcomes).toEqual(new Set([true, false]));
  });

  it('holds_beyond_the_size_to_which_every_column_is_compared', async () => {
    for (const seed of [1, 2, 3]) {
      const source = gaussianSource(1500, 2, 0.5, team.blas, seed);
      for (const tolerance of [1e-2, 1e-4]) {
        const matrix = await compress(source, { format: 'hss', leafSize: 64, maxRank: 160, tolerance, seed }, { team });
        const { relative } = await matrix.estimateError(source);
        expect(matrix.report.met).toBe(true);
        // Rows and columns are samples there: an estimate, within a half.
        expect(relative).toBeLessThanOrEqual(1.5 * tolerance);
        matrix.release();
      }
    }
  });

  it('says_that_the_leaf_size_limits_the_ranks_of_a_Hessian_from_entries_and_from_products', async () => {
    const model = smallModel({ widths: [24, 16, 12], samples: 60 });
    const source = gaussNewtonSource(model, { blas: team.blas });
    const plain = await compress(source, { tolerance: 1e-10, leafSize: 32, maxRank: 32 }, { team });
    expect((await plain.estimateError(source)).relative).toBeGreaterThan(1e-4);
    expect(plain.report.met).toBe(false);
    expect(plain.report.limits).toContainEqual(expect.objectContaining({ limit: 'maxRank', rank: 32 }));
    expect(toleranceAdvice(plain.report)).toMatch(/^Levels? .*at rank 32, the leaf size: maxRank: 128/);
    for (const from of ['entries', 'products'] as const) {
      const { matrix } = await compressHessian(model, { tolerance: 1e-6, leafSize: 32, from }, { team });
      const { relative } = await matrix.estimateError(source);
      expect(relative).toBeGreaterThan(1e-6);
      expect(matrix.report.met).toBe(false);
      expect(matrix.report.limits).toContainEqual(expect.objectContaining({ limit: 'maxRank' }));
    }
    const rotated = await kroneckerHierarchical(model, { tolerance: 1e-2 }, { team });
    expect(rotated.report.met).toBe(rotated.error <= 1e-2);
    expect((await kroneckerHierarchical(model, { share: 0.5 }, { team })).report.met).toBeUndefined();
  });

  it('is_kept_in_files_and_files_without_it_are_read', async () => {
    const matrix = await compress(
      gaussianSource(300, 2, 0.3, team.blas),
      { leafSize: 32, maxRank: 4, tolerance: 1e-4 },
      { team },
    );
    expect(matrix.report.met).toBe(false);
    const path = join(folder, 'missed.hm');
    await save(path, matrix);
    expect((await load(path, { kind: 'hierarchical matrix', team })).report).toEqual(matrix.report);
    const { header, arrays } = await readContainer(path);
    const rewrite = async (change: (report: Record<string, unknown>) => void): Promise<void> => {
      const report = { ...(header['report'] as Record<string, unknown>) };
      change(report);
      await writeContainer(path, { ...header, report } as JsonObject, arrays);
    };
    await rewrite((report) => {
      delete report['met'];
      delete report['seen'];
      delete report['limits'];
    });
    expect((await load(path, { kind: 'hierarchical matrix', team })).report).toMatchObject({
      met: undefined,
      limits: [],
      seen: Number.NaN,
      tolerance: 1e-4,
    });
    await rewrite((report) => {
      report['met'] = 'yes';
    });
    await expect(load(path, { kind: 'hierarchical matrix', team })).rejects.toThrow(/met is "yes"/);
    await rewrite((report) => {
      report['limits'] = [3];
    });
    await expect(load(path, { kind: 'hierarchical matrix', team })).rejects.toThrow(/limits/);
  });
});

describe('a missed tolerance', () => {
  it('is_said_once_to_the_progress_callback_and_the_process_with_what_was_hit', async () => {
    const open = await openTeam({ workers: 1 });
    const emitted: (Error & { code?: string })[] = [];
    const listen = (warning: Error): void => {
      emitted.push(warning);
    };
    process.on('warning', listen);
    try {
      const said: Progress[] = [];
      const onProgress = (progress: Progress): void => {
        if (progress.warning !== undefined) said.push(progress);
      };
      const source = gaussianSource(300, 2, 0.3, open.blas);
      await compressPublic(source, { leafSize: 32, maxRank: 4, tolerance: 1e-4 }, { team: open, onProgress });
      await compressPublic(source, { leafSize: 32, maxRank: 150, tolerance: 1e-2 }, { team: open, onProgress });
      await new Promise(setImmediate);
      expect(said).toHaveLength(1);
      expect(said[0].warning).toMatch(/^The asked tolerance was missed: asked 0\.0001, .* at rank 4: maxRank: 16/);
      expect(emitted.map(({ code }) => code)).toEqual(['HMATRIX_TOLERANCE']);
    } finally {
      process.off('warning', listen);
      await open.close();
    }
  });

  const report: AdvisedReport = {
    size: 5000,
    format: 'hss',
    leafSize: 64,
    maxRank: 256,
    budget: 0,
    distance: 'angle',
    dtype: 'f64',
    limits: [],
  };
  const flag = (option: string, value?: string | number): string =>
    `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}${value === undefined ? '' : ` ${value}`}`;
  const at = (...levels: number[]): AdvisedReport['limits'] =>
    levels.map((level) => ({ limit: 'maxRank', level, rank: 256, nodes: 2 }));

  it('is_explained_by_what_was_hit_in_the_names_of_the_library_or_the_command', () => {
    expect(toleranceAdvice({ ...report, limits: at(1, 2, 3, 5) })).toBe(
      "Levels 1–3 and 5 are at rank 256: maxRank: 1024, or near blocks: format: 'fmm' with budget: 0.03.",
    );
    expect(toleranceAdvice({ ...report, limits: at(1, 2, 3, 4, 5) }, flag)).toBe(
      'Levels 1–5 are at rank 256: --max-rank 1024, or near blocks: --format fmm with --budget 0.03.',
    );
    expect(toleranceAdvice({ ...report, size: 300, limits: at(2) }, flag)).toMatch(
      /^Level 2 is at rank 256: --max-rank 300/,
    );
  });

  it('is_answered_by_no_advice_that_cannot_help', () => {
    // Ranks are free.
    const rows = toleranceAdvice({ ...report, limits: [{ limit: 'rows', level: 3, rank: 100, nodes: 1 }] }, flag);
    expect(rows).toContain('--neighbors');
    expect(rows).not.toContain('--max-rank');
    // The budget is set: it is at its limit, or not spoken of.
    const fmm = { ...report, format: 'fmm', budget: 0.1 };
    expect(toleranceAdvice({ ...fmm, limits: at(1) }, flag)).not.toMatch(/budget|fmm/);
    expect(toleranceAdvice({ ...fmm, limits: [...at(1), { limit: 'budget' }] }, flag)).toMatch(
      /use all of their budget of 0.1: raise --budget/,
    );
    expect(toleranceAdvice({ ...report, dtype: 'f32', limits: [{ limit: 'dtype' }] }, flag)).toContain('--dtype f64');
    expect(
      toleranceAdvice(
        {
          ...report,
          preserve: 'positive-definite',
          limits: [...at(1), { limit: 'preserve', level: 2, rank: 9, nodes: 1 }],
        },
        flag,
      ),
    ).not.toContain('fmm');
    expect(toleranceAdvice(report, flag)).toBe('No limit was hit: ask for a smaller --tolerance.');
  });
});

describe('numbers that are not finite', () => {
  it.each(FORMATS)('are_refused_by_name_wherever_they_stand: %s', async (format) => {
    const source = gaussianSource(400, 2, 0.3, team.blas);
    for (const [i, j] of [
      [17, 350],
      [399, 398],
    ]) {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const one = changed(source, (row, column, value) =>
          (row === i && column === j) || (row === j && column === i) ? bad : value,
        );
        for (const distance of ['lexicographic', 'angle'] as const) {
          await expect(compress(one, { format, leafSize: 32, distance }, { team })).rejects.toThrow(NonFiniteError);
        }
      }
    }
    for (const scale of [1e160, 1e100, 1e-100, 1e-200]) {
      const matrix = await compress(
        changed(source, (_i, _j, value) => scale * value),
        { format, leafSize: 32, maxRank: 200, tolerance: 1e-4 },
        { team },
      );
      expect(matrix.report.met).toBe(true);
    }
    await expect(
      compress(
        changed(source, (_i, _j, value) => 1e60 * value),
        { format, leafSize: 32, dtype: 'f32' },
        { team },
      ),
    ).rejects.toThrow(/float32/);
  });

  it('are_refused_from_products_too_and_squares_out_of_range_are_not', async () => {
    const source = gaussianSource(200, 2, 0.3, team.blas);
    const tree = await buildClusterTree(source, 'angle', { leafSize: 32 }, { team });
    const dense = denseOf(source);
    for (const format of ['hss', 'hodlr'] as const) {
      for (const scale of [1e160, 1e-200, Number.NaN]) {
        const options = { format, maxRank: 64, tolerance: 1e-3, seed: 0 } as const;
        const operator = {
          rows: 200,
          cols: 200,
          symmetric: true,
          applyUnchecked: (out: typeof dense, x: typeof dense, alpha: number, beta: number) => {
            team.blas.gemm('N', 'N', scale * alpha, dense, x, beta, out);
          },
        };
        const compressed = compressOperator(operator, tree, options, { team });
        if (Number.isNaN(scale)) await expect(compressed).rejects.toThrow(NonFiniteError);
        else expect((await compressed).report.met).toBe(true);
      }
    }
  });
});
