/** docs/benchmarks.html is what the results of the benchmarks make, and its commands run what they say. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { choose } from '../../dist/bench/labels.js';
import { benchmarkPage, PAGE_PATH } from '../../dist/bench/page.js';

const root = resolve(import.meta.dirname, '../..');

describe('the page of benchmarks', () => {
  let page: string;
  beforeAll(async () => {
    page = await benchmarkPage();
  });

  it('is_up_to_date_with_bench_results', () => {
    // npm run bench:page writes it.
    expect(readFileSync(PAGE_PATH, 'utf8') === page).toBe(true);
    expect(Buffer.byteLength(page)).toBeLessThan(1e6);
  });

  it('names_results_that_there_are_and_commands_that_measure_them', () => {
    const files = [...page.matchAll(/From (bench\/results\/[\w-]+\.json)/g)].map(([, file]) => file);
    const drawn = files.map((file) => file.slice('bench/results/'.length, -'.json'.length));
    // skeletons.json is of before and after a change: a table in docs/benchmarks.md.
    const kept = readdirSync(join(root, 'bench/results')).map((file) => file.replace('.json', ''));
    expect([...drawn, 'skeletons'].sort()).toEqual(kept.sort());
    const chosen = [...page.matchAll(/npm run bench -- --only ([\w-]+) --write/g)].map(([, text]) => text);
    const own = [...page.matchAll(/node (dist\/bench\/[\w-]+\.js)/g)].map(([, path]) => path);
    expect(chosen.length + own.length).toBe(files.length);
    for (const path of own) expect(existsSync(join(root, path)), path).toBe(true);
    for (const text of chosen) expect(choose(text).size, text).toBeGreaterThan(0);
  });

  it('has_pictures_with_marks_and_a_machine_in_every_section', () => {
    for (const section of page.split('<section ').slice(1)) {
      expect([...section.matchAll(/<figure /g)].length).toBeGreaterThan(0);
      expect(section).toContain('<th scope="row">processor</th>');
      for (const figure of section.split('<figure ').slice(1))
        expect([...figure.matchAll(/<title>/g)].length, figure.slice(0, 80)).toBeGreaterThan(1);
    }
    expect(page).toContain('HM, published');
    const ids = [...page.matchAll(/<figure id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
