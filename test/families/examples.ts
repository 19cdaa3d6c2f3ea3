/**
 * The worked examples of CONTRIBUTING.md: a section's code blocks are new files (```ts PATH) and entries of tables
 * (```ts into PATH: lines of imports go behind the table file's imports, the others to the end of its table).
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { spawn } from 'node:child_process';

export const root = resolve(import.meta.dirname, '../..');

export interface Block {
  readonly path: string;
  /** Whether its lines go into a file that there is. */
  readonly into: boolean;
  readonly lines: readonly string[];
}

export interface Example {
  /** "A kernel". */
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** The sections of a page that hold code blocks with a path. */
export function examplesOf(page: string): Example[] {
  return readFileSync(join(root, page), 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      title: section.slice(0, section.indexOf('\n')).trim(),
      blocks: [...section.matchAll(/^```ts (into )?(\S+)\n(.*?)^```$/gms)].map(([, into, path, text]) => ({
        path,
        into: into !== undefined,
        lines: text.trimEnd().split('\n'),
      })),
    }))
    .filter(({ blocks }) => blocks.length > 0);
}

/** The table file with an entry: `} satisfies` or `} as const satisfies` ends its one table. */
export function withEntry(text: string, lines: readonly string[]): string {
  const all = text.split('\n');
  const imports = lines.filter((line) => line.startsWith('import '));
  const entries = lines.filter((line) => !line.startsWith('import '));
  const lastImport = all.findLastIndex(
    (line) => /^(import .*|\} )from '.*';$/.test(line) || line.startsWith('import '),
  );
  const ends = all.flatMap((line, at) => (/^\} (as const )?satisfies /.test(line) ? [at] : []));
  if (lastImport < 0 || ends.length !== 1)
    throw new Error(`A table file has imports and one table, not ${ends.length}.`);
  return [
    ...all.slice(0, lastImport + 1),
    ...imports,
    ...all.slice(lastImport + 1, ends[0]),
    ...entries,
    ...all.slice(ends[0]),
  ].join('\n');
}

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** node with these arguments, to its end. */
export function node(args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    child.on('error', fail);
    child.on('close', (status) => {
      done({ status, output });
    });
  });
}

/** A copy of the library's sources with the examples in it, not yet compiled. */
export function copyWith(examples: readonly Example[]): string {
  const copy = mkdtempSync(join(tmpdir(), 'hmatrix-families-'));
  for (const name of ['src', 'datasets', 'package.json', 'tsconfig.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const { path, into, lines } of examples.flatMap(({ blocks }) => blocks)) {
    const file = join(copy, path);
    if (existsSync(file) !== into) throw new Error(`${path} ${into ? 'is missing' : 'is there already'}.`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, into ? withEntry(readFileSync(file, 'utf8'), lines) : `${lines.join('\n')}\n`);
  }
  return copy;
}

/** Compiles the copy, types checked; what is generated rather than compiled comes from the build. */
export async function compile(copy: string): Promise<Outcome> {
  const plain = ['--sourceMap', 'false', '--incremental', 'false'];
  const outcome = await node([join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json', ...plain], copy);
  for (const name of readdirSync(join(root, 'dist/src'), { recursive: true, encoding: 'utf8' })) {
    const file = join(copy, 'dist/src', name);
    if (name.endsWith('.js') && !existsSync(file) && !existsSync(join(root, 'src', name.replace(/\.js$/, '.ts'))))
      if (existsSync(dirname(file))) cpSync(join(root, 'dist/src', name), file);
  }
  return outcome;
}
