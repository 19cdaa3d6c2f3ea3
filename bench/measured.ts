/**
 * Measuring in a process of its own: what runs before leaves no warm code, memory or threads behind.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder dist of this build. */
export const OWN_DIST = fileURLToPath(new URL('..', import.meta.url));

/**
 * What the script bench/`script` of a build prints for these arguments, the case's name first. Throws where it fails.
 */
export function outputOf(script: string, args: readonly string[], dist = OWN_DIST): string {
  const child = spawnSync(process.execPath, [join(dist, 'bench', script), ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (child.status !== 0) throw new Error(`${args[0] ?? script} of ${dist} failed:\n${child.stderr}`);
  return child.stdout;
}
