/** Figures of every kind of record and of matrices: what they show, that they are whole, and the same every time. */
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { plainPower } from '#hmatrix/report/charts/chart.js';
import { drawCharts } from '#hmatrix/report/charts/draw.js';
import { inBytes } from '#hmatrix/core/number-text.js';
import type { PhaseSpans } from '#hmatrix/experiment/worker-times.js';
import { RECORDS } from '#hmatrix/report/records/table.js';
import { styleOf } from '#hmatrix/report/charts/palette.js';
import { viewOf, type Subject, type View } from '#hmatrix/report/view.js';
import { hiddenNote } from '#hmatrix/report/charts/curves.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { failureOf, fixtures, type Fixtures } from '../public/fixtures.js';
import { damagesOf } from './damages.js';
import { KINDS, makeRecords, recordOf } from './records.js';

const { plot } = hmatrix.report;
const folder = temporaryFolder();
const subjectOf = (kind: string): Subject => recordOf(folder, kind) as never;
let f: Fixtures;

beforeAll(async () => {
  await makeRecords(folder);
  f = await fixtures();
});
afterAll(async () => {
  await f.team.close();
  await hmatrix.teams.closeDefaultTeam();
});

/** What stands between tags. */
const textsOf = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
/** The elements that show data: all but axes, grids and frames, which Plot names. */
const marksOf = (body: string): number => [...body.matchAll(/<(rect|path|line|circle)\b[^>]*>/g)].length;

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

