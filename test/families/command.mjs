/** The copy's library and its command, for the programs of the examples. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const copy = process.argv[2];

const imported = (name) => import(pathToFileURL(join(copy, 'dist/src', `${name}.js`)).href);

/** A module of the copy, "network/gradient"; "index": the public names, of the core and of all namespaces. */
export async function load(name) {
  const loaded = await imported(name);
  return name === 'index' ? Object.assign({}, ...Object.values(loaded), loaded) : loaded;
}

/** `hmatrix ...args` of the copy: what it prints. Throws where it fails, but for a missed tolerance. */
export function hmatrix(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(copy, 'dist/src/cli/main.js'), ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`hmatrix ${args.join(' ')}: exit status ${status}\n${stdout}${stderr}`);
  return stdout;
}
