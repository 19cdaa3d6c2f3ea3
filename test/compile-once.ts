/**
 * Libraries that stand for others in tests: made by g++ when they are first needed, and kept by the hash of their
 * sources. Where there is no g++, tests skip, saying so.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Runs g++ with its options for a library that exports what it says. */
export type Compiler = (library: string, ...options: string[]) => void;

const OPTIONS = ['-O1', '-std=c++17', '-Wall', '-shared', '-fPIC', '-fvisibility=hidden'];

/**
 * The folder of what `make` has made of the sources, in the cache `name`; undefined where there is no g++ or no Linux.
 * Throws where g++ fails.
 */
export function compileOnce(
  name: string,
  sources: readonly string[],
  make: (compile: Compiler, folder: string) => void,
): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const cache = resolve(import.meta.dirname, '../node_modules/.cache', name);
  const hash = createHash('sha256');
  for (const source of sources) hash.update(readFileSync(source));
  const folder = join(cache, hash.digest('hex').slice(0, 16));
  if (existsSync(folder)) return folder;
  try {
    execFileSync('g++', ['--version'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  // Those of other sources are of no use any more.
  for (const old of existsSync(cache) ? readdirSync(cache) : [])
    if (!join(cache, old).startsWith(folder)) rmSync(join(cache, old), { recursive: true });
  const own = `${folder}-${process.pid}`;
  mkdirSync(own, { recursive: true });
  make((library, ...options) => {
    execFileSync('g++', [...OPTIONS, '-o', join(own, library), ...options], { stdio: 'inherit' });
  }, own);
  try {
    renameSync(own, folder);
  } catch {
    // Another process was faster.
    rmSync(own, { recursive: true });
  }
  return folder;
}
