/**
 * The browser: `npm run bench -- --only browser [--write]` measures Chromium beside Node, in turns, and the playground
 * (`npm run playground:build` first). `--write` keeps the record in bench/results/browser.json and the table of
 * docs/benchmarks.md. Of all rounds the fastest counts, and the median is told beside it.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Browser, type Page } from 'playwright-core';
import { preview } from 'vite';
import { median } from '../src/core/median.js';
import { portableGemm } from './portable-gemm.js';
import { rounded, writeRecord } from './record.js';
import { browserLacks, chromiumPath } from './script-cases.js';
import { replaceSection } from './section.js';

const SIZES = [128, 256, 512];
const GEMM_ROUNDS = 24;
const SECONDS = 0.12;
const PICTURES = 7;
/** The playground's first matrix, and one of 4,096 points. */
const FIRST = '';
const LARGE = '#count=4096';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Rate {
  readonly n: number;
  readonly node: number;
  readonly browser: number;
}
interface Picture {
  readonly what: string;
  readonly fastest: number;
  readonly median: number;
}
/** What browser.json holds. */
export interface BrowserResult {
  readonly gemm: readonly Rate[];
  readonly pictures: readonly Picture[];
}

async function gemmRates(browser: Browser): Promise<Rate[]> {
  const { outputFiles } = await build({
    stdin: {
      contents: "export { portableGemm } from './dist/bench/portable-gemm.js';",
      resolveDir: root,
    },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'bench',
    define: { 'import.meta.url': '"bench"' },
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  const page = await browser.newPage();
  await page.evaluate(outputFiles[0].text + '; globalThis.bench = bench;');
  const rates: Rate[] = [];
  for (const n of SIZES) {
    let [node, there] = [0, 0];
    for (let round = 0; round < GEMM_ROUNDS; round++) {
      node = Math.max(node, portableGemm(n, SECONDS));
      there = Math.max(there, await page.evaluate<number>(`bench.portableGemm(${n}, ${SECONDS})`));
    }
    rates.push({ n, node: rounded(node), browser: rounded(there) });
  }
  await page.close();
  return rates;
}

/** Milliseconds from asking for the page, or for its next compression, to the picture. */
async function drawn(page: Page, ask: () => Promise<unknown>): Promise<number> {
  await page.evaluate('delete document.documentElement.dataset.drawn').catch(() => undefined);
  await ask();
  const found = await page.waitForFunction('document.documentElement.dataset.drawn', undefined, { polling: 10 });
  return Number(await found.jsonValue());
}

async function pictures(browser: Browser): Promise<Picture[]> {
  const server = await preview({ configFile: `${root}playground/vite.config.ts`, logLevel: 'silent' });
  const url = server.resolvedUrls!.local[0];
  const first: number[] = [];
  const cold: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < PICTURES; round++) {
    // Each page has a context of its own: nothing is kept from the page before.
    const opened = await browser.newContext();
    const page = await opened.newPage();
    await drawn(page, () => page.goto(url + FIRST));
    first.push(await page.evaluate<number>('performance.now()'));
    await opened.close();
    const again = await browser.newContext();
    const large = await again.newPage();
    cold.push(await drawn(large, () => large.goto(url + LARGE)));
    warm.push(await drawn(large, () => large.locator('[name=format][value=hodlr]').check()));
    warm.push(await drawn(large, () => large.locator('[name=format][value=hss]').check()));
    await again.close();
  }
  await server.close();
  const of = (what: string, times: number[]): Picture => ({
    what,
    fastest: rounded(Math.min(...times) / 1000),
    median: rounded(median(times) / 1000),
  });
  return [
    of('the first picture (N = 1,024) since the page was asked for', first),
    of('N = 4,096 compressed and drawn, the first matrix of a page', cold),
    of('N = 4,096 compressed and drawn, a later one', warm),
  ];
}

/** The table. */
function tableOf({ gemm, pictures: all }: BrowserResult): string {
  return [
    '| portable gemm, one thread | Node (GFLOP/s) | Chromium | Chromium / Node |',
    '|---|---|---|---|',
    ...gemm.map(
      ({ n, node, browser }) =>
        `| n = ${n} | ${node.toFixed(1)} | ${browser.toFixed(1)} | ${(browser / node).toFixed(2)} |`,
    ),
    '',
    '| the playground | fastest (s) | median (s) |',
    '|---|---|---|',
    ...all.map(({ what, fastest, median: middle }) => `| ${what} | ${fastest.toFixed(2)} | ${middle.toFixed(2)} |`),
  ].join('\n');
}

const lacking = browserLacks();
if (lacking !== undefined) throw new Error(lacking);
const browser = await chromium.launch({ executablePath: chromiumPath()!, args: ['--no-sandbox'] });
const result: BrowserResult = { gemm: await gemmRates(browser), pictures: await pictures(browser) };
const version = browser.version();
await browser.close();
console.log(tableOf(result));
if (process.argv.includes('--write')) {
  console.log(writeRecord('browser', { chromium: version.replace(/\..*$/, ''), ...result }));
  replaceSection('browser', tableOf(result));
}
