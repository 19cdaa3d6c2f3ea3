/** Debian's Python and its packages: tests that need what is not there are skipped under a name that says so. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const has = (interpreter: string, module: string): boolean =>
  spawnSync(interpreter, ['-c', `import ${module}`]).status === 0;

/** The interpreter that has the modules: the first on the path, else the system's; undefined where none has. */
export const interpreterWith = (...modules: readonly string[]): string | undefined =>
  ['python3', '/usr/bin/python3'].find((one) => modules.every((module) => has(one, module)));

/** What a skipped test's name ends with. */
export const without = (there: unknown, what: string): string =>
  there === undefined || there === false ? ` (skipped: there is no python3 with ${what})` : '';

/** Runs a program with the folder `path` among its modules; its standard output. */
export async function runPython(
  interpreter: string,
  program: string,
  args: readonly string[],
  path = '',
): Promise<string> {
  const { stdout } = await promisify(execFile)(interpreter, ['-c', program, ...args], {
    env: { ...process.env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' },
  });
  return stdout;
}
