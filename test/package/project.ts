/** The packed tarball, and projects of users beside nothing of ours: what hmatrix is as a dependency. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; `env` is added to ours, without what a test runner or npm set for themselves. */
export function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(?!config_)|npm_config_local_prefix$|NODE_OPTIONS$|VITE|TEST$)/.test(name),
    ),
  );
  return new Promise((done) => {
    execFile(
      program,
      args,
      { cwd, env: { ...inherited, ...env }, timeout: 110_000, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        done({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      },
    );
  });
}

/** As `run`, with Node; throws what the program wrote to standard error where it fails. */
export async function node(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const outcome = await run(process.execPath, args, cwd, env);
  if (outcome.status !== 0)
    throw new Error(`node ${args.join(' ')} in ${cwd} ended with ${outcome.status}:\n${outcome.stderr}`);
  return outcome;
}

/** A folder that has no package above it. */
export const emptyFolder = (): string => realpathSync(mkdtempSync(join(tmpdir(), 'hmatrix-package-')));

export interface Packed {
  readonly tarball: string;
  readonly files: readonly string[];
  readonly unpackedSize: number;
}

/** What `npm pack` makes of the build as it stands, after making the package's own files of it. */
export async function pack(folder: string): Promise<Packed> {
  await node(['scripts/build-package.mjs'], root);
  const { stdout, status, stderr } = await run(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    root,
  );
  if (status !== 0) throw new Error(`npm pack ended with ${status}:\n${stderr}`);
  const [{ filename, files, unpackedSize }] = JSON.parse(stdout) as [
    { filename: string; files: { path: string }[]; unpackedSize: number },
  ];
  return { tarball: join(folder, filename), files: files.map(({ path }) => path), unpackedSize };
}

/** Writes files, given by their names, and what lies between. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/**
 * Makes node_modules/hmatrix of the tarball, and links the packages that it depends on: an installation that needs no
 * registry.
 */
export async function unpackInto(project: string, { tarball }: Packed): Promise<void> {
  const target = join(project, 'node_modules', 'hmatrix');
  mkdirSync(target, { recursive: true });
  const { status, stderr } = await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', target], project);
  if (status !== 0) throw new Error(`tar ended with ${status}:\n${stderr}`);
  const { dependencies } = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) link(project, name);
}

/** Links a package of this checkout into a project. */
export function link(project: string, name: string): void {
  const path = join(project, 'node_modules', name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(realpathSync(join(root, 'node_modules', name)), path, 'dir');
}

export const remove = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true });
};

/**
 * The body of a user's program: compresses, factors, multiplies and reads a file, on a team of two, and prints what
 * came out as JSON. `bits` is a digest of all results; `shares` counts how many blocks of entries the calling thread
 * and the other evaluated, of a source in a file of its own.
 */
