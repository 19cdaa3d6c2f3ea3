/** The library in a browser: bundled by Vite, on a page's own thread and in workers, isolated and not. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { Team } from '#hmatrix/parallel/team.js';
import { chromiumPath, ISOLATION, NO_CHROMIUM, openChromium, serveFolder, type Served } from './chromium.js';
import { results } from './program.mjs';

const root = resolve(import.meta.dirname, '../..');

interface Failure {
  readonly name: string;
  readonly message: string;
}

/** What page.html defines. */
interface Asked {
  isReady?: boolean;
  onPage(...question: readonly unknown[]): Promise<unknown>;
  inWorker(...question: readonly unknown[]): Promise<unknown>;
}

describe.skipIf(chromiumPath === undefined)(`a browser (skipped where ${NO_CHROMIUM})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hmatrix-browser-'));
  const servers: Served[] = [];
  const complaints: string[] = [];
  let browser: Browser;
  let isolated: Page;
  let shut: Page;
  let expected: Readonly<Record<string, string>>;

  async function openPage(headers: Readonly<Record<string, string>>): Promise<Page> {
    const server = await serveFolder(folder, headers);
    servers.push(server);
    const page = await browser.newPage();
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await page.goto(`${server.url}page.html`);
    await page.waitForFunction(() => (globalThis as unknown as Asked).isReady === true);
    return page;
  }

  const ask = <T>(page: Page, where: 'onPage' | 'inWorker', ...question: unknown[]): Promise<T> =>
    page.evaluate(([place, all]) => (globalThis as unknown as Asked)[place](...all), [
      where,
      question,
    ] as const) as Promise<T>;

  beforeAll(async () => {
    cpSync(join(import.meta.dirname, 'page.html'), join(folder, 'page.html'));
    const warnings: string[] = [];
    await build({
      root: import.meta.dirname,
      configFile: false,
      logLevel: 'silent',
      resolve: { alias: { hmatrix: join(root, 'dist/src/index.js') } },
      build: {
        outDir: folder,
        emptyOutDir: false,
        target: 'es2022',
        lib: { entry: join(import.meta.dirname, 'host.mjs'), formats: ['es'], fileName: () => 'host.js' },
        rollupOptions: { onwarn: ({ code = '', message }) => warnings.push(`${code}: ${message}`) },
      },
    });
    expect(warnings.filter((text) => /MISSING_EXPORT|UNRESOLVED_IMPORT|externalized/.test(text))).toEqual([]);
    browser = await openChromium();
    isolated = await openPage(ISOLATION);
    shut = await openPage({});
    const team = await Team.open({ workers: 2, blas: 'portable' });
    expected = await results(hmatrix, team);
    await team.close();
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all(servers.map((server) => server.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives_the_bits_of_Node_for_any_number_of_workers', async () => {
    expect(Object.keys(expected)).toHaveLength(11);
    for (const workers of [1, 2, 3]) {
      expect(await ask(isolated, 'inWorker', 'results', workers), `${workers} workers`).toEqual(expected);
    }
  });

  it('gives_them_on_a_thread_of_its_own_too_and_where_the_page_is_not_isolated', async () => {
    expect(await ask(isolated, 'inWorker', 'isolated')).toBe(true);
    expect(await ask(shut, 'inWorker', 'isolated')).toBe(false);
    expect(await ask(isolated, 'onPage', 'results', 1)).toEqual(expected);
    expect(await ask(shut, 'inWorker', 'results', 1)).toEqual(expected);
  });

  it('takes_the_cores_it_may_use', async () => {
    const cores = await isolated.evaluate('navigator.hardwareConcurrency');
    expect(await ask(isolated, 'inWorker', 'team')).toEqual({ workers: cores, backend: 'portable' });
    expect(await ask(isolated, 'onPage', 'team')).toEqual({ workers: 1, backend: 'portable' });
    expect(await ask(shut, 'inWorker', 'team')).toEqual({ workers: 1, backend: 'portable' });
  });

  it('says_why_there_are_no_workers_and_what_to_do', async () => {
    const shutFailure = await ask<Failure>(shut, 'inWorker', 'teamFailure', 2);
    expect(shutFailure).toMatchObject({
      name: 'WorkerError',
      message: expect.stringContaining('Cross-Origin-Embedder-Policy') as string,
    });
    const pageFailure = await ask<Failure>(isolated, 'onPage', 'teamFailure', 2);
    expect(pageFailure).toMatchObject({
      name: 'WorkerError',
      message: expect.stringContaining('in a Web Worker') as string,
    });
  });

  it('brings_errors_of_workers_with_their_class_and_numbers', async () => {
    expect(await ask(isolated, 'inWorker', 'workerFailure')).toEqual({
      typed: true,
      name: 'OptionError',
      message: 'no entries today',
      data: { worst: 'Infinity', worker: 1 },
    });
  });

  it('has_no_files_and_no_system_libraries_and_says_so', async () => {
    expect(await ask(isolated, 'inWorker', 'failures')).toEqual([
      { name: 'FileAccessError', message: expect.stringMatching(/^A browser has no files/) as string },
      { name: 'LibraryError', message: expect.stringMatching(/"openblas".*"portable"/) as string },
    ]);
  });

  it('computes_with_TensorFlow_js_that_a_page_hands_over', async () => {
    for (const place of ['onPage', 'inWorker'] as const)
      expect(await ask(isolated, place, 'tensorFlow')).toEqual({
        absent: {
          name: 'LibraryError',
          message: expect.stringMatching(/none of .* is installed\. Hand it over: openDevice/) as string,
        },
        description: expect.stringMatching(/^tfjs: TensorFlow\.js \S+ \(handed over\), backend cpu$/) as string,
        sum: 14,
        tensors: 0,
      });
  });

  it('multiplies_and_solves_on_the_graphics_card_of_the_browser', async () => {
    for (const place of ['onPage', 'inWorker'] as const) {
      const solves = place === 'inWorker';
      const found = await ask<{ description: string; differences: number[] }>(isolated, place, 'webgpu', solves);
      expect(found.description).toMatch(/^webgpu: .*swiftshader/i);
      expect(found.differences).toHaveLength(solves ? 2 : 1);
      // Other numbers than those here: float32's.
      for (const difference of found.differences) {
        expect(difference).toBeGreaterThan(1e-9);
        expect(difference).toBeLessThan(1e-5);
      }
    }
  });

  it('complains_of_nothing', () => {
    expect(complaints).toEqual([]);
  });
});
