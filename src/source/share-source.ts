/**
 * How a source travels with a team's state: as its descriptor where it has one, else as itself on the calling thread alone. Layer 3.
 * The one place that knows the difference: a state holds a `SourceHandle`, kernels open it in `bind`.
 */
import type { Blas } from '../dense/blas.js';
import type { WorkerContext } from '../parallel/kernel.js';
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

export function sourceState(source: EntrySource): SourceState {
  const { descriptor } = source;
  if (descriptor === undefined) return { handle: source, modules: [], solo: true };
  return { handle: descriptor, modules: [descriptor.module], solo: false };
}

/** Sources opened by this thread, per backend: the kernels of one state share one copy, with its scratch memory. */
const opened = new WeakMap<Blas, WeakMap<SourceDescriptor, EntrySource>>();

/** The source behind a handle, on the thread that calls: the object itself, or this thread's copy built from the descriptor. */
export function openHandle(handle: SourceHandle, context: WorkerContext): EntrySource {
  if ('entries' in handle) return handle;
  const { blas, modules } = context;
  let sources = opened.get(blas);
  if (sources === undefined) opened.set(blas, sources = new WeakMap());
  let source = sources.get(handle);
  if (source === undefined) sources.set(handle, source = openSource(handle, modules, { blas }));
  return source;
}
