/**
 * The layers and rooms of the sources: who may import whom, which package is used where, no cycles, no long files.
 * Imports are read from the syntax tree: import and export declarations (type-only ones too), import(), import types,
 * require().
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Layer of each part of src; a part may import from its own layer and from lower ones. */
const LAYERS: Readonly<Record<string, number>> = {
  core: 0,
  native: 0,
  distributed: 1,
  dense: 1,
  parallel: 1,
  io: 1,
  operator: 2,
  device: 2,
  tape: 2,
  text: 2,
  source: 3,
  network: 3,
  krylov: 3,
  lowrank: 3,
  layers: 4,
  tree: 4,
  hierarchical: 5,
  curvature: 5,
  models: 5,
  approximation: 6,
  solve: 6,
  training: 6,
  files: 6,
  experiment: 7,
  report: 7,
  cli: 8,
  public: 8,
  'index.ts': 8,
};
/** What the generators of datasets may use of src. */
const DATASETS_LAYER = 3;
/** Parts of src that may import from datasets. */
const DATASETS_USERS = ['cli', 'public'];

/** The folders and files that may import a package (or a module of Node); a folder includes the folders below it. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  koffi: ['src/native'],
  'fastest-levenshtein': ['src/core'],
  mathjs: ['src/source'],
  'csv-parse': ['src/io'],
  '@huggingface/tokenizers': ['src/text'],
  '@observablehq/plot': ['src/report/charts'],
  svgdom: ['src/report/charts'],
  '@resvg/resvg-wasm': ['src/report/png.ts'],
  commander: ['src/cli'],
  '@bomb.sh/tab': ['src/cli/completion.ts'],
  'cli-progress': ['src/cli'],
  'cli-table3': ['src/cli'],
  // dense: the processor's instructions stand in /proc.
  // report: what WebAssembly renders with, and its font.
  'node:fs': ['src/io', 'src/cli', 'src/dense/processor.ts', 'src/report/png.ts'],
  'node:stream': ['src/io'],
  'node:zlib': ['src/io'],
  // source: the module of a source's descriptor is a URL.
  'node:path': ['src/io', 'src/cli', 'src/source', 'src/report/png.ts'],
  'node:url': ['src/source'],
  // io: a thread's number keeps the names of temporary files apart.
  'node:worker_threads': ['src/parallel', 'src/io', 'src/distributed/threads/start.ts'],
  // parallel: what it collects garbage with.
  'node:v8': ['src/parallel/collect.ts'],
  'node:vm': ['src/parallel/collect.ts'],
  // cli: its compile cache.
  'node:module': ['src/native', 'src/cli/main.ts', 'src/report/png.ts'],
  'node:os': ['src/io', 'src/parallel', 'src/hierarchical'],
};
/** Rooms that only the folder they stand in uses. */
const PRIVATE_ROOMS = [
  'src/dense/portable',
  'src/dense/system',
  'src/hierarchical/factor/ulv',
  'src/hierarchical/factor/hodlr',
  'src/hierarchical/from-products/hss',
  'src/hierarchical/from-products/hodlr',
];
const MOST_LINES = 500;
/** In code points. */
const MOST_COLUMNS = 120;

interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const parse = (path: string, text: string): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);

