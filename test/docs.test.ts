/**
 * The documentation holds: TypeScript examples compile and print what they say, commands run, options and scripts that
 * are named exist. Fences: ```ts is compiled and run, each block a module of its own; ```sh: lines that begin with
 * `hmatrix` are run, in order, in one folder for each page;
 * ```sh no-run and fences without a language: such lines are parsed only, because they name files that are not here.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '#hmatrix/cli/commands.js';
import { checkInputOptions } from '#hmatrix/cli/input.js';
import { MODEL_NAMES, type ModelName } from '#hmatrix/experiment/model-names.js';
import { MODELS } from '#hmatrix/experiment/models.js';
import { resolveOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { hmatrix } from './cli/command.js';
import type { CompressCommandOptions, Handlers } from '#hmatrix/cli/command-options.js';

const root = resolve(import.meta.dirname, '..');
const index = join(root, 'dist/src/index.js');
const folder = mkdtempSync(join(tmpdir(), 'hmatrix-docs-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const pages = [
  'README.md',
  'datasets/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const read = (page: string): string => readFileSync(join(root, page), 'utf8');

interface Fence {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly mode: string;
  readonly text: string;
}

function fencesOf(page: string): Fence[] {
  const fences: Fence[] = [];
  const lines = read(page).split('\n');
  for (let at = 0; at < lines.length; at++) {
    const opening = /^```(\S*)[ \t]*(.*)$/.exec(lines[at]);
    if (opening === null) continue;
    const end = lines.indexOf('```', at + 1);
    if (end < 0) throw new Error(`${page}:${at + 1}: the fence is not closed.`);
    fences.push({
      page,
      line: at + 1,
      language: opening[1],
      mode: opening[2].trim(),
      text: lines.slice(at + 1, end).join('\n'),
    });
    at = end;
  }
  return fences;
}

/** A command line's words: quotes as in a shell, nothing expanded. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain);

const fences = pages.flatMap(fencesOf);
const scripts = fences.filter(({ language }) => language === 'ts');
const commands = fences
  .filter(({ language }) => language === 'sh' || language === '')
  .flatMap(({ page, line, language, mode, text }) =>
    text.split('\n').flatMap((command, k) => {
      const words = wordsOf(command);
      // `npm run demo -- OPTIONS` is `hmatrix demo OPTIONS`.
      const args =
        words[0] === 'hmatrix'
          ? words.slice(1)
          : words.slice(0, 4).join(' ') === 'npm run demo --'
            ? ['demo', ...words.slice(4)]
            : undefined;
      return args === undefined
        ? []
        : [{ page, command, args, at: `${page}:${line + k + 1}`, run: language === 'sh' && mode === '' }];
    }),
  );

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the modules that it is given, in order, each in its folder, and writes what each printed. */
const RUNNER = `
  import { writeFileSync } from 'node:fs';
  import { dirname } from 'node:path';
  import { pathToFileURL } from 'node:url';
  const ran = [];
  for (const file of process.argv.slice(3)) {
    const one = { status: 0, stdout: '', stderr: '' };
    const written = ['stdout', 'stderr'].map((name) => [name, process[name].write]);
    for (const [name] of written) process[name].write = (text) => { one[name] += String(text); return true; };
    process.chdir(dirname(file));
    await import(pathToFileURL(file).href).catch((error) => { one.status = 1; one.stderr += String(error?.stack); });
    // Warnings come in a turn of their own.
    await new Promise(setImmediate);
    for (const [name, write] of written) process[name].write = write;
    one.status ||= process.exitCode ?? 0;
    process.exitCode = undefined;
    ran.push(one);
  }
  writeFileSync(process.argv[2], JSON.stringify(ran));
`;

/**
 * What programs print, each by its file. They run in one process, one after the other, which ends by itself: with a
 * process for each, most of the time would go to loading the library and starting its workers.
 */
