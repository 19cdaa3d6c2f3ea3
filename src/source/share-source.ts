/**
 * How a source travels with a team's state: as its descriptor where it has one, else as itself on the calling thread
 * alone. The one place that knows the difference: a state holds a `SourceHandle`, kernels open it in `bind`.
 */
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import type { Blas } from '../dense/blas.js';
import type { WorkerContext } from '../parallel/task.js';
import type { EntrySource, SourceDescriptor } from './entry-source.js';
import { openSource } from './open-source.js';

/** What a state holds for a source. */
export type SourceHandle = SourceDescriptor | EntrySource;

/** A handle, and the options `Team.share` needs for a state that holds it. */
export interface SourceState {
  readonly handle: SourceHandle;
  readonly modules: readonly string[];
  readonly solo: boolean;
}

/**
 * What a team's state holds of a source, the modules that workers need, and whether it stays on this thread. Throws
 * OptionError.
 */
export function sourceState(source: EntrySource): SourceState {
  const { descriptor, parts } = source;
  if (parts !== undefined)
    throw new OptionError(
      'Each rank has some points of a partitionedKernelSource, which is to be compressed, and compared with what it ' +
        'was compressed to. Give kernelSource all points for anything else.',
    );
  if (descriptor === undefined) return { handle: source, modules: [], solo: true };
  const module = moduleUrl(descriptor);
  return {
    handle: module === descriptor.module ? descriptor : { ...descriptor, module },
    modules: [module],
    solo: false,
  };
}

/**
 * The module's URL; an absolute path is turned into one. Throws OptionError for what would be resolved against this
 * library instead of its caller.
 */
function moduleUrl({ module, name }: SourceDescriptor): string {
  if (typeof name !== 'string' || name === '') {
    const wanted = 'the export that builds a copy';
    throw new OptionError(
      `The source's descriptor must name ${wanted}, not ${describe(name)}: { module, name, data }.`,
    );
  }
  const url = typeof module === 'string' ? module : '';
  // A single letter before the colon is a drive.
  if (/^[a-z][a-z0-9+.-]+:/i.test(url)) return url;
  if (isAbsolute(url)) return pathToFileURL(url).href;
  const advice = url.startsWith('.')
    ? `new URL(${JSON.stringify(url)}, import.meta.url).href`
    : 'import.meta.url of the module itself, or import.meta.resolve(name) of a package';
  throw new OptionError(
    `The source's descriptor must name its module by a URL or an absolute path, not ${describe(module)}: ` +
      `workers would look for it beside this library. Give ${advice}.`,
  );
}

/** Sources opened by this thread, per backend: the kernels of one state share one copy, with its scratch memory. */
const opened = new WeakMap<Blas, WeakMap<SourceDescriptor, EntrySource>>();

/**
 * The source behind a handle, on the thread that calls: the object itself, or this thread's copy built from the
 * descriptor.
 */
export function openHandle(handle: SourceHandle, context: WorkerContext): EntrySource {
  if ('entries' in handle) return handle;
  const { blas, modules } = context;
  let sources = opened.get(blas);
  if (sources === undefined) opened.set(blas, (sources = new WeakMap()));
  let source = sources.get(handle);
  if (source === undefined) sources.set(handle, (source = openSource(handle, modules, { blas })));
  return source;
}
