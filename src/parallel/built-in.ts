/**
 * The library's own functions that workers find by name: task definitions and the factories of sources. A worker
 * imports the module that defines one by its URL. In a bundle that URL is the whole program's, or missing: there the
 * functions are entered here as they are defined, and workers run worker-source.ts, in which all of them are defined.
 */
import { BUNDLED } from '../core/location.js';

/** What stands for the module's URL in a bundle. */
export const BUILT_IN = 'hmatrix:built-in';

const functions: Record<string, unknown> = {};

/** Where workers find a function: in the module, under the name. */
export interface FunctionName {
  readonly module: string;
  readonly name: string;
}

/**
 * Says how workers find `value`: exported as `name` by the module of the URL `module`, or in a bundle among the
 * built-in functions. `name` must be unique in the library (checked by a test).
 */
export function builtIn(module: string, name: string, value: unknown): FunctionName {
  if (!BUNDLED) return { module, name };
  functions[name] = value;
  return { module: BUILT_IN, name };
}

/** The functions of this thread's bundle, by name. */
export const builtInFunctions = (): Readonly<Record<string, unknown>> => functions;