async function runAll(files: readonly string[]): Promise<ReadonlyMap<string, Ran>> {
  const [runner, found] = [join(folder, 'runner.mjs'), join(folder, 'ran.json')];
  writeFileSync(runner, RUNNER);
  const child = spawn(process.execPath, [runner, found, ...files], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  const status = await new Promise<number | null>((done, fail) => {
    child.on('error', fail);
    child.on('close', done);
  });
  // Nothing comes after a program's end either.
  expect({ status, printed }).toEqual({ status: 0, printed: '' });
  const ran = JSON.parse(readFileSync(found, 'utf8')) as Ran[];
  return new Map(files.map((file, k) => [file, ran[k]]));
}

/** Parses a command line as the command itself does; returns what its handler would get. */
async function parse(args: readonly string[]): Promise<{ name: string; options: unknown }> {
  let seen: { name: string; options: unknown } | undefined;
  const take =
    (name: string) =>
    (...given: unknown[]): Promise<number> => {
      seen = { name, options: given.at(-1) };
      return Promise.resolve(0);
    };
  const handlers: Handlers = {
    compress: take('compress'),
    multiply: take('multiply'),
    info: take('info'),
    doctor: take('doctor'),
    plan: take('plan'),
    table: take('table'),
    preconditioners: take('table'),
    solve: take('solve'),
    tune: take('tune'),
    eigs: take('eigs'),
    sample: take('sample'),
    factor: take('factor'),
    logdet: take('logdet'),
    demo: take('demo'),
    train: take('train'),
    compare: take('compare'),
    plot: take('plot'),
    report: take('report'),
  };
  const program = await createProgram(handlers, () => undefined, args);
  for (const command of [program, ...program.commands]) command.configureOutput({ writeErr: () => undefined });
  await program.parseAsync([...args], { from: 'user' });
  if (seen === undefined) throw new Error(`hmatrix ${args.join(' ')} names no command.`);
  return seen;
}

const help = await hmatrix(['compress', '--help']);
const tableHelp = await hmatrix(['table', '--help']);
const solveHelp = await hmatrix(['solve', '--help']);
const eigsHelp = await hmatrix(['eigs', '--help']);
const logdetHelp = await hmatrix(['logdet', '--help']);
const trainHelp = await hmatrix(['train', '--help']);
const compareHelp = await hmatrix(['compare', '--help']);
const plotHelp = await hmatrix(['plot', '--help']);
const sampleHelp = await hmatrix(['sample', '--help']);
const multiplyHelp = await hmatrix(['multiply', '--help']);
const demoHelp = await hmatrix(['demo', '--help']);
const planHelp = await hmatrix(['plan', '--help']);

const STRICT: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  skipLibCheck: true,
  paths: {
    hmatrix: [index.replace(/\.js$/, '.d.ts')],
    'hmatrix/*': [join(root, 'dist/src/public/*.d.ts')],
  },
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
};

/** What the compiler says of each file that it names; '' for what it says of none. Checked together: once. */
function problemsIn(files: readonly string[], options: ts.CompilerOptions): ReadonlyMap<string, readonly string[]> {
  const problems = new Map<string, string[]>();
  for (const { file, messageText } of ts.getPreEmitDiagnostics(ts.createProgram(files, options))) {
    const name = file?.fileName ?? '';
    problems.set(name, [...(problems.get(name) ?? []), ts.flattenDiagnosticMessageText(messageText, '\n')]);
  }
  return problems;
}

/** What a program says that it prints: the comments `// → …`. */
const saidIn = (text: string): string[] => [...text.matchAll(/\/\/ → (.*)$/gm)].map(([, output]) => output.trim());

const examples = scripts.map(({ page, line, text }, k) => {
  const source = join(folder, `example-${k}.ts`);
  return { at: `${page}:${line}`, text, source, file: source.replace(/\.ts$/, '.mjs') };
});
const programs = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => join(root, 'examples', name));