export const PROGRAM_BODY = `
  const hash = createHash('sha256');
  const add = (array) => { hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)); };
  const coordinates = new Float64Array(400);
  new hmatrix.random.RandomStream(1).fillNormal(coordinates);
  const points = { dimension: 2, count: 200, coordinates };
  const team = await hmatrix.openTeam({ workers: 2 });
  const control = { team };
  const ones = hmatrix.dense.zeros(200, 1);
  ones.data.fill(1);
  for (const kernel of [hmatrix.kernels.gaussian(1), await hmatrix.kernels.expressionKernel('1 / (1 + r^2)')]) {
    const options = { leafSize: 16, tolerance: 1e-6, format: 'hss', seed: 3 };
    const matrix = await hmatrix.compress(hmatrix.kernelSource(points, kernel, { ridge: 1 }), options, control);
    add(matrix.apply(ones).data);
    add((await hmatrix.factor(matrix, {}, control)).solve(ones).data);
  }
  const network = hmatrix.networks.defineNetwork({ widths: [3, 5, 2] });
  const parameters = hmatrix.networks.initialParameters(network, 2);
  const inputs = hmatrix.dense.zeros(3, 40);
  new hmatrix.random.RandomStream(4).fillNormal(inputs.data);
  const data40 = hmatrix.networks.memoryDataSet(inputs, hmatrix.dense.zeros(2, 40));
  const model = { network, parameters, loss: 'mse', data: data40 };
  const options = { leafSize: 8, tolerance: 1e-6 };
  const compressed = await hmatrix.compress(hmatrix.curvature.gaussNewtonSource(model), options, control);
  const vector = hmatrix.dense.zeros(compressed.size, 1);
  vector.data.fill(1);
  add(compressed.apply(vector).data);
  writeFileSync('points.csv', '0.5,1\\n2,3\\n');
  add((await hmatrix.io.readPoints('points.csv')).coordinates);
  const shares = new Int32Array(new SharedArrayBuffer(8));
  const data = { size: 300, shares };
  const module = new URL('source.mjs', pathToFileURL(process.cwd() + '/')).href;
  const { openSource } = await import(module);
  const sourceOf = (data) => ({ ...openSource(data), descriptor: { module, name: 'openSource', data } });
  // A tree that needs no entries: all of them are asked for where both threads have work.
  const ordered = { leafSize: 16, distance: 'lexicographic' };
  await hmatrix.compress(sourceOf(data), { ...ordered, tolerance: 1e-3 }, control);
  let failure;
  const failing = { size: data.size, shares: new Int32Array(new SharedArrayBuffer(8)), fails: true };
  await hmatrix.compress(sourceOf(failing), ordered, control).catch((error) => { failure = error; });
  await team.close();
  console.log(JSON.stringify({ namespaces: Object.keys(hmatrix).length, workers: team.workers, backend: team.blas.kind,
    bits: hash.digest('hex'), shares: [...shares],
    failure: [failure instanceof hmatrix.errors.OptionError, failure.name, failure.message] }));
`;

const NODE_IMPORTS =
  "import { createHash } from 'node:crypto';\nimport { writeFileSync } from 'node:fs';\nimport { pathToFileURL } " +
  "from 'node:url';\n";

const NODE_REQUIRES = NODE_IMPORTS.replace(/import (.*?) from (.*?);/g, 'const $1 = require($2);');

/**
 * The program in the three ways of loading the library, and the module of its source, which imports nothing: it runs
 * beside a bundle too.
 */
export const PROGRAMS: Readonly<Record<string, string>> = {
  'program.mjs': `import * as hmatrix from 'hmatrix';\n${NODE_IMPORTS}${PROGRAM_BODY}`,
  // Without await at the top level, which bundles of CommonJS cannot have.
  'entry.mjs': `import * as hmatrix from 'hmatrix';\n${NODE_IMPORTS}async function main() {${PROGRAM_BODY}}\nmain();\n`,
  'program.cjs':
    `const hmatrix = require('hmatrix');\n${NODE_REQUIRES}` + `async function main() {${PROGRAM_BODY}}\nmain();\n`,
  'dynamic.cjs': `${NODE_REQUIRES}async function main() {
  const hmatrix = await import('hmatrix');${PROGRAM_BODY}}\nmain();\n`,
  'source.mjs': `import { isMainThread } from 'node:worker_threads';
export const openSource = ({ size, shares, fails }) => ({
  size,
  entries(rows, cols, out) {
    // The other thread gets its turn, however busy the machine is.
    if (isMainThread && Atomics.load(shares, 1) === 0) Atomics.wait(shares, 1, 0, 5);
    Atomics.add(shares, isMainThread ? 0 : 1, 1);
    Atomics.notify(shares, 1);
    // As an error of the library that comes from another copy of it.
    const kind = { name: 'OptionError', code: 'option', data: {} };
    if (fails && !isMainThread) throw Object.assign(new Error('no entries today'), kind);
    for (let j = 0; j < cols.length; j++) {
      for (let i = 0; i < rows.length; i++) {
        const value = Math.exp(-(((rows[i] - cols[j]) / 50) ** 2));
        out.data[out.offset + i + j * out.ld] = value + (rows[i] === cols[j] ? 1 : 0);
      }
    }
  },
  diagonal(out) { out.fill(2); },
});
`,
};

export interface Printed {
  readonly namespaces: number;
  readonly workers: number;
  readonly backend: string;
  readonly bits: string;
  readonly shares: readonly [number, number];
  readonly failure: readonly [boolean, string, string];
}
