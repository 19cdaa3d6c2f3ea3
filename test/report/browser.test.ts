/** A report in a browser: nothing fails, every figure is there, keys reach what a pointer does, and it is readable. */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, NO_CHROMIUM, openChromium } from '../browser/chromium.js';
import { hmatrix } from '../cli/command.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { KINDS, makeRecords } from './records.js';

const note = chromiumPath === undefined ? ` (skipped: ${NO_CHROMIUM})` : '';

const folder = temporaryFolder();
const url = pathToFileURL(join(folder, 'report.html')).href;

interface Opened {
  readonly page: Page;
  /** What the console said, and what was asked of the network. */
  readonly trouble: string[];
}

describe.skipIf(chromiumPath === undefined)(`a report in Chromium${note}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    await makeRecords(folder);
    const files = [...KINDS.map((kind) => `${kind}.json`), 'matrix.hm'];
    const { status, stderr } = await hmatrix(['report', ...files, '-o', 'report.html', '--quiet'], { cwd: folder });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    browser = await openChromium();
  });
  afterAll(() => browser.close());

  async function open(width: number, colorScheme: 'light' | 'dark'): Promise<Opened> {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const trouble: string[] = [];
    page.on('console', (message) => trouble.push(message.text()));
    page.on('pageerror', (error) => trouble.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== url) trouble.push(request.url());
    });
    await page.goto(url);
    return { page, trouble };
  }

  /** What a script finds in the page. */
  const find = <T>(page: Page, script: string): Promise<T> => page.evaluate<T>(script);

  it('opens_without_a_word_in_the_console_and_asks_for_nothing', async () => {
    const { page, trouble } = await open(1440, 'light');
    expect(trouble).toEqual([]);
    await page.close();
  });

  it('shows_every_figure_with_marks_titles_and_names', async () => {
    const { page } = await open(1440, 'light');
    const figures = await find<{ id: string; name: string; marks: number; height: number; inside: boolean }[]>(
      page,
      `[...document.querySelectorAll('figure')].map((figure) => {
        const svg = figure.querySelector('svg');
        const box = svg.getBoundingClientRect();
        const marks = [...svg.querySelectorAll('rect, path, circle, line')].filter((mark) => {
          const { width, height } = mark.getBoundingClientRect();
          return width > 0 || height > 0;
        });
        const inside = [...svg.querySelectorAll('text')].every((text) => {
          const { left, right } = text.getBoundingClientRect();
          return left >= box.left - 2 && right <= box.right + 2;
        });
        return { id: figure.id, name: svg.getAttribute('aria-label'), marks: marks.length, height: box.height, inside };
      })`,
    );
    expect(figures.length).toBe(
      [...(await readFile(join(folder, 'report.html'), 'utf8')).matchAll(/<figure /g)].length,
    );
    expect(figures.length).toBeGreaterThan(25);
    expect(new Set(figures.map(({ id }) => id)).size).toBe(figures.length);
    for (const { id, name, marks, height, inside } of figures) {
      expect(name.length, id).toBeGreaterThan(30);
      expect(marks, id).toBeGreaterThan(5);
      expect(height, id).toBeGreaterThan(60);
      // No letters are cut off, whatever the browser's font.
      expect(inside, id).toBe(true);
    }
    await page.close();
  });

  it('tells_each_mark_by_arrow_keys_and_by_pointing', async () => {
    const { page } = await open(1440, 'light');
    const figure = page.locator('figure').first();
    const slider = figure.locator('input[type=range]');
    await slider.focus();
    await page.keyboard.press('ArrowRight');
    const first = await figure.locator('svg title').first().textContent();
    expect(first).toMatch(/dense/);
    expect(await figure.locator('output').textContent()).toBe(first);
    expect(await slider.getAttribute('aria-valuetext')).toBe(first);
    await page.keyboard.press('End');
    const last = await figure.locator('svg title').last().textContent();
    expect(await figure.locator('output').textContent()).toBe(last);
    expect(await figure.locator('.chosen').count()).toBe(1);
    await figure.locator('svg rect').first().hover();
    expect(await figure.locator('output').textContent()).toBe(first);
    await page.close();
  });

  it('has_controls_that_keys_reach_and_work', async () => {
    const { page } = await open(1440, 'light');
    const paper = (): Promise<string> => find(page, 'getComputedStyle(document.body).backgroundColor');
    expect(await paper()).toBe('rgb(255, 255, 255)');
    await page.keyboard.press('Tab');
    expect(await find(page, 'document.activeElement.id')).toBe('theme');
    // Typing ahead chooses.
    await page.keyboard.type('dark');
    expect(await paper()).toBe('rgb(21, 23, 27)');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const closed = 'document.querySelectorAll("figure details:not([open])").length';
    expect(await find<number>(page, closed)).toBe(0);
    await page.keyboard.press('Space');
    expect(await find<number>(page, closed)).toBeGreaterThan(25);
    await page.close();
  });

  it.each([
    [390, 'light'],
    [390, 'dark'],
    [1440, 'light'],
    [1440, 'dark'],
  ] as const)('is_readable_at_%i_pixels_%s', async (width, scheme) => {
    const { page } = await open(width, scheme);
    expect(await find<number>(page, 'document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    const sizes = await find<number[]>(
      page,
      `[...document.querySelectorAll('figure svg[role=img]')].map((svg) =>
        11 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)`,
    );
    // Letters of 10 pixels on a telephone, and no headlines within pictures on a screen.
    expect(Math.min(...sizes)).toBeGreaterThan(10);
    expect(Math.max(...sizes)).toBeLessThan(16);
    const ink = await find<string>(page, 'getComputedStyle(document.querySelector("figure svg text")).fill');
    expect(ink).toBe(scheme === 'dark' ? 'rgb(230, 230, 230)' : 'rgb(28, 30, 33)');
    const picture = await page.screenshot({ fullPage: false });
    expect(picture.length).toBeGreaterThan(10_000);
    await page.close();
  });

  it.each(['light', 'dark'] as const)('has_no_serious_fault_that_axe_finds_%s', async (scheme) => {
    const { page } = await open(1440, scheme);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
    const faults = await find<{ id: string; impact: string; nodes: string[] }[]>(
      page,
      `axe.run(document).then(({ violations }) => violations.map(({ id, impact, nodes }) =>
        ({ id, impact, nodes: nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)) })))`,
    );
    expect(faults.filter(({ impact }) => impact === 'serious' || impact === 'critical')).toEqual([]);
    await page.close();
  });

  it('prints_on_white_without_controls', async () => {
    const { page } = await open(1000, 'dark');
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await find(page, 'getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
    expect(await find(page, 'getComputedStyle(document.querySelector(".controls")).display')).toBe('none');
    await page.close();
  });

  it('is_whole_without_scripts', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(url);
    expect(await page.locator('figure svg[role=img]').count()).toBeGreaterThan(25);
    expect(await page.locator('button, input, select').count()).toBe(0);
    await context.close();
  });

  it('SVG_is_XML_to_the_browser_too_with_marks_in_its_colours', async () => {
    for (const name of ['compression.json', 'table.json']) {
      await hmatrix(['plot', name, '-o', 'a.svg', '--quiet'], { cwd: folder });
      const page = await browser.newPage({ colorScheme: 'dark' });
      await page.goto(pathToFileURL(join(folder, 'a.svg')).href);
      expect(
        await find(page, 'document.documentElement.localName + document.querySelectorAll("parsererror").length'),
      ).toBe('svg0');
      expect(await find(page, 'getComputedStyle(document.querySelector("text")).fill')).toBe('rgb(230, 230, 230)');
      await page.close();
    }
  });
});
