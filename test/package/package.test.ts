/** hmatrix as a dependency: the tarball as it is published, installed, typed, bundled. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build as bundle, type BuildOptions } from 'esbuild';
import ts from 'typescript';
import { build as viteBuild } from 'vite';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { version } from '#hmatrix/core/version.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import {
  emptyFolder,
  link,
  node,
  pack,
  PROGRAMS,
  remove,
  run,
  unpackInto,
  writeFiles,
  type Packed,
  type Printed,
} from './project.js';

const root = resolve(import.meta.dirname, '../..');
const folder = emptyFolder();
/** A project with hmatrix and what it depends on, and nothing else. */
const project = join(folder, 'project');
const backend = openBlas().kind;
let packed: Packed;
/** What program.mjs prints there. */
let expected: Printed;

async function printed(file: string, cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Printed> {
  return JSON.parse((await node([file], cwd, env)).stdout) as Printed;
}

/** Both threads took part, with the results of program.mjs. */
function expectTheSame({ shares, ...others }: Printed): void {
  expect({ ...others, shares: [] }).toEqual({ ...expected, shares: [] });
  expect(Math.min(...shares)).toBeGreaterThan(0);
}

beforeAll(async () => {
  packed = await pack(folder);
  writeFiles(project, { 'package.json': '{ "private": true }', ...PROGRAMS });
  await unpackInto(project, packed);
  expected = await printed('program.mjs', project);
});
afterAll(() => {
  remove(folder);
});

describe('the tarball', () => {
  it('holds_the_build_and_its_documentation_and_nothing_else', () => {
    const allowed = [
      /^dist\/(src|datasets)\/.+\.(js|d\.ts)$/,
      /^dist\/command\/([\w-]+\.m?js|package\.json)$/,
      /^dist\/cjs\/(\w+\.js|package\.json|(src|datasets)\/.+\.d\.ts)$/,
      /^docs\/[\w-]+\.md$/,
      /^python\/hmatrix_\w+\.py$/,
      /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|datasets\/README\.md)$/,
    ];
    expect(packed.files.filter((path) => !allowed.some((pattern) => pattern.test(path)))).toEqual([]);
    expect(packed.files).toEqual(
      expect.arrayContaining([
        'README.md',
        'LICENSE',
        'dist/src/index.d.ts',
        'dist/src/parallel/worker-source.js',
        'dist/cjs/index.js',
        'dist/command/hmatrix.js',
        'dist/command/worker.js',
      ]),
    );
  });

  it('has_the_version_that_the_library_states', () => {
    const { version: stated } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(version).toBe(stated);
  });

  it('needs_no_script_where_it_is_installed_and_builds_itself_where_it_comes_from_git', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
    expect(scripts['prepare']).toBe('npm run --silent build');
  });
});

describe('a program', () => {
  it('computes_on_all_workers', () => {
    expect(expected).toMatchObject({ workers: 2, backend, failure: [true, 'OptionError', 'no entries today'] });
    expect(Math.min(...expected.shares)).toBeGreaterThan(0);
  });

  it.each(['program.cjs', 'dynamic.cjs'])('gets_the_same_bits_from_CommonJS: %s', async (file) => {
    expectTheSame(await printed(file, project));
  });
});

describe('HDF5 files', () => {
  it('take_h5wasm_from_ESM_CommonJS_and_the_command_line_and_without_it_say_what_to_install', async () => {
    const place = join(folder, 'hdf5');
    const body = `
      .then(({ readHdf5Matrix, writeHdf5Matrix }) =>
        writeHdf5Matrix('a.h5:/g/x', [1, 2, 4]).then(() => readHdf5Matrix('a.h5')))
      .then(({ data }) => console.log([...data].join()), ({ code, message }) => console.log(code, message));`;
    writeFiles(place, {
      'package.json': '{ "private": true }',
      'hdf5.mjs': `import('hmatrix/io')${body}`,
      'hdf5.cjs': `Promise.resolve(require('hmatrix/io'))${body}`,
    });
    await unpackInto(place, packed);
    const files = ['hdf5.mjs', 'hdf5.cjs'];
    for (const file of files)
      expect((await node([file], place)).stdout).toMatch(/^library a\.h5: HDF5 files take .*npm install h5wasm\.\n$/);
    expect(readdirSync(place)).not.toContain('a.h5');
    link(place, 'h5wasm');
    for (const file of files) expect(await node([file], place)).toMatchObject({ stdout: '1,2,4\n', stderr: '' });
    const command = join(place, 'node_modules/hmatrix/dist/command/hmatrix.js');
    const { stderr } = await run(process.execPath, [command, 'solve', '--matrix', 'a.h5'], place);
    expect(stderr).toMatch(/the matrix is 3 × 1/);
  });
});