/** The example as JavaScript, with the library of this checkout. */
function transpiled(text: string): string {
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
  });
  return outputText.replaceAll(/from (['"])hmatrix(\/\w+)?\1/g, (_all, _quote, entry?: string) => {
    const path = entry === undefined ? index : join(root, `dist/src/public${entry}.js`);
    return `from ${JSON.stringify(pathToFileURL(path).href)}`;
  });
}

let problems: ReadonlyMap<string, readonly string[]>;
let ran: ReadonlyMap<string, Ran>;
beforeAll(async () => {
  for (const { text, source, file } of examples) {
    writeFileSync(source, text);
    writeFileSync(file, transpiled(text));
  }
  const sources = [...examples.map(({ source }) => source), ...programs];
  problems = problemsIn(sources, { ...STRICT, allowJs: true, checkJs: true });
  ran = await runAll([...examples.map(({ file }) => file), ...programs]);
});

function expectToPrint(file: string, said: readonly string[]): void {
  const { status, stdout, stderr } = ran.get(file)!;
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout.split('\n').slice(0, -1)).toEqual(said);
}

describe('the TypeScript examples', () => {
  it('are_there', () => {
    expect(scripts.length).toBeGreaterThan(0);
  });

  it('compile_under_strict_rules', () => {
    expect([...problems].filter(([file]) => !programs.includes(file))).toEqual([]);
  });

  it.each(examples)('run_and_print_what_they_say: $at', ({ text, file }) => {
    expectToPrint(file, saidIn(text));
  });
});

describe('the programs of examples/', () => {
  it('compile_under_strict_rules', () => {
    expect([...problems].filter(([file]) => programs.includes(file))).toEqual([]);
  });

  it.each(programs.map((file) => ({ file, name: relative(root, file) })))(
    'run_and_print_what_they_say: $name',
    ({ file }) => {
      expectToPrint(file, saidIn(readFileSync(file, 'utf8')));
    },
  );
});

describe('the commands', () => {
  it.each(commands)('are_understood: $at $command', async ({ args }) => {
    const { name, options } = await parse(args);
    if (name === 'compress') checkInputOptions(options as CompressCommandOptions);
  });

  it('of_an_unknown_option_are_refused', async () => {
    await expect(parse(['compress', '--named', 'K02', '--no-such-option'])).rejects.toThrow('unknown option');
  });

  it.each([...new Set(commands.filter((command) => command.run).map(({ page }) => page))])(
    'run_in_order: %s',
    async (page) => {
      const cwd = mkdtempSync(join(folder, 'commands-'));
      for (const { command, args } of commands.filter((one) => one.run && one.page === page)) {
        const { status, stdout, stderr } = await hmatrix(args, { cwd });
        expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: '' });
        if (args.includes('--json')) expect(JSON.parse(stdout)).toBeTypeOf('object');
        else if (args.includes('--quiet')) expect(stdout).toBe('');
        else expect(stdout).not.toBe('');
      }
    },
  );
});