/** Every specifier that a file names, in whatever form. */
function importsOf(from: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, typeOnly: boolean): void => {
    if (node !== undefined && ts.isStringLiteralLike(node)) found.push({ from, specifier: node.text, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (
      ts.isCallExpression(node) &&
      (node.expression.kind === ts.SyntaxKind.ImportKeyword ||
        (ts.isIdentifier(node.expression) && node.expression.text === 'require'))
    ) {
      add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(from, text));
  return found;
}

const filesUnder = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((path) => /\.(ts|mts|js|mjs)$/.test(path))
    .sort();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** What a relative specifier names, from the project's root: a source file, or the path itself where there is none. */
function resolveImport({ from, specifier }: Import): string {
  const path = relative(root, resolve(root, dirname(from), specifier)).replaceAll('\\', '/');
  // AssemblyScript leaves the ending out; the WebAssembly module is generated, and declared beside its sources.
  return (
    [path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.d.ts'), `${path}.ts`, path].find((candidate) =>
      existsSync(join(root, candidate)),
    ) ?? path
  );
}

const isRelative = (specifier: string): boolean => specifier.startsWith('.');
const packageOf = (specifier: string): string =>
  specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0];
const partOf = (path: string): string => path.split('/')[1];
const layerOf = (path: string): number | undefined =>
  path.startsWith('datasets/') ? DATASETS_LAYER : LAYERS[partOf(path)];

const sources = filesUnder('src');
const datasets = filesUnder('datasets');
const imports = [...sources, ...datasets].flatMap((path) => importsOf(path, read(path)));
const inner = imports
  .filter(({ specifier }) => isRelative(specifier))
  .map((one) => ({ ...one, to: resolveImport(one) }));

/** What is wrong with an import, or nothing. */
function violation({ from, to }: { readonly from: string; readonly to: string }): string | undefined {
  const what = `${from} imports ${to}`;
  if (!/^(src|datasets)\//.test(to)) return `${what}, which is not part of the library`;
  if (!existsSync(join(root, to))) return `${what}, which does not exist`;
  if (to.startsWith('datasets/') && from.startsWith('src/') && !DATASETS_USERS.includes(partOf(from)))
    return `${what}: only ${DATASETS_USERS.join(', ')} may use data sets`;
  const own = layerOf(from);
  const other = layerOf(to);
  if (own === undefined || other === undefined) return `${what}: ${own === undefined ? from : to} stands in no layer`;
  return other > own ? `${what}: layer ${own} imports layer ${other}` : undefined;
}

/** A cycle among the edges as a list of nodes, the first one repeated at the end; undefined where there is none. */
function findCycle(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | undefined => {
    const at = path.indexOf(node);
    if (at >= 0) return [...path.slice(at), node];
    if (done.has(node)) return undefined;
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function graph(pairs: Iterable<readonly [string, string]>): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const [from, to] of pairs) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  return edges;
}

describe('the reader of imports', () => {
  it('sees_every_form_of_import', () => {
    const text =
      "import a from './a.js'; import type { B } from './b.js'; export { c } from './c.js'; export type * from " +
      "'./d.js'; type E = import('./e.js').E; const f = await import('./f.js'); const g = require('g'); import " +
      "'./h.js';";
    expect(importsOf('x.ts', text).map(({ specifier, typeOnly }) => [specifier, typeOnly])).toEqual([
      ['./a.js', false],
      ['./b.js', true],
      ['./c.js', false],
      ['./d.js', true],
      ['./e.js', true],
      ['./f.js', false],
      ['g', false],
      ['./h.js', false],
    ]);
  });

  it('tells_a_violation_and_a_cycle_when_there_is_one', () => {
    expect(violation({ from: 'src/tree/build.ts', to: 'src/hierarchical/from-entries/compress.ts' })).toMatch(
      'layer 4 imports layer 5',
    );
    expect(violation({ from: 'src/tree/build.ts', to: 'datasets/k02.ts' })).toMatch('only cli');
    expect(violation({ from: 'src/tree/build.ts', to: 'src/tree/missing.ts' })).toMatch('does not exist');
    expect(violation({ from: 'src/tree/build.ts', to: 'src/core/errors.ts' })).toBeUndefined();
    expect(
      findCycle(
        graph([
          ['a', 'b'],
          ['b', 'c'],
          ['c', 'b'],
        ]),
      ),
    ).toEqual(['b', 'c', 'b']);
    expect(
      findCycle(
        graph([
          ['a', 'b'],
          ['a', 'c'],
          ['b', 'c'],
        ]),
      ),
    ).toBeUndefined();
  });
});

describe('the architecture', () => {
  it('gives_every_part_of_src_a_layer', () => {
    expect([...new Set(sources.map(partOf))].filter((part) => !(part in LAYERS))).toEqual([]);
    expect(Object.keys(LAYERS).filter((part) => !sources.some((path) => partOf(path) === part))).toEqual([]);
  });

  it('lets_no_file_import_from_a_higher_layer', () => {
    expect(inner.map(violation).filter((text) => text !== undefined)).toEqual([]);
  });

  it('has_no_cycles_of_files_type_imports_included', () => {
    expect(findCycle(graph(inner.map(({ from, to }) => [from, to] as const)))).toBeUndefined();
  });

  it('has_no_cycles_of_folders_within_a_layer', () => {
    const between = inner
      .filter(({ from, to }) => from.startsWith('src/') && to.startsWith('src/'))
      .map(({ from, to }) => [partOf(from), partOf(to)] as const);
    expect(findCycle(graph(between.filter(([from, to]) => from !== to)))).toBeUndefined();
  });

  it('has_no_cycles_of_rooms_within_a_folder', () => {
    const folders = new Set(sources.map((path) => dirname(path)));
    for (const folder of [...folders].filter((path) => path !== 'src')) {
      const room = (path: string): string | undefined =>
        path.startsWith(`${folder}/`) ? /^([^/]+)\//.exec(path.slice(folder.length + 1))?.[1] : undefined;
      const between = inner
        .map(({ from, to }) => [room(from), room(to)] as const)
        .filter(
          (pair): pair is readonly [string, string] =>
            pair[0] !== undefined && pair[1] !== undefined && pair[0] !== pair[1],
        );
      expect(findCycle(graph(between)), folder).toBeUndefined();
    }
  });

  it('keeps_private_rooms_to_the_folder_they_stand_in', () => {
    expect(PRIVATE_ROOMS.filter((room) => !sources.some((path) => path.startsWith(`${room}/`)))).toEqual([]);
    const trespassing = PRIVATE_ROOMS.flatMap((room) =>
      inner
        .filter(({ from, to }) => to.startsWith(`${room}/`) && !from.startsWith(`${dirname(room)}/`))
        .map(({ from, to }) => `${from} imports ${to}`),
    );
    expect(trespassing).toEqual([]);
  });

  it('uses_each_package_only_where_it_belongs', () => {
    const misplaced = imports
      .filter(({ specifier }) => !isRelative(specifier))
      .flatMap(({ from, specifier }) => {
        const folders = PACKAGES[packageOf(specifier)];
        if (folders === undefined) return [`${from} imports ${specifier}, which has no place yet`];
        return folders.some((folder) => from === folder || from.startsWith(`${folder}/`))
          ? []
          : [`${from} imports ${specifier}, which belongs to ${folders.join(', ')}`];
      });
    expect(misplaced).toEqual([]);
  });

  it('says_what_stands_for_each_module_of_Node_and_each_file_in_a_browser', () => {
    const { browser } = JSON.parse(read('package.json')) as { browser: Record<string, string> };
    const nodes = imports.filter(({ from, specifier }) => specifier.startsWith('node:') && partOf(from) !== 'cli');
    const used = nodes.filter(({ typeOnly }) => !typeOnly).map(({ specifier }) => specifier);
    expect([...new Set(used)].filter((specifier) => !(specifier in browser))).toEqual([]);
    const replaced = sources.filter((path) => sources.includes(path.replace(/\.ts$/, '-browser.ts')));
    const built = (path: string): string => `./dist/${path.replace(/\.ts$/, '.js')}`;
    const named = Object.keys(browser).filter((name) => name.startsWith('./'));
    // What a worker runs is not imported.
    expect(named.sort()).toEqual(replaced.map(built).filter((name) => !/\/worker\.js$/.test(name)));
    expect(named.map((name) => browser[name])).toEqual(named.map((name) => name.replace(/\.js$/, '-browser.js')));
    const values = (path: string): string[] =>
      [...read(path).matchAll(/^export (?:async )?(?:function|const) (\w+)/gm)].map(([, name]) => name).sort();
    for (const path of replaced.filter((name) => named.includes(built(name)))) {
      const others = [...read(path).matchAll(/^export \{ (\w+) \} from/gm)].map(([, name]) => name);
      expect(values(path.replace(/\.ts$/, '-browser.ts')), path).toEqual([...values(path), ...others].sort());
    }
  });

  it('depends_on_the_packages_it_imports_and_on_no_others', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const used = new Set(
      imports
        .map(({ specifier }) => specifier)
        .filter((specifier) => !isRelative(specifier) && !specifier.startsWith('node:'))
        .map(packageOf),
    );
    expect([...used].sort()).toEqual(Object.keys(dependencies).sort());
  });

  it('loads_each_optional_package_in_one_file_by_a_name_that_no_bundler_follows', () => {
    const { peerDependencies, peerDependenciesMeta, devDependencies } = JSON.parse(read('package.json')) as Record<
      string,
      Record<string, unknown>
    >;
    for (const name of Object.keys(peerDependencies)) {
      expect(peerDependenciesMeta[name]).toEqual({ optional: true });
      // The tests run with it.
      expect(devDependencies[name]).toBe(peerDependencies[name]);
      expect(imports.filter(({ specifier }) => packageOf(specifier) === name)).toEqual([]);
      expect(sources.filter((path) => new RegExp(`const PACKAGE = '${name}[/']`).test(read(path)))).toHaveLength(1);
    }
  });

  it('keeps_the_kernels_compiled_to_WebAssembly_apart', () => {
    const assembly = 'src/dense/portable/assembly/';
    const crossing = inner
      .filter(({ from, to }) => from.startsWith(assembly) !== to.startsWith(assembly))
      .map(({ from, to }) => `${from} imports ${to}`);
    expect(crossing).toEqual([]);
  });
});

/**
 * The exported declarations of a file that have no docstring; the file's header is none. Of an overloaded function
 * every signature that callers see has one.
 */
function undocumented(path: string): string[] {
  const text = read(path);
  const header = /^\s*\/\*\*[\s\S]*?\*\//.exec(text)?.[0].length ?? 0;
  const isDeclaration = (node: ts.Statement): boolean =>
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isVariableStatement(node);
  const isExported = (node: ts.Statement): boolean =>
    ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
  const nameOf = (node: ts.Statement): string =>
    ts.isVariableStatement(node)
      ? node.declarationList.declarations.map(({ name }) => name.getText()).join(', ')
      : ((node as ts.DeclarationStatement).name?.getText() ?? 'default');
  const { statements } = parse(path, text);
  const isBodyOfOverloads = (node: ts.Statement, k: number): boolean => {
    const before = statements[k - 1];
    return (
      ts.isFunctionDeclaration(node) &&
      node.body !== undefined &&
      before !== undefined &&
      ts.isFunctionDeclaration(before) &&
      before.body === undefined &&
      nameOf(before) === nameOf(node)
    );
  };
  return statements
    .filter((node, k) => isDeclaration(node) && isExported(node) && !isBodyOfOverloads(node, k))
    .filter((node) => !ts.getJSDocCommentsAndTags(node).some(({ pos }) => pos >= header))
    .map((node) => `${path}: ${nameOf(node)}`);
}

describe('the docstrings', () => {
  it('stand_before_every_exported_declaration_of_src', () => {
    const written = sources.filter((path) => !path.startsWith('src/dense/portable/assembly/'));
    expect(written.flatMap(undocumented)).toEqual([]);
  });
});

describe('the files', () => {
  const all = ['src', 'datasets', 'bench', 'test', 'scripts', 'playground'].flatMap(filesUnder);

  it(`have_fewer_than_${MOST_LINES}_lines`, () => {
    expect(all.filter((path) => read(path).split('\n').length > MOST_LINES)).toEqual([]);
  });

  it(`have_no_line_of_more_than_${MOST_COLUMNS}_columns`, () => {
    const long = all
      .filter((path) => !path.endsWith('.md'))
      .flatMap((path) =>
        read(path)
          .split('\n')
          .flatMap((line, k) => ([...line].length > MOST_COLUMNS ? [`${path}:${k + 1}`] : [])),
      );
    expect(long).toEqual([]);
  });

  it('leave_nothing_to_be_done', () => {
    const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X'.repeat(3)].join('|')})\\b`);
    expect(all.filter((path) => marks.test(read(path)))).toEqual([]);
  });

  it('begin_with_a_header', () => {
    const header = (path: string): string =>
      /^(?:#![^\n]*\n)?\s*(\/\*\*[\s\S]*?\*\/|\/\*\*.*\*\/)/.exec(read(path))?.[1] ?? '';
    expect(all.filter((path) => !path.startsWith('test/') && header(path) === '')).toEqual([]);
  });
});
