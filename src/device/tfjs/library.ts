/**
 * TensorFlow.js where it is: what the caller hands over, else the first package that is installed, all optional peers
 * that are loaded when a device is asked for.
 */
import { PLATFORM } from '../../core/environment.js';
import { LibraryError, OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { messageOf } from '../../native/koffi.js';
import type { Tf } from './api.js';

/** What all others contain. Not written as a text within import(): bundlers would demand it of those who have none. */
const PACKAGE = '@tensorflow/tfjs-core';
/** Looked for in this order. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node', '@tensorflow/tfjs', PACKAGE] as const;
/** Those of the packages that bring all their backends along; the others take what is installed beside them. */
const WHOLE: readonly string[] = PACKAGES.slice(0, 2);
/** Each makes itself known to the core; TensorFlow.js takes the one that it holds for the fastest. */
const BACKENDS = ['webgpu', 'webgl', 'wasm', 'cpu'].map((name) => `@tensorflow/tfjs-backend-${name}`);

/** What is called of the module: a part of one, or a module of another kind, lacks some. */
const FUNCTIONS = (
  'add sub mul div divNoNan sqrt sum min matMul greater less where logicalAnd gather concat slice pad reshape zeros ' +
  'ones ready getBackend backend tensor tidy keep'
).split(' ');

/** TensorFlow.js with a backend that is ready. */
export interface FoundTensorFlow {
  readonly tf: Tf;
  readonly backend: string;
  /** Its version, package and backend, for people, and which packages there are that cannot be loaded. */
  readonly description: string;
}

/** Whether that is what Node, or a browser whose page has no such name, says of a package that is not there. */
const isAbsence = (error: unknown, name: string): boolean =>
  PLATFORM === 'browser'
    ? error instanceof TypeError && error.message.includes(name)
    : (error as { readonly code?: unknown }).code === 'ERR_MODULE_NOT_FOUND' && messageOf(error).includes(`'${name}'`);

/** A package; undefined where it is not installed. Throws LibraryError for what it throws while it is loaded. */
async function load(name: string): Promise<unknown> {
  try {
    const loaded = (await import(/* @vite-ignore */ name)) as { readonly default?: unknown };
    return loaded.default ?? loaded;
  } catch (error) {
    if (isAbsence(error, name)) return undefined;
    throw new LibraryError(`${name} cannot be loaded: ${messageOf(error)}`, { package: name });
  }
}

/** The first package that can be loaded, with the backends beside it, and what cannot. */
async function loadFirst(): Promise<{ readonly tf: unknown; readonly name: string; readonly failures: string[] }> {
  const failures: string[] = [];
  const attempt = async (name: string): Promise<unknown> => {
    try {
      return await load(name);
    } catch (error) {
      failures.push(messageOf(error));
      return undefined;
    }
  };
  for (const name of PACKAGES) {
    const tf = await attempt(name);
    if (tf === undefined) continue;
    if (!WHOLE.includes(name)) for (const backend of BACKENDS) await attempt(backend);
    // Else it greets on the standard error. What a program has loaded itself stays as it is set there.
    (tf as { readonly enableProdMode?: () => void }).enableProdMode?.();
    return { tf, name, failures };
  }
  const first = failures.length === 0 ? `none of ${PACKAGES.join(', ')} is installed` : failures[0];
  throw new LibraryError(
    `The device tfjs takes TensorFlow.js, and ${first}. ` +
      (PLATFORM === 'browser'
        ? "Hand it over: openDevice('tfjs', { tf })."
        : "Install it beside hmatrix (npm install @tensorflow/tfjs), or hand it over: openDevice('tfjs', { tf })."),
    { packages: PACKAGES },
  );
}

/**
 * TensorFlow.js, `given` or by name, with its backend. Throws OptionError where what is given is another thing,
 * LibraryError where there is none, or none of its backends can be used.
 */
export async function findTensorFlow(given?: unknown): Promise<FoundTensorFlow> {
  const {
    tf: found,
    name,
    failures,
  } = given === undefined ? await loadFirst() : { tf: given, name: 'handed over', failures: [] };
  const lacking = FUNCTIONS.filter((key) => typeof (found as Record<string, unknown> | null)?.[key] !== 'function');
  if (lacking.length > 0)
    throw new (given === undefined ? LibraryError : OptionError)(
      `TensorFlow.js (${name}) is ${describe(found)} without ${lacking.slice(0, 3).join(', ')}: hand over ` +
        "the module, import * as tf from '@tensorflow/tfjs', of version 4 or later.",
      { lacking },
    );
  const tf = found as Tf;
  try {
    await tf.ready();
  } catch (error) {
    throw new LibraryError(
      `TensorFlow.js (${name}) has no backend that can be used: ${messageOf(error)}. Install one, as ` +
        '@tensorflow/tfjs-backend-wasm.',
      { failures },
    );
  }
  const backend = tf.getBackend() ?? '';
  return {
    tf,
    backend,
    description: [`TensorFlow.js ${tf.version_core} (${name}), backend ${backend}`, ...failures].join('; '),
  };
}
