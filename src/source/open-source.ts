/**
 * Workers' copies of a source, from its descriptor.
 */
import { OptionError } from '../core/errors.js';
import type { EntrySource, SourceContext, SourceDescriptor, SourceFactory } from './entry-source.js';
import { scaledSource } from './unit-source.js';

/** The source a descriptor describes; `modules` gives the exports of a module that has been imported, by its URL. */
export function openSource(
  descriptor: SourceDescriptor,
  modules: (url: string) => Readonly<Record<string, unknown>>,
  context: SourceContext,
): EntrySource {
  const factory = modules(descriptor.module)[descriptor.name];
  if (typeof factory !== 'function') {
    throw new OptionError(
      `The source's descriptor names ${descriptor.name}, which ${descriptor.module} does not export as a function.`,
      { module: descriptor.module, name: descriptor.name },
    );
  }
  return scaledSource((factory as SourceFactory)(descriptor.data as never, context), descriptor.factor ?? 1);
}
