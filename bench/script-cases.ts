/**
 * Benchmarks that are scripts of their own, each with its record and its table (bench/files.ts, bench/browser.ts):
 * `npm run bench` runs them whole.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A script of this folder, by the name of its file. */
export interface ScriptCase {
  readonly name: string;
  readonly label: string;
  /** What is missing here, and how to get it; undefined where the script can run. */
  readonly lacks?: () => string | undefined;
}

/** Where Chromium lies. */
export const chromiumPath = (): string | undefined =>
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

/** What measuring the browser lacks. */
export function browserLacks(): string | undefined {
  if (chromiumPath() === undefined) return 'There is no Chromium here (Debian: apt-get install chromium).';
  return existsSync(fileURLToPath(new URL('../playground/index.html', import.meta.url)))
    ? undefined
    : 'The playground is not built: npm run playground:build.';
}

/** The scripts. */
export const SCRIPT_CASES: readonly ScriptCase[] = [
  { name: 'files', label: 'Saving and loading beside plain writing and reading' },
  { name: 'browser', label: 'Chromium beside Node, and the playground', lacks: browserLacks },
];