describe('the figures', () => {
  it('are_of_every_kind_of_record', () => {
    expect([...KINDS].sort()).toEqual(Object.keys(RECORDS).sort());
  });

  it.each(KINDS)('of_%s_have_titles_axes_with_units_alternative_text_and_marks', async (kind) => {
    const { figures } = await plot(subjectOf(kind));
    expect(figures.length).toBeGreaterThan(0);
    expect(new Set(figures.map(({ id }) => id)).size).toBe(figures.length);
    for (const { id, title, alt, body, table, width, height } of figures) {
      expect(title, id).not.toBe('');
      expect(alt.length, id).toBeGreaterThan(20);
      expect(marksOf(body), id).toBeGreaterThan(3);
      expect(body.includes('class="x-axis-label"'), id).toBe(true);
      expect(table.rows.length, id).toBeGreaterThan(0);
      for (const row of table.rows) expect(row.length, id).toBe(table.head.length);
      expect([width > 0, height > 0], id).toEqual([true, true]);
      // Nothing is drawn at places that are no numbers, nor at finer ones than hundredths of a pixel.
      const tags = body.match(/<[^>]+>/g)!.filter((tag) => /NaN|undefined|Infinity|\d\.\d{3}/.test(tag));
      expect(tags, id).toEqual([]);
    }
  });

  it.each(KINDS)('of_%s_are_the_same_bytes_every_time', async (kind) => {
    const [first, second] = [await plot(subjectOf(kind)), await plot(subjectOf(kind))];
    expect(first.toSvg()).toBe(second.toSvg());
    expect(first.toHtml()).toBe(second.toHtml());
  });

  it('become_well_formed_SVG_and_PNG_in_every_theme', async () => {
    for (const kind of KINDS) {
      const picture = await plot(subjectOf(kind));
      // resvg reads XML strictly: it throws where a document is not well-formed.
      const png = await picture.toPng({ theme: 'dark' });
      expect([...png.subarray(0, 8)]).toEqual(SIGNATURE);
      const view = new DataView(png.buffer, png.byteOffset);
      const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(picture.toSvg())!;
      expect([view.getUint32(16), view.getUint32(20)]).toEqual([2 * Number(width), 2 * Number(height)]);
    }
    const picture = await plot(subjectOf('solve'));
    expect(picture.toSvg()).toContain('prefers-color-scheme:dark');
    expect(picture.toSvg({ theme: 'light' })).not.toContain('prefers-color-scheme');
    expect(picture.toSvg()).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*><title>[^<]+<\/title><desc>/);
  });

  it('show_what_the_record_tells', async () => {
    const record = recordOf(folder, 'compression') as unknown as {
      ranks: { level: number; max: number; mean: number }[];
      blocks: { near: number[]; far: number[]; leafBegin: number[]; errors: (number | null)[] };
      error: { relative: number };
    };
    const { figures } = await plot(record as never);
    const figureOf = (id: string): (typeof figures)[number] => figures.find((one) => one.id === id)!;
    expect(figures.map(({ id }) => id)).toEqual(['blocks', 'ranks', 'memory', 'error', 'phases', 'workers']);
    const largest = figureOf('ranks').table.rows.filter(([series]) => series === 'largest');
    expect(largest.map(([, level, rank]) => [Number(level), Number(rank)])).toEqual(
      record.ranks.map(({ level, max }) => [level, max]),
    );
    // Every stored block and its mirror image, each with its note.
    const { near, far, leafBegin, errors } = record.blocks;
    const notes = [...figureOf('blocks').body.matchAll(/<title>([^<]*)<\/title>/g)].map(([, note]) => note);
    expect(notes.length).toBe(leafBegin.length - 1 + near.length + far.length);
    expect(notes.filter((note) => note.includes('rank') && note.includes('error')).length).toBe(
      2 * errors.filter((error) => error !== null).length,
    );
    expect(figureOf('error').table.rows[0]).toContain(plainPower(record.error.relative));
  });

  it('of_the_workers_show_every_stretch_of_a_thousandth_of_the_time_and_none_where_the_record_tells_none', async () => {
    const { timeline, ...older } = recordOf(folder, 'compression') as { timeline: PhaseSpans[] };
    const spans = timeline.flatMap(({ workers }) => workers).filter((span) => span !== null);
    const last = Math.max(...spans.map(([, to]) => to));
    const [figure] = (await plot({ ...older, timeline } as never, { figures: ['workers'] })).figures;
    const long = spans.filter(([from, to]) => to - from > 1e-3 * last);
    expect(figure.table.rows.length).toBe(long.length);
    expect([...figure.body.matchAll(/<title>worker \d+, [^<]+ to [^<]+ s(, busy [^<]+ of it)?<\/title>/g)].length).toBe(
      long.length,
    );
    const phases = timeline.filter(({ workers }) => workers.some((span) => long.includes(span!)));
    for (const { phase } of phases) expect(textsOf(figure.body)).toContain(phase);
    expect((await plot(older as never)).figures.map(({ id }) => id)).not.toContain('workers');
  });

  it('of_a_solve_have_a_point_for_each_iteration_and_the_tolerance', async () => {
    const { history } = recordOf(folder, 'solve') as { history: number[] };
    const picture = await plot(subjectOf('solve'), { figures: ['convergence'] });
    expect(picture.figures.map(({ id }) => id)).toEqual(['convergence']);
    const [{ alt, body }] = picture.figures;
    expect(alt).toContain(`${history.length - 1} iterations`);
    expect(textsOf(body).some((text) => text.startsWith('asked'))).toBe(true);
  });

  it('put_published_errors_beside_ours_where_budgets_are_theirs_alone', async () => {
    const table = recordOf(folder, 'table') as { rows: { method: string; budget: number }[] };
    const named = async (record: unknown): Promise<string[]> => {
      const { figures } = await plot(record as never, { figures: ['errors'] });
      return [...new Set(figures[0].table.rows.map(([series]) => series))].filter((name) => name.includes('published'));
    };
    const budgets = { low: 0.0028, high: 0.0231 };
    const rows = table.rows.map((row) => ({
      ...row,
      budget: row.method.endsWith('high') ? budgets.high : budgets.low,
    }));
    const theirs = { ...table, network: '784-50-784', size: 78_400, bias: false, budgets, rows };
    expect(await named(theirs)).toEqual(['HM, published', 'RSVD, published', 'KFAC, published']);
    expect(await named({ ...theirs, budgets: { low: 0.1, high: 0.2 } })).toEqual([]);
    expect(await named({ ...theirs, bias: true })).toEqual([]);
    expect(await named({ ...theirs, network: '784-51-784' })).toEqual([]);
  });

  it('of_what_solve_and_train_return', async () => {
    const b = new Float64Array(f.matrix.size).fill(1);
    const solved = await hmatrix.solve(f.matrix, b, { shift: 1, preconditioner: 'none' }, { team: f.team });
    expect((await plot(solved)).figures.map(({ id }) => id)).toEqual(['convergence']);
    const trained = await hmatrix.training.train(f.model, { epochs: 2, batchSize: 4 }, { team: f.team });
    expect((await plot(trained)).figures.map(({ id }) => id)).toEqual(['loss-by-samples', 'loss-by-seconds']);
  });

  it('of_a_factorization_are_those_of_its_matrix_and_what_the_factors_take', async () => {
    const factorization = await hmatrix.factor(f.matrix, { shift: 2 }, { team: f.team });
    const [own, factored] = [await plot(f.matrix), await plot(factorization)];
    expect(factored.figures.map(({ id }) => id)).toEqual(own.figures.map(({ id }) => id));
    expect(factored.figures[0]).toEqual(own.figures[0]);
    const memory = factored.figures.find(({ id }) => id === 'memory')!;
    expect(memory.table.rows.at(-1)![0]).toBe('factors');
    expect(memory.alt).toContain(`factors ${inBytes(factorization.bytes)}`);
    expect(factored.toHtml()).toContain('Factorization with λ = 2');
    factorization.release();
    await expect(plot(factorization)).rejects.toThrow(/The factorization was released/);
  });

  it('of_a_matrix_that_was_released_are_refused_as_its_products_are', async () => {
    const matrix = await hmatrix.compress(f.source, { leafSize: 8 }, { team: f.team });
    matrix.release();
    const refused = (await failureOf(() => matrix.apply(new Float64Array(matrix.size)))) as hmatrix.errors.HmatrixError;
    for (const use of [() => plot(matrix), () => hmatrix.report.report([matrix])]) {
      const failure = (await failureOf(use)) as hmatrix.errors.HmatrixError;
      expect([failure.code, failure.message]).toEqual([refused.code, refused.message]);
    }
  });

  it('say_of_what_they_leave_out_whether_the_axis_cannot_show_it_or_it_is_no_number', () => {
    const noteOf = (...values: number[]): string | undefined =>
      hiddenNote({
        kind: 'curves',
        id: 'c',
        title: '',
        alt: '',
        x: { label: 'x' },
        y: { label: 'y', scale: 'log' },
        curves: [{ name: 'c', points: values.map((y, x) => ({ x, y })) }],
      });
    expect(noteOf(1, 2)).toBeUndefined();
    expect(noteOf(1, 0)).toBe('A value that a logarithmic axis cannot show: see the numbers.');
    expect(noteOf(Number.NaN, 2)).toBe('A value that is no number: see the numbers.');
    expect(noteOf(-1, 0, Number.NaN, Infinity, 3)).toBe(
      '2 values that a logarithmic axis cannot show. 2 values that are no numbers: see the numbers.',
    );
  });

  it('tell_series_apart_by_more_than_colour', () => {
    const looks = Array.from({ length: 24 }, (_, k) => styleOf(k));
    expect(new Set(looks.map(({ colour, symbol, dash }) => `${colour} ${symbol} ${dash}`)).size).toBe(24);
    expect(new Set(looks.slice(0, 6).map(({ symbol }) => symbol)).size).toBe(6);
    expect(new Set(looks.slice(0, 6).map(({ dash }) => dash)).size).toBe(6);
  });
});

