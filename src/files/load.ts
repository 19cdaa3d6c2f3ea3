/**
 * Loading what was saved.
 */
import { FileFormatError, OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { excerptOf } from '../io/excerpt.js';
import { readContents } from '../io/contents.js';
import { restoreAs, type FileKind } from '../operator/file-kind.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { FILE_KINDS, type SavedKind, type SavedKinds } from './kinds.js';

/** Options of {@link load}. */
export interface LoadOptions<K extends SavedKind = SavedKind> extends Control {
  /** What the file must hold; anything by default. */
  readonly kind?: K | undefined;
}
/** The keys of {@link LoadOptions}. */
const LOAD_KEYS: KeysOf<LoadOptions> = { kind: true, team: true, signal: true, onProgress: 'function' };

/**
 * Reads what `save` wrote, for the team to multiply with: products and solutions have the same bits as those of what
 * was saved (on the same dense backend). `load(path, { kind: 'factorization' })` takes a factorization and nothing
 * else. Everything is checked before it is used: that the file is whole, and that its arrays fit together. Progress
 * counts bytes (phase 'read'). Throws FileFormatError naming what is wrong (foreign, truncated, damaged, newer, of
 * another kind), OptionError, FileAccessError, MemoryError (before reading, where it would not fit), AbortedError.
 */
export async function load<K extends SavedKind = SavedKind>(
  path: string,
  options: LoadOptions<K> = {},
): Promise<SavedKinds[K]> {
  requireRole(path, 'path', 'load');
  const { kind, ...given } = requireKnownOptions(options, LOAD_KEYS as KeysOf<LoadOptions<K>>, 'load');
  const kinds = Object.keys(FILE_KINDS);
  if (kind !== undefined && !kinds.includes(kind))
    throw new OptionError(`kind of load must be one of ${kinds.join(', ')}, not ${describe(kind)}.`, {
      option: 'kind',
    });
  const control = await onTeam(given, 'load');
  const contents = await readContents(path, control);
  const { content } = contents;
  if (kind !== undefined) contents.requireContent(kind);
  else if (!Object.hasOwn(FILE_KINDS, content))
    throw new FileFormatError(
      `${path}: a container of ${excerptOf(content)}; load reads those of ${kinds.join(', ')}.`,
      { path, content },
    );
  return restoreAs(FILE_KINDS[content as K] as FileKind<SavedKinds[K]>, contents, control.team);
}