describe('the pages', () => {
  const guide = read('docs/guide.md');
  const commandPage = read('docs/command.md');
  const rows = (text: string, header: string): string[][] => {
    const lines = text.split('\n');
    const first = lines.indexOf(header) + 2;
    expect(first).toBeGreaterThan(1);
    return lines
      .slice(
        first,
        lines.findIndex((line, k) => k >= first && !line.startsWith('|')),
      )
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
  };
  const coded = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

  it('of_the_front_door_has_at_most_8_kB', () => {
    expect(Buffer.byteLength(read('README.md'))).toBeLessThanOrEqual(8192);
  });

  it('begin_with_the_two_commands', () => {
    const setup = fences
      .filter(({ page, mode }) => page === 'README.md' && mode === 'setup')
      .map(({ text: command }) => command);
    expect(setup).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
  });

  it('name_the_options_and_defaults_that_there_are', () => {
    const defaults = resolveOptions({}) as unknown as Record<string, unknown>;
    const table = rows(guide, '| option | command | default | meaning |');
    expect(table.map(([option]) => coded(option)[0]).sort()).toEqual(Object.keys(defaults).sort());
    for (const [option, command, fallback] of table) {
      const value = defaults[coded(option)[0]];
      const flag = coded(command)[0];
      // Of the library alone.
      if (command === '–') continue;
      expect(help.stdout).toMatch(new RegExp(`${flag} <`));
      const first = coded(fallback)[0] ?? fallback;
      if (typeof value === 'number' && /^[\d.e-]+$/.test(first))
        expect({ flag, value: Number(first) }).toEqual({
          flag,
          value: flag === '--budget' ? resolveOptions({ format: 'fmm' }).budget : value,
        });
      if (typeof value === 'string') expect({ flag, value: first }).toEqual({ flag, value });
    }
  });

  it('name_the_models_that_are_trained_and_their_defaults', () => {
    const table = rows(commandPage, '| model | data | default training |');
    const named = table.map(([cell, , training]) => ({
      names: coded(cell).filter((name) => !name.startsWith('--')),
      training,
    }));
    expect(named.flatMap(({ names }) => names).sort()).toEqual([...MODEL_NAMES].sort());
    for (const { names, training: text } of named)
      for (const name of names) {
        const { optimizer, epochs, settings } = MODELS[name as ModelName].training;
        const { learningRate, batchSize } = settings[optimizer]!;
        const words = `${optimizer === 'adam' ? 'Adam' : optimizer} ${learningRate}`;
        expect({ name, text }).toEqual({
          name,
          text: expect.stringContaining(`${words}, batch ${batchSize}, ${epochs} epochs`) as string,
        });
      }
  });

  it('name_only_options_that_there_are', () => {
    const prose = pages
      .map(read)
      .join('\n')
      .replaceAll(/^```[\s\S]*?^```$/gm, '');
    const flags = new Set([...prose.matchAll(/`(--[a-z-]+)\b/g)].map(([, flag]) => flag));
    const some = [help, tableHelp, solveHelp, eigsHelp, logdetHelp, trainHelp, compareHelp];
    const all = [...some, sampleHelp, multiplyHelp, plotHelp, demoHelp, planHelp];
    const helps = all.map(({ stdout }) => stdout);
    const known = `${helps.join(' ')} --help`;
    expect([...flags].filter((flag) => !new RegExp(`${flag}(?![a-z-])`).test(known))).toEqual([]);
  });

  it('name_the_keys_that_json_output_has', async () => {
    const { stdout } = await hmatrix([
      'compress',
      '--points',
      'normal:300,2',
      '--bandwidth',
      '2',
      '--leaf-size',
      '64',
      '--tolerance',
      '1e-2',
      '--json',
    ]);
    const record = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
    for (const [keys, holds] of rows(commandPage, '| key | holds |')) {
      const names = coded(keys);
      for (const name of names) expect(record).toHaveProperty(name);
      if (names.length !== 1) continue;
      const value = record[names[0]];
      for (const part of coded(holds)) expect(Array.isArray(value) ? value[0] : value).toHaveProperty(part);
    }
  });

  it('leave_a_place_for_what_was_measured', () => {
    expect(read('docs/benchmarks.md')).toMatch(
      /^## Measured\n\n<!-- measured:begin -->\n[\s\S]*<!-- measured:end -->\n/m,
    );
  });
});

describe('every page', () => {
  it.each(pages)('names_scripts_that_there_are: %s', (page) => {
    const { scripts: known } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/\bnpm (?:run (?:--silent )?([\w:]+)|(test)\b)/g)].map(
      ([, script, test]) => script ?? test,
    );
    expect(named.filter((name) => !(name in known))).toEqual([]);
  });

  it.each([...pages, 'CHANGELOG.md'])('links_to_files_that_there_are: %s', (page) => {
    const targets = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(([, target]) => target);
    expect(targets.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });
});