describe('hostile and broken records', () => {
  it('text_of_a_record_is_text_on_the_page_and_in_the_picture', async () => {
    const record = recordOf(folder, 'training') as { task: object; optimizer: object };
    const hostile = '<script>alert(1)</script>&"\u0000\'';
    const changed = { ...record, task: { ...record.task, network: hostile }, command: hostile };
    const picture = await plot(changed as never);
    for (const text of [picture.toHtml(), picture.toSvg()]) {
      expect(text).not.toContain('<script>alert');
      expect(text).not.toContain('\u0000');
    }
    expect(picture.toHtml()).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;\ufffd&#39;');
    await picture.toPng();
  });

  it.each<readonly [string, (record: Record<string, unknown>) => unknown, RegExp]>([
    ['no_record', () => ({ a: 1 }), /takes a hierarchical matrix or its factorization, the record of a run/],
    ['another_kind', (record) => ({ ...record, record: 'holiday' }), /there are records called compression, solve/],
    ['no_ranks', (record) => ({ ...record, ranks: undefined }), /ranks is undefined, not a list/],
    [
      'a_rank_that_is_text',
      (record) => ({ ...record, ranks: [{ level: 1, max: '3', mean: 1 }] }),
      /ranks\[0\]\.max is/,
    ],
    ['no_error', (record) => ({ ...record, error: null }), /error is null, not an object/],
    ['no_machine', (record) => ({ ...record, machine: 3 }), /machine is 3, not an object/],
  ])('%s', async (_name, change, message) => {
    const failure = await failureOf(() => plot(change(recordOf(folder, 'compression')) as never));
    expect(failure).toBeInstanceOf(hmatrix.errors.HmatrixError);
    expect((failure as Error).message).toMatch(message);
  });

  it.each(KINDS)('of_%s_with_any_member_damaged_is_refused_by_its_name_or_drawn', async (kind) => {
    const record = recordOf(folder, kind);
    const whole = new Set(
      (await viewOf(record as never, 'whole', {}, {})).charts.map((chart) => JSON.stringify(chart)),
    );
    let [refused, drawn] = [0, 0];
    for (const { damaged, top, what } of damagesOf(record)) {
      const outcome = await viewOf(damaged as never, 'run.json', {}, {}).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome, what).toBeInstanceOf(hmatrix.errors.FileFormatError);
        expect(outcome.message, what).toMatch(/^run\.json: /);
        // Of the member, of one that it is held against, or of those that would have been drawn.
        expect(outcome.message, what).toMatch(new RegExp(`\\b${top}\\b|there is nothing to draw, for`));
        refused++;
        continue;
      }
      const charts = (outcome as View).charts.filter((chart) => !whole.has(JSON.stringify(chart)));
      expect((outcome as View).charts.length, what).toBeGreaterThan(0);
      for (const { body, alt } of await drawCharts(charts)) {
        expect(marksOf(body), what).toBeGreaterThan(3);
        expect(/<[^>]*(NaN|undefined|Infinity)[^>]*>/.exec(body), what).toBe(null);
        expect(alt, what).not.toMatch(/undefined|\[object/);
        drawn++;
      }
    }
    expect([refused > 10, drawn > 0], `${refused} refused, ${drawn} figures drawn`).toEqual([true, true]);
  });

  it('figures_that_there_are_none_of_and_themes_are_named', async () => {
    const names = (figures: unknown): unknown => failureOf(() => plot(subjectOf('solve'), { figures } as never));
    expect(((await names(['convergance'])) as Error).message).toMatch(
      /there are convergence.*Did you mean convergence\?/,
    );
    expect(((await names([])) as Error).message).toMatch(/must be a list of convergence/);
    const picture = await plot(subjectOf('solve'));
    expect(() => picture.toSvg({ theme: 'pink' as never })).toThrow(/theme/);
  });
});
