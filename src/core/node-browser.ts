/**
 * What stands for Node's modules in a browser, every function of them that the library imports: what a browser knows
 * (cores, byte order), and else an error that says what is missing. Bundlers take it for `node:fs` and the others
 * (package.json, "browser").
 */
import { FileAccessError, HmatrixError } from './errors.js';

/** What is used of the browser's globals. */
interface Browser {
  readonly document?: object | undefined;
  readonly crossOriginIsolated?: boolean | undefined;
  readonly navigator: { readonly hardwareConcurrency?: number | undefined };
}
const browser = globalThis as unknown as Browser;

/**
 * Threads that a team may have: all cores in a worker of a page that is isolated, which alone may share memory between
 * threads; else one. A page's own thread must not wait for others.
 */
export const availableParallelism = (): number =>
  browser.document === undefined && browser.crossOriginIsolated === true
    ? (browser.navigator.hardwareConcurrency ?? 1)
    : 1;

/** The machine's byte order, by Node's name. */
export const endianness = (): 'LE' | 'BE' => (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'LE' : 'BE');

/** The number of the thread that a browser's own is. */
export const threadId = 0;

/** Tables do the same. */
export const crc32 = undefined;

/** Constants of zlib: none is used before a file was opened. */
export const constants: Readonly<Record<string, number>> = {};

const withoutFiles = (): never => {
  throw new FileAccessError(
    'A browser has no files that a path names: read what the page was given (a File, a response) and hand over its ' +
      'numbers, and let the page save results.',
    { systemCode: 'ENOSYS' },
  );
};

const withoutNode = (): never => {
  throw new HmatrixError('platform', 'This needs Node: a browser has nothing like it.');
};

export {
  withoutFiles as chmod,
  withoutFiles as existsSync,
  withoutFiles as mkdir,
  withoutFiles as open,
  withoutFiles as pipeline,
  withoutFiles as readFile,
  withoutFiles as readFileSync,
  withoutFiles as realpath,
  withoutFiles as rename,
  withoutFiles as stat,
  withoutFiles as unlink,
};

export {
  withoutFiles as basename,
  withoutFiles as createGunzip,
  withoutFiles as createInflateRaw,
  withoutFiles as dirname,
  withoutFiles as join,
  withoutFiles as resolve,
};

export { withoutNode as createRequire, withoutNode as runInNewContext, withoutNode as setFlagsFromString };

/** No path is absolute: sources name their modules by URLs. */
export const isAbsolute = (): boolean => false;
export { withoutNode as pathToFileURL };
