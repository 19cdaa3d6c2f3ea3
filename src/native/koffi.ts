/**
 * koffi, which calls system libraries, and addresses of arrays for them.
 * It is loaded on first use: on a platform without its native module the rest of the library still works.
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { LibraryError } from '../core/errors.js';
import { BUNDLED, CODE_LOCATION } from '../core/location.js';

/** A library that koffi opened, as far as it is used: declared here so that the package's types need no others. */
export interface KoffiLibrary {
  func(symbol: string, result: string, parameters: readonly string[]): unknown;
  symbol(symbol: string, type: string): unknown;
  unload(): void;
}

/** koffi's module, as far as it is used. */
export interface KoffiModule {
  /** A library by name or path; null: the one that the process runs on. `global`: its symbols are seen by others. */
  load(path: string | null, options?: { readonly global?: boolean }): KoffiLibrary;
  address(value: unknown): bigint | number;
  decode(value: BigInt64Array, type: string): unknown;
}

/**
 * A native function; addresses are passed as numbers (declared int64, which koffi converts at half the cost of a
 * pointer).
 */
export type NativeFunction = (...values: (number | string)[]) => number;
/** The C types that the bound routines take and return; addresses are int64. */
export type NativeType = 'void' | 'int' | 'int64' | 'double' | 'float' | 'const char *';

let koffi: KoffiModule | undefined;

/** What works without koffi, said where it is missing: 'HMATRIX_BLAS=portable for the built-in backend'. */
const WITHOUT = 'HMATRIX_BLAS=portable for the built-in backend';

/** koffi's module. Throws LibraryError, which says what to set where it cannot be loaded (`without`). */
export function loadKoffi(without: string = WITHOUT): KoffiModule {
  if (koffi !== undefined) return koffi;
  try {
    // By a require of our own, which bundlers leave alone: a native module cannot be put into a bundle.
    koffi = createRequire(CODE_LOCATION)('koffi') as typeof Koffi;
  } catch (error) {
    const { platform, arch } = process;
    const remedy = BUNDLED ? 'It cannot be bundled: install koffi beside the bundle, or set' : 'Set';
    throw new LibraryError(
      `The native module of koffi, which calls system libraries, cannot be loaded on ${platform}-${arch}: ` +
        `${messageOf(error)}. ${remedy} ${without}.`,
      { platform, arch },
    );
  }
  return koffi;
}

/** Why koffi cannot be loaded, or undefined where it can. */
export function nativeModuleFailure(): string | undefined {
  try {
    loadKoffi();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Arrays whose memory native code reads and writes. */
export type NativeArray = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array | BigInt64Array;

/** Address of the array's first element; it holds as long as the array's buffer lives. */
export function arrayAddress(data: NativeArray): number {
  // Reading `.buffer` moves the elements of a small array out of the garbage-collected heap, where they could move.
  if (data.buffer.byteLength === 0) return 0;
  return Number(loadKoffi().address(data));
}

/** The text that ends with a zero at an address. */
export const textAt = (address: number): string =>
  loadKoffi().decode(BigInt64Array.of(BigInt(address)), 'const char *') as string;

/**
 * A function of the C library that the process runs on; undefined where there is none of that name, and as long as the
 * native module has not been loaded for a library.
 */
export function processFunction(
  symbol: string,
  result: NativeType,
  parameters: readonly NativeType[],
): NativeFunction | undefined {
  try {
    return koffi?.load(null).func(symbol, result, [...parameters]) as unknown as NativeFunction | undefined;
  } catch {
    return undefined;
  }
}

/** The first line, which says what is wrong; a list of the files that asked follows where a module is missing. */
export const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0].replace(/\.\s*$/, '');