describe('devices', () => {
  it('say_which_package_they_take_where_it_is_not_installed', async () => {
    const place = join(folder, 'devices');
    const body = `
      .then(({ openDevice }) => Promise.allSettled(['webgpu', 'tfjs'].map((name) => openDevice(name))))
      .then((all) => all.map(({ value, reason: { code, message } }) => console.log(value?.name ?? code, message)));`;
    writeFiles(place, {
      'package.json': '{ "private": true }',
      'device.mjs': `import('hmatrix/devices')${body}`,
      'device.cjs': `Promise.resolve(require('hmatrix/devices'))${body}`,
    });
    await unpackInto(place, packed);
    for (const file of ['device.mjs', 'device.cjs']) {
      const { stdout } = await node([file], place);
      expect(stdout).toMatch(/^library WebGPU takes .*npm install webgpu\.\n/);
      expect(stdout).toMatch(/\nlibrary .*TensorFlow\.js, and none of .* is installed\. Install it beside/);
    }
  });
});

/** The library's sources without their comments, by path below src. */
function codeOfSources(): [string, string][] {
  const paths = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !/^(cli|experiment)\b/.test(path),
  );
  return paths.map((path) => [
    path,
    readFileSync(join(root, 'src', path), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''),
  ]);
}

/** Each `import.meta` of the code, not those that texts speak of. */
function metaProperties(path: string, code: string): ts.Node[] {
  const found: ts.Node[] = [];
  // Most files have none, and need not be parsed.
  if (!/\b(import|new)\s*\.\s*\w/.test(code)) return found;
  const visit = (node: ts.Node): void => {
    if (ts.isMetaProperty(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS));
  return found;
}

describe('a bundle', () => {
  it('has_every_function_of_workers_under_a_name_of_its_own', () => {
    const sources = codeOfSources();
    const names = sources.flatMap(([, code]) =>
      [...code.matchAll(/\b(?:defineTask(?:<[^(]*>)?|builtIn)\(\s*import\.meta\.url,\s*'(\w+)'/g)].map(
        ([, name]) => name,
      ),
    );
    // Nothing else asks where it lies but location.ts: a bundle has no place of its own for it.
    const places = sources
      .flatMap(([path, code]) => metaProperties(path, code).map(() => path))
      .filter((path) => path !== join('core', 'location.ts'));
    expect(places.length).toBe(names.length);
    expect([...names].sort()).toEqual([...new Set(names)].sort());
    const built = readFileSync(join(root, 'dist/src/parallel/worker-source.js'), 'utf8');
    expect(names.filter((name) => !built.includes(`hmatrixCode,\\"${name}\\"`))).toEqual([]);
  });

  /** Runs a bundle, given by its files, where there is nothing but koffi, which no bundle can hold. */
  async function runBundle(name: string, files: Readonly<Record<string, string>>): Promise<Printed> {
    const place = join(folder, `bundle-${name}`);
    writeFiles(place, { ...files, 'source.mjs': PROGRAMS['source.mjs'] });
    link(place, 'koffi');
    return printed(name, place);
  }

  async function esbuilt(entry: string, options: BuildOptions): Promise<string> {
    const { outputFiles, warnings } = await bundle({
      absWorkingDir: project,
      entryPoints: [entry],
      bundle: true,
      platform: 'node',
      write: false,
      logLevel: 'silent',
      ...options,
    });
    expect(warnings).toEqual([]);
    return outputFiles![0].text;
  }

  it.each<[string, string, BuildOptions]>([
    ['minified.mjs', 'program.mjs', { format: 'esm', minify: true }],
    ['from-esm.cjs', 'entry.mjs', { format: 'cjs' }],
    ['from-cjs.cjs', 'program.cjs', { format: 'cjs' }],
  ])('of_esbuild_computes_the_same_bits_on_all_workers: %s', async (name, entry, options) => {
    expectTheSame(await runBundle(name, { [name]: await esbuilt(entry, options) }));
  });

  it('of_Vite_computes_the_same_bits_on_all_workers', async () => {
    const built = await viteBuild({
      root: project,
      configFile: false,
      logLevel: 'silent',
      ssr: { noExternal: true },
      build: {
        ssr: 'program.mjs',
        write: false,
        target: 'node20',
        rollupOptions: { output: { entryFileNames: 'vite.mjs', chunkFileNames: '[name].mjs' } },
      },
    });
    const [{ output }] = [built].flat() as { output: { fileName: string; code: string }[] }[];
    expectTheSame(
      await runBundle('vite.mjs', Object.fromEntries(output.map(({ fileName, code }) => [fileName, code]))),
    );
  });

  it('says_that_it_uses_the_portable_backend_where_koffi_is_missing', async () => {
    const place = join(folder, 'alone');
    writeFiles(place, {
      'bundle.mjs': await esbuilt('program.mjs', { format: 'esm' }),
      'source.mjs': PROGRAMS['source.mjs'],
    });
    const { stdout, stderr } = await node(['bundle.mjs'], place, { HMATRIX_BLAS: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      workers: 2,
      backend: 'portable',
      failure: [true, 'OptionError', 'no entries today'],
    });
    // Once, though two threads and a source look for a library.
    expect(stderr.match(/The portable backend is used/g)).toHaveLength(1);
    expect(stderr).toMatch(/install koffi beside the bundle/);
  });
});

describe('the types', () => {
  const PROGRAM = `
    import * as hmatrix from 'hmatrix';
    import { minres } from 'hmatrix/krylov';
    export const solver: typeof hmatrix.krylov.minres = minres;
    export async function program(): Promise<Float64Array | Float32Array> {
      const points: hmatrix.Points = { dimension: 1, count: 2, coordinates: Float64Array.of(0, 1) };
      const source: hmatrix.EntrySource = hmatrix.kernelSource(points, hmatrix.kernels.gaussian(1));
      const onProgress = ({ phase, done, total }: hmatrix.Progress): void => {
        const seen: string = phase + String(done / total);
        void seen;
      };
      const control: hmatrix.Control = { signal: { aborted: false }, onProgress };
      const options: hmatrix.CompressOptions = { format: 'hss', tolerance: 1e-6 };
      const matrix: hmatrix.HierarchicalMatrix = await hmatrix.compress(source, options, control);
      // @ts-expect-error: there is no such format, so the options have types.
      await hmatrix.compress(source, { format: 'dense' });
      return (await hmatrix.factor(matrix)).solve(hmatrix.dense.zeros(2, 1)).data;
    }
    export const families: readonly string[] = hmatrix.kernels.kernelFamilies;`;

  const check = (
    files: readonly string[],
    options: ts.CompilerOptions,
  ): { program: ts.Program; messages: string[] } => {
    const program = ts.createProgram(
      files.map((file) => join(project, file)),
      { target: ts.ScriptTarget.ES2022, types: [], strict: true, noEmit: true, ...options },
    );
    const messages = ts
      .getPreEmitDiagnostics(program)
      .map(({ file, messageText }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
    return { program, messages };
  };

  it.each<[string, string[], ts.ModuleKind, ts.ModuleResolutionKind]>([
    ['node16', ['types.mts', 'types.cts'], ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16],
    ['nodenext', ['types.mts', 'types.cts'], ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
    ['bundler', ['types.ts'], ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
  ])('need_no_others_and_pass_a_check_of_declarations: %s', (_, files, module, moduleResolution) => {
    writeFiles(project, Object.fromEntries(files.map((file) => [file, PROGRAM])));
    const { program, messages } = check(files, {
      module,
      moduleResolution,
      lib: ['lib.es2022.d.ts'],
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
    });
    expect(messages).toEqual([]);
    const ours = program
      .getSourceFiles()
      .map(({ fileName }) => fileName)
      .filter((name) => !/\/typescript\/lib\/lib\.[\w.]+$/.test(name))
      .map((name) => relative(project, name));
    expect(
      ours.filter(
        (name) => !files.includes(name) && !/^node_modules\/hmatrix\/dist\/(cjs\/)?(src|datasets)\//.test(name),
      ),
    ).toEqual([]);
    // CommonJS has types of its own.
    expect(ours.some((name) => name.startsWith('node_modules/hmatrix/dist/cjs/'))).toBe(files.includes('types.cts'));
  });

  it('take_the_abort_signals_of_the_web', () => {
    writeFiles(project, {
      'signals.mts':
        "import type { RunControl } from 'hmatrix/teams';\nexport const control: RunControl = { signal: new " +
        'AbortController().signal };\n',
    });
    const options = {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      skipLibCheck: true,
    };
    expect(check(['signals.mts'], { ...options, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] }).messages).toEqual([]);
  });
});

/** Where the registry cannot be reached there is no installation to look at. */
function skipOffline(
  context: TestContext,
  { status, stdout, stderr }: { status: number; stdout: string; stderr: string },
): void {
  if (status === 0) return;
  const text = stdout + stderr;
  if (
    new RegExp(
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT/.source +
        /|ENETUNREACH|ERR_SOCKET_TIMEOUT|ERR_PNPM_META_FETCH_FAIL|ENOTCACHED/.source,
    ).test(text)
  ) {
    context.skip('the registry of npm cannot be reached from here');
  }
  throw new Error(`The installation ended with ${status}:\n${text}`);
}

describe('an installation', () => {
  const PNPM = 'pnpm@10.18.0';
  const quiet = ['--ignore-scripts', '--prefer-offline', '--fetch-retries=0'];
  const ways: Readonly<Record<string, readonly string[]>> = {
    npm: ['install', ...quiet, '--no-audit', '--no-fund'],
    pnpm: [
      'exec',
      '--yes',
      '--prefer-offline',
      '--fetch-retries=0',
      `--package=${PNPM}`,
      '--',
      'pnpm',
      'add',
      ...quiet,
    ],
  };

  for (const [manager, args] of Object.entries(ways)) {
    it(`by_${manager}_without_scripts_runs_from_ESM_CommonJS_and_the_command_line`, async (context) => {
      const place = join(folder, manager);
      writeFiles(place, { 'package.json': '{ "name": "empty", "private": true }', ...PROGRAMS });
      skipOffline(context, await run('npm', [...args, packed.tarball], place));
      for (const file of ['program.mjs', 'program.cjs'])
        expect(await printed(file, place)).toMatchObject({ bits: expected.bits, workers: 2, backend });
      const command = await run(join(place, 'node_modules/.bin/hmatrix'), ['--version'], place);
      expect(command).toMatchObject({ status: 0, stdout: `${version}\n` });
    });
  }
});
