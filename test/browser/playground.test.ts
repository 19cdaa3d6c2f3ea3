/** The playground as people meet it: in Chromium, by keyboard, on telephones, by day and by night. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelFamilies } from '#hmatrix/source/kernels/table.js';
import { FORMATS } from '#hmatrix/hierarchical/matrix/format.js';
import { chromiumPath, ISOLATION, NO_CHROMIUM, openChromium, serveFolder, type Served } from './chromium.js';

const root = resolve(import.meta.dirname, '../..');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PATIENCE = 60_000;

describe.skipIf(chromiumPath === undefined)(`the playground (skipped where ${NO_CHROMIUM})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hmatrix-playground-'));
  const complaints: string[] = [];
  let browser: Browser;
  let server: Served;
  let page: Page;

  /** A page that has drawn its first picture. */
  async function openPage(
    hash = '',
    { width = 1440, colorScheme = 'light' as 'light' | 'dark', url = server.url } = {},
  ): Promise<Page> {
    const opened = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    opened.on('pageerror', ({ message }) => complaints.push(message));
    opened.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    // How far anything moved that nobody moved.
    await opened.addInitScript(`
      globalThis.moved = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.moved += entry.value;
      }).observe({ type: 'layout-shift', buffered: true });`);
    await opened.goto(url + hash);
    await settled(opened);
    return opened;
  }

  const textOf = (of: Page, selector: string): Promise<string> => of.locator(selector).innerText();
  const fact = (of: Page, name: string): Promise<string> => textOf(of, `[data-fact="${name}"]`);

  /** Resolves when the compression has ended; rejects where it failed. */
  async function settled(of: Page): Promise<void> {
    await of.waitForFunction(
      `document.getElementById('explore-said').textContent === 'Done.' && 'drawn' in document.documentElement.dataset`,
      undefined,
      { timeout: PATIENCE },
    );
  }

  /** As `settled`, for a compression that something on the page asks for. */
  async function afterwards(of: Page, change: () => Promise<unknown>): Promise<void> {
    await of.evaluate(`document.getElementById('explore-said').textContent = ''`);
    await change();
    await settled(of);
  }

  beforeAll(async () => {
    await build({
      configFile: join(root, 'playground/vite.config.ts'),
      logLevel: 'silent',
      build: { outDir: folder, emptyOutDir: false },
    });
    browser = await openChromium();
    server = await serveFolder(folder, ISOLATION);
    page = await openPage();
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('draws_every_figure_of_the_first_matrix_and_says_what_it_measured', async () => {
    for (const id of ['blocks', 'ranks', 'memory']) {
      const marks = await page.locator(`#${id} .picture svg :is(rect, path, line, circle)`).count();
      expect(marks, id).toBeGreaterThan(4);
      expect(await page.locator(`#${id} .picture > svg`).getAttribute('aria-label'), id).toMatch(/\w+\. \w+/);
    }
    const inked = await page.evaluate(`(() => {
      const canvas = document.querySelector('#points canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Set();
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) colours.add(data.slice(at, at + 3).join());
      return colours.size;
    })()`);
    // A colour for each of the eight clusters of level 3.
    expect(inked).toBe(8);
    const [error, low, high] = (
      `${await fact(page, 'error')} ${await fact(page, 'interval')}`.match(/\d\S*e-\d+/g) ?? []
    ).map(Number);
    // Asked was 1e-5.
    expect(low).toBeLessThanOrEqual(error);
    expect(high).toBeGreaterThanOrEqual(error);
    expect(low).toBeLessThan(1e-5);
    expect(parseFloat(await fact(page, 'share'))).toBeLessThan(50);
  });

  it('offers_kernels_and_formats_that_there_are', async () => {
    const values = (selector: string): Promise<string[]> =>
      page.locator(selector).evaluateAll((all) => all.map((one) => (one as unknown as { value: string }).value));
    expect(
      (await values('[name=kernel] option')).filter((name) => !(kernelFamilies as string[]).includes(name)),
    ).toEqual([]);
    expect((await values('[name=format]')).sort()).toEqual([...FORMATS].sort());
  });

  it('is_worked_by_keys_alone', async () => {
    const focused = (): Promise<string> =>
      page.evaluate(`document.activeElement.name || document.activeElement.id || document.activeElement.className`);
    await page.evaluate(`document.body.focus()`);
    const reached: string[] = [];
    for (let k = 0; k < 17; k++) {
      await page.keyboard.press('Tab');
      reached.push(await focused());
    }
    expect(reached).toEqual([
      ...['cloud', 'csv', 'count', 'kernel', 'bandwidth', 'format', 'tolerance', 'leaf', 'walk', 'level'],
      ...[
        'card-run',
        'compare-run',
        'scroll table',
        'hidden',
        'hessian-run',
        'scroll table',
        expect.any(String) as string,
      ],
    ]);
    await page.locator('[name=tolerance]').focus();
    const before = parseFloat(await fact(page, 'rank'));
    await afterwards(page, () => page.keyboard.press('Home'));
    // 1e-9 takes larger ranks than 1e-5.
    expect(await textOf(page, '#tolerance-said')).toBe('1e-9');
    expect(parseFloat(await fact(page, 'rank'))).toBeGreaterThan(before);
    await page.locator('#walk').focus();
    await page.keyboard.press('End');
    expect(await textOf(page, '#walk-said')).toMatch(/^Rows \d+–\d+, columns \d+–\d+: level \d, rank \d+/);
    expect(await page.locator('#blocks .chosen').count()).toBe(2);
    await page.locator('#level').focus();
    await page.keyboard.press('Home');
    expect(await textOf(page, '#level-said')).toMatch('Level 0: 1 cluster');
  });

  it('keeps_what_was_chosen_in_its_address', async () => {
    await afterwards(page, () => page.locator('[value=fmm]').check());
    const { hash } = new URL(page.url());
    const other = await openPage(hash);
    expect(await other.locator('[value=fmm]').isChecked()).toBe(true);
    expect(await textOf(other, '#tolerance-said')).toBe('1e-9');
    // The same matrix, to the bit.
    expect(await fact(other, 'memory')).toBe(await fact(page, 'memory'));
    expect(await fact(other, 'error')).toBe(await fact(page, 'error'));
    await other.close();
  });

  it('takes_points_from_a_file_and_says_what_is_wrong_with_one', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${Math.cos(i)},${i % 17},${Math.sin(3 * i)}`);
    writeFileSync(join(folder, 'good.csv'), `x,y,z\n${rows.join('\n')}\n`);
    writeFileSync(join(folder, 'bad.csv'), `${rows.slice(0, 50).join('\n')}\n1,two,3\n`);
    await page.locator('#csv').setInputFiles(join(folder, 'bad.csv'));
    await expect.poll(() => textOf(page, '#csv-said')).toBe('Row 51, column 2 holds “two”, which is no number.');
    await afterwards(page, () => page.locator('#csv').setInputFiles(join(folder, 'good.csv')));
    expect(await textOf(page, '#csv-said')).toMatch(/^300 points of 3 coordinates/);
    expect(await page.locator('[name=cloud]').inputValue()).toBe('own');
    expect(await page.locator('#blocks .picture > svg').getAttribute('aria-label')).toMatch('300 × 300');
  });

  it('multiplies_on_the_graphics_card_and_says_what_it_is', async () => {
    await page.locator('#card-run').focus();
    await page.keyboard.press('Enter');
    await expect
      .poll(() => textOf(page, '#card-said'), { timeout: PATIENCE })
      .toMatch(/^64 products at once: \S+ m?s there, .*; relative difference \d\S*e-[678]\. webgpu: .*swiftshader/i);
    expect(await page.locator('#card-run').isEnabled()).toBe(true);
  });

  it('compares_the_formats_with_low_rank', async () => {
    await page.locator('#compare-run').focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => textOf(page, '#compare-said'), { timeout: PATIENCE }).toBe('Done.');
    const methods = await page.locator('#compare-table tbody td:first-child').allInnerTexts();
    expect([...new Set(methods)]).toEqual(['HSS', 'HODLR', 'FMM', 'low rank (SVD)']);
    await expect.poll(() => page.locator('#compare svg path').count()).toBeGreaterThan(methods.length);
  });

  it('compresses_the_Hessian_of_a_network_that_it_trained', async () => {
    await page.locator('#hidden').selectOption('4');
    await page.locator('#hessian-run').focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => textOf(page, '#hessian-said'), { timeout: 2 * PATIENCE }).toMatch(/^Done: N = 838 weights/);
    const methods = await page.locator('#hessian-table tbody td:first-child').allInnerTexts();
    expect(methods).toEqual(
      expect.arrayContaining(['HM-low', 'HM-high', 'RSVD-low', 'KFAC-low', 'EKFAC', 'Nystrom-low']),
    );
    await expect.poll(() => page.locator('#hessian svg path').count()).toBeGreaterThan(methods.length);
    expect(await page.locator('#digits').getAttribute('aria-label')).toMatch('48 of the generated digits');
  });

  it.each(['light', 'dark'] as const)(
    'has_no_serious_fault_of_accessibility_and_fits_every_screen: %s',
    async (theme) => {
      for (const width of [390, 1440]) {
        const seen = await openPage('', { width, colorScheme: theme });
        await seen.evaluate(axe);
        const { violations } = await seen.evaluate<{
          violations: { id: string; impact: string; nodes: { html: string }[] }[];
        }>('axe.run()');
        const faults = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
        expect(
          faults.map(({ id, nodes }) => `${id}: ${nodes[0].html}`),
          `${width} pixels`,
        ).toEqual([]);
        expect(await seen.evaluate('document.documentElement.scrollWidth'), `${width} pixels`).toBe(width);
        // Nothing moves while pictures and numbers come.
        expect(await seen.evaluate('globalThis.moved'), `${width} pixels`).toBeLessThan(0.01);
        // It is no empty picture: a single colour takes some ten kilobytes of PNG.
        expect((await seen.screenshot()).length, `${width} pixels`).toBeGreaterThan(40_000);
        await seen.close();
      }
    },
  );

  it('computes_where_the_page_is_not_isolated_too', async () => {
    const plain = await serveFolder(folder);
    const seen = await openPage('', { url: plain.url });
    expect(await textOf(seen, '#threads')).toMatch(/on 1 thread; served with the headers/);
    expect(await fact(seen, 'error')).toMatch(/e-\d$/);
    await seen.close();
    await plain.close();
  });

  it('complains_of_nothing', () => {
    expect(complaints).toEqual([]);
  });
});
