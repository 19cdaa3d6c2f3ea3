/**
 * A kind of thing that files keep: what is written of one, and how one is made of what was read.
 */
import type { RunControl } from '../core/context.js';
import { writeContainer } from '../io/container.js';
import type { Contents, Kept } from '../io/contents.js';
import type { Team } from '../parallel/team.js';

/** One kind; its `content` stands in the header of its files. */
export interface FileKind<T> {
  readonly content: string;
  /** Whether a value is one. */
  readonly holds: (value: unknown) => boolean;
  /** What a file keeps of it; the header's `content` comes from the kind. */
  readonly keep: (value: T) => Kept;
  /**
   * Makes it again, for the team to multiply with: with the same bits of products and solutions, on the same dense
   * backend. Throws FileFormatError where what was read does not fit together.
   */
  readonly restore: (contents: Contents, team: Team) => T;
}

/** What a file keeps of a value, or of a part of one. */
export function keptAs<T>({ content, keep }: FileKind<T>, value: T): Kept {
  const { header, ...rest } = keep(value);
  return { header: { content, ...header }, ...rest };
}

/** Writes what a file keeps: of several ranks one does, and the others wait. Throws FileAccessError on all of them. */
export async function writeKept(path: string, { header, arrays, ranks }: Kept, control: RunControl): Promise<void> {
  let written = false;
  try {
    if (ranks?.writes !== false) await writeContainer(path, header, arrays, control);
    written = true;
  } finally {
    ranks?.done(written);
  }
}

/** Makes a value again of what a file, or a part of one, holds. Throws FileFormatError. */
export function restoreAs<T>(kind: FileKind<T>, contents: Contents, team: Team): T {
  contents.requireContent(kind.content);
  return kind.restore(contents, team);
}
