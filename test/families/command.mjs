/** The copy's library and its command, for the programs of the examples. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const copy = process.argv[2];

/** A module of the copy: "index", "network/gradient". */
export const load = (name) => import(pathToFileURL(join(copy, 'dist/src', `${name}.js`)).href);

/** `hmatrix ...args` of the copy: what it prints. Throws where it fails, but for a missed tolerance. */
export function hmatrix(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(copy, 'dist/src/cli/main.js'), ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`hmatrix ${args.join(' ')}: exit status ${status}\n${stdout}${stderr}`);
  return stdout;
}
