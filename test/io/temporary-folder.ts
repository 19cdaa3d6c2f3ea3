/** A folder of its own for each test file, removed at the end, and the shared data where there is any. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll } from 'vitest';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hmatrix-io-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

const shared = resolve(import.meta.dirname, '../../../shared/data');

/** A file of real data, and whether it is there; tests without it are skipped under a name that says so. */
export function realData(name: string): { path: string; there: boolean; note: string } {
  const path = join(shared, name);
  const there = existsSync(path);
  return { path, there, note: there ? '' : ` (skipped: ${name} is not in the shared data folder)` };
}
